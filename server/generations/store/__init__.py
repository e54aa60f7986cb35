"""Where generations are kept: one small interface, with an embedded store and a shared one."""

"""Where generations are kept: one small interface, an embedded store and a shared one behind it."""

"""Dialects: one stream of typed events in, one API's bytes out."""

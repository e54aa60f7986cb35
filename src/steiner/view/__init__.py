"""The live view: a page of plain ES modules, and the same page as one file that needs no server."""

"""A trace as a picture: its steps as cards in a tidy tree, as shapes that SVG and PNG writers take."""

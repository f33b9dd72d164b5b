"""Spotting in a recording of one's own: its frames, the faces that last, and what moves in them."""

"""Live: a camera, or a file that plays as one, watched while it goes on."""

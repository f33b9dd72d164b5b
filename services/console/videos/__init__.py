"""Videos: what was found in one, read in parts for its page."""

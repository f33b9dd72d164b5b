"""prediction.html: what was found in a recording, to look at."""

"""Who is tested apart from whom, which clips count, and what predictions are worth."""

"""The torture run: every kind of fault at once, then an audit. `python -m tests.torture --help`."""

"""A client of a stack: its bus, its store, its inbox and its training API."""

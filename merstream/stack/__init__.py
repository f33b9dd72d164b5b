"""The client's side of a stack: its bus, its store, its training API."""

"""The HTTP API: start a run, follow it, fetch its report; list datasets."""

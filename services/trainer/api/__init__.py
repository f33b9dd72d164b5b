"""Training over HTTP (FastAPI): start a run, follow it, fetch its report. It runs in the process that plans.

The API stores nothing. All answers come from the bus and the store, so every replica gives the same answer.
"""

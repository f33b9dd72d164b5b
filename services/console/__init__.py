"""The console: what the pipeline does, for a browser and for programs. It serves pages and an HTTP API (FastAPI).

It stores nothing. All answers come from the bus and the store, so every replica gives the same answer.
"""

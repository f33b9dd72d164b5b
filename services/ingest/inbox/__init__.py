"""Ingest by dropping: an inbox (a bucket or a folder) in, records on `mer.sources` and `mer.datasets` out.

The scan is the truth: it compares what lies there with what was emitted (`ledger`) and does what is missing. Bucket
notifications only wake it earlier. Frames are fetched for the one clip that is being packed, never a whole dataset.
"""

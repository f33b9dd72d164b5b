"""The inbox: datasets uploaded into a bucket or folder in, records on `mer.sources` and `mer.datasets` out.

A scan decides what to do: it compares the uploaded objects with the published records (`ledger`). Notifications of the
bucket only start it earlier. Frames are fetched for one clip at a time, never for a whole dataset.
"""

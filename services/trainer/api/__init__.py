"""Training over HTTP (FastAPI): ask for a run, see how far it is, fetch its report. In the process that plans.

It keeps nothing: what it answers lies on the bus and in the store, so that any number of replicas answer alike.
"""

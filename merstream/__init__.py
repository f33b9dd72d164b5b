"""The whole pipeline in one process tree on one machine, and the `mer` command.

The only place that knows every service: the same stages and the same worker as in a cluster, over an embedded bus
(one SQLite file) and an embedded store (a folder).
"""

"""Uploads through the console: files in parts that outlive a connection, and the plans beside them."""

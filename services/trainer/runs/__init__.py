"""Runs: their contents, their ids, and their state on the bus."""

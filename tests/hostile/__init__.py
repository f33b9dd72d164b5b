"""Hostile inputs of every kind, each through the entry that takes it: `python -m tests.hostile --count 1000 --seed 1`.

Each must end as a sentence or as a sound result. A seed and a number give the same input on every machine.
"""

"""The shipped model is made here: maps of drawn faces, and the training of its networks on them.

`python -m merstream.shipped_model` draws, trains, calibrates and writes `services/trainer/recogniser/shipped.*`.
"""

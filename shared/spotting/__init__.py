"""Spotting: the motion of a face over a long recording, and the expressions in it."""

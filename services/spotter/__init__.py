"""Spotter: a recording in, the faces in it, their motion and the expressions that they may show out."""

"""Prediction: a video without labels, its faces, the expressions in it, and what recognises them."""

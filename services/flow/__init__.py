"""Optical flow: magnified frames in, (u, v) between consecutive frames out.

Black & Anandan (1996), "The robust estimation of multiple motions", in the form of Sun, Roth & Black (2010), "Secrets
of optical flow estimation and their principles": graduated non-convexity over a two-level pyramid with warping.
"""

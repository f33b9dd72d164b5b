"""Magnifier: interpolated frames in, one motion-magnified clip per factor out, ready for optical flow.

Eulerian video magnification with a Laplacian pyramid and a temporal Butterworth band-pass (Wu et al. 2012, Eulerian
Video Magnification for Revealing Subtle Changes in the World), as the ICASSP 2024 paper uses it.
"""

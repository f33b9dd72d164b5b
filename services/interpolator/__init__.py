"""Interpolator: a clip of any length -> the same number of frames for every clip, onset to offset.

In: ingest's face-cropped frames with onset, apex and offset. Out: 10 frames for magnification and flow, one of them at
the apex, and 16 for the action units. A camera that records several frames per step gives their mean. Otherwise RIFE
makes the frames between recorded ones (Huang et al., "Real-Time Intermediate Flow Estimation for Video Frame
Interpolation", ECCV 2022). Frames that hardly differ are blended.
"""

"""Interpolator: a clip of any length -> the same number of frames for every clip, onset to offset.

In: ingest's face-cropped frames with onset, apex and offset. Out: 11 frames for magnification and flow (profile
`paper`: 10) and 16 for the action units. RIFE makes the frames between recorded ones (Huang et al., "Real-Time
Intermediate Flow Estimation for Video Frame Interpolation", ECCV 2022). Frames that hardly differ are blended.
"""

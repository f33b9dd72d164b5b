"""MagNet: the learned magnifier (Oh et al. 2018, Learning-based Video Motion Magnification).

A network splits a frame into texture and shape. It magnifies the change of shape between two frames, and draws the
frame again. This package needs torch. The rest of the magnifier loads without it.
"""

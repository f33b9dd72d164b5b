"""Registration of the frames of one clip: head motion and light are estimated together and removed.

`align_frames` is the way in. The magnifier uses it before it magnifies, roi-au for the clip of the action units.
"""

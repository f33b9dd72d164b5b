"""roi-au: flows and interpolated frames in, features out.

In: the interpolator's frames and the flows of every magnification factor. The first frame, the unmagnified onset, gives
the landmarks, and `au_frames` gives the AU clip. Out: 7x7 flow patches around 30 landmarks of brows and mouth, and
28x28 maps of the motion from onset to apex. There are also the AU clip at 144x144 and the 68 landmarks. Papers: Wang et
al. 2024 (ICASSP) for patches and clip, Liong et al. 2019 (FG) for maps, Kazemi & Sullivan 2014 for the landmarks.
"""

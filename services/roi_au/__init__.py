"""roi-au: flows and interpolated frames in, features out.

In: the interpolator's frames (the first, the unmagnified onset, gives the landmarks; `au_frames` the AU clip) and the
flows of every magnification factor. Out: 7x7 flow patches around 30 landmarks of brows and mouth, maps of the
motion from onset to apex at 28x28, the AU clip at 144x144, the 68 landmarks. Papers: Wang et al. 2024 (ICASSP) for
patches and clip, Liong et al. 2019 (FG) for maps, Kazemi & Sullivan 2014 for the landmarks.
"""

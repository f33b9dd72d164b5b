"""Outlines in the photograph, digitised by hand on an enlargement.

Pixels (x, y) of the 512 x 512 image `skimage.data.astronaut()`; left and right are the picture's.
"""

import numpy as np

from merstream.synth.warping import Floats


def _parse_points(text: str) -> Floats:
    return np.array(text.split(), float).reshape(-1, 2)


# The 68 landmarks as far as the nose and eyes: iBUG 0..47; the mouth is re-drawn, below.
PHOTOGRAPH_LANDMARKS = _parse_points(
    """
    179.4 103.9  179.6 115.5  180.6 126.6  181.6 138.1  184.6 149.9  190.9 159.9  199.6 168.1  208.9 175.6
    220.1 178.4  232.1 176.9  243.1 170.9  253.4 163.1  260.6 153.4  265.1 142.4  267.9 130.6  270.1 119.4
    271.6 107.4  187.5 92.5  192.5 89.2  200.4 88.2  208.6 89.6  215 92.6  236.5 93.6  243.6 91.4  251.6 91.2
    259 92.6  264.3 96.6  225.6 102.1  225.4 110.6  225.1 118.6  224.9 127.1  214.4 131.1  219.1 132.4  224.1 134.2
    229.4 132.9  234.4 131.9  194.5 101.4  200.4 97.9  206.6 98.4  212 103.2  205.9 104.3  199.4 103.8  237.6 104.8
    243.4 100.4  249.9 100.4  256.5 103.8  249.9 106.4  243.6 106.1
    """
)
# The lips: each contour from the left corner of the mouth to the right one, smiling as photographed and closed.
SMILE_OUTER_UPPER = _parse_points(
    """
    201.5 138.9  207 138.4  214 138.8  219 138.7  222.5 139.4  226 138.7  231 138.9  238 139.4  244.8 139.6
    """
)
SMILE_INNER_UPPER = _parse_points(
    """
    202.5 139.6  207 141  211.5 141.6  216 142  222.5 142.4  229 142.2  234 142.2  238 141  243.6 140.3
    """
)
SMILE_INNER_LOWER = _parse_points(
    """
    202.5 140.4  206 144.2  210 147.8  214 149.6  222.5 150.4  229 150.2  233 148.9  238 146  243.6 141.1
    """
)
SMILE_OUTER_LOWER = _parse_points(
    """
    207 148.5  211 152.4  216.5 155  223 155.8  229 155  234 152  239.5 147.5
    """
)
CLOSED_OUTER_UPPER = _parse_points(
    """
    205 144.6  209 143  214.5 141.5  219 140.6  223 141.3  227 140.7  231.5 141.7  237 143.6  241.5 145.4
    """
)
CLOSED_LINE = _parse_points(
    """
    205.6 145  209 144.7  212.5 144.8  217 145.1  223 145.8  229 145.4  233 145.3  237.2 145.5  240.9 145.8
    """
)
CLOSED_OUTER_LOWER = _parse_points(
    """
    209 147.9  212.5 150.1  217.5 151.9  223 152.6  228.8 152.2  233.6 150.5  237.5 148.4
    """
)
# Outer outline clockwise from the crown (17 points), then the hairline along the face.
HAIR_OUTLINE = _parse_points(
    """
    230 15.5  245 18.8  265 28.8  282 42  294 57  300.5 75  301.5 88  299 105  292 118  281 128.5  274 127.5
    270.5 118  269 100  266 89  255 86  240 83.5  222 79.5  207 80  190 75  186 78  183.5 95  180.5 112  176 118.5
    165 112.5  157 100  153.5 85  154 70  159 57  170 45  185 37.5  193 29  207 20
    """
)
# Forehead, cheeks, ears and neck.
FACE_OUTLINE = _parse_points(
    """
    186 74  200 78  222 77  240 80  258 83  269 90  271 118  279 128  277.5 134  270 137  266 145  262 156  258 163
    254 183  240 189  230 190  215 187  195 183  187 178  186 160  183 147  181 132  174 128  170.5 119  178 116
    183 98
    """
)
# Collar and suit.
SUIT_OUTLINE = _parse_points(
    """
    80 215  115 188  127 165  140 153  165 148  184 149  187 178  230 190  254 183  256 173  276 185  296 205
    304 222  304 300  80 300
    """
)
# The folds that the smile draws from the nose to the mouth's corners.
SMILE_FOLDS = (
    _parse_points("209 124  202 128  195 134  195.5 141  199.5 137  204 132"),
    _parse_points("239 124  245 129  251.5 137  250.5 145  246.5 140  243 133"),
)

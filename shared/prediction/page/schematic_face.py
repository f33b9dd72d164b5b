"""A face of nobody, for pages without pictures of faces, and the lines that connect its landmarks."""

import numpy as np

# The mean of twelve drawn persons and their mirror images, 68 landmarks (x, y) in iBUG order. The unit is the distance
# between the eyes' centres, the origin is between them.
_POINTS = """
    -1.08 .05 -1.05 .32 -1.03 .61 -.99 .89 -.91 1.17 -.75 1.35 -.52 1.55 -.28 1.72 0 1.78 .28 1.72 .52 1.55 .75 1.35
    .91 1.17 .99 .89 1.03 .61 1.05 .32 1.08 .05 -.88 -.24 -.77 -.32 -.59 -.35 -.40 -.33 -.25 -.26 .25 -.26 .40 -.33
    .59 -.35 .77 -.32 .88 -.24 0 -.01 0 .19 0 .37 0 .57 -.24 .67 -.13 .70 0 .73 .13 .70 .24 .67 -.72 0 -.57 -.08
    -.42 -.07 -.29 .04 -.43 .06 -.58 .06 .29 .04 .42 -.07 .57 -.08 .72 0 .58 .06 .43 .06 -.44 .99 -.21 .89 -.10 .86
    0 .87 .10 .86 .21 .89 .44 .99 .26 1.14 .14 1.19 0 1.20 -.14 1.19 -.26 1.14 -.43 1 -.15 .99 0 1.01 .15 .99 .43 1
    .15 .99 0 1.01 -.15 .99
"""
SCHEMATIC_LANDMARKS = np.array(_POINTS.split(), float).reshape(68, 2)
# iBUG numbers: jaw, brows, nose, nostrils, eyes, outer and inner lip.
FACE_LINES: tuple[tuple[int, ...], ...] = (
    tuple(range(17)),
    tuple(range(17, 22)),
    tuple(range(22, 27)),
    tuple(range(27, 31)),
    tuple(range(31, 36)),
    (*range(36, 42), 36),
    (*range(42, 48), 42),
    (*range(48, 60), 48),
    (*range(60, 68), 60),
)

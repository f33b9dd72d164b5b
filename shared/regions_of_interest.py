"""The landmarks around which regions of interest (ROIs) are cut out: 10 of the brows and 20 of the mouth."""

import numpy as np

ROI = np.r_[17:27, 48:68]  # iBUG numbers: brows from the image's left to right, outer lip, inner lip

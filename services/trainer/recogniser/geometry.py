"""Where a face lies in a map of 28x28 cells: two geometries, for each of which the shipped model has networks.

`aligned`: the maps of the stage roi-au (`services.roi_au.maps`). `published`: the crop of the maps that Liong et al.
and others published for MEGC2019; positions were measured on mean maps.
"""

from typing import Literal, get_args

import numpy as np

MapGeometry = Literal["aligned", "published"]
GEOMETRIES: tuple[MapGeometry, ...] = get_args(MapGeometry)
PUBLISHED_EYES = np.array([(5.7, 7.5), (22.0, 7.5)])  # x, y of the eyes' centres, cells
PUBLISHED_BOX = (1.72, 2.7)  # width and height of the whole map, distances between the eyes

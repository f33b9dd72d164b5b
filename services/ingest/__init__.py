"""Ingest: a dataset folder (coding sheet and frames, or clips.csv and videos) in, face-cropped uint8 RGB clips out.

Discovery (`discover`, `catalogue/`) reads annotations, checks them against the files and packs each clip's raw bytes.
The stage (`stage`) decodes them, cuts one face crop per clip and spots an absent apex. The paper starts from face crops
and coded apexes as distributed (Wang et al., ICASSP 2024). The face detector is dlib's HOG (King 2009).
"""

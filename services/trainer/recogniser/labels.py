"""The classes and action units of the shipped model.

The five classes are those of CASME II's sheet. MEGC2019 has three: See, Yap, Li, Hong & Wang, MEGC 2019 (FG 2019).
`others` of CASME II is no class there. Here it holds brows that lower, anger, fear and sadness, which are negative.
"""

FINE_CLASSES = ("happiness", "surprise", "disgust", "repression", "others")
NO_CLASS = "none"
THREE_CLASSES = ("negative", "positive", "surprise")
CLASS_OF_FINE = {
    "happiness": "positive",
    "surprise": "surprise",
    "disgust": "negative",
    "repression": "negative",
    "others": "negative",
    NO_CLASS: NO_CLASS,
}
SHIPPED_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 24, 25)

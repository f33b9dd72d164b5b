"""Dataset layouts, one file each. A layout reads annotation rows from a folder and knows nothing about pixels."""

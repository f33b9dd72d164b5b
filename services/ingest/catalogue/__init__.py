"""Dataset layouts, one file each; a layout turns a folder into annotation rows and knows nothing about pixels."""

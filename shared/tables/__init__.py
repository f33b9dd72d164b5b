"""Tables as people write them, in csv files and workbooks: each deviation is noted, or refused with its cell.

`encoding` and `table` make a grid of cells, `header` finds the columns, `rows` reads the rows, and `cleaning` a cell.
"""

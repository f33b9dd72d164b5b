"""Science settings of the image stages, apart from what computes with them: the inbox checks them, too.

Every number has bounds. They are far beyond what makes sense, and keep a slip or a hostile plan from taking a worker
for days.
"""

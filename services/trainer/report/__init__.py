"""What came of a run, for people and for programs: outcomes of all folds in, the files of the report out.

`summary.summary` scores the outcomes and says everything as plain values; `files.files` makes of it and of the outcomes
report.html, report.json, predictions.csv, per_subject.csv, latex.tex and model_card.md. They follow from features,
settings and outcomes alone: no clock, no host, no path is in them, and equal outcomes give equal bytes.
"""

"""The report of a run: the outcomes of all folds in, the files of the report out.

`summary.summarise_run` scores the outcomes and returns a `model.Report`. `writer.render_files` makes report.html,
report.json, predictions.csv, per_subject.csv, latex.tex and model_card.md of it. They depend only on features, settings
and outcomes, never on clock, host or path. Equal outcomes give equal bytes.
"""

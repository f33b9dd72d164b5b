"""Features of all clips in, leave-one-subject-out (LOSO) figures for emotions and action units out.

Networks: FMER (Wang, Huang, Cai, Liu, ICASSP 2024, "Micro-expression Recognition by Fusing Action Unit Detection and
Spatio-temporal Features") and a lite version of it for two cores; baselines: majority, linear. `experiment.run` does a
whole run; `validation.run` the folds of one learner; `folds.train` one fold; `report` writes what came of it.
"""

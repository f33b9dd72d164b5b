"""Features of all clips in, leave-one-subject-out (LOSO) figures for emotions and action units out.

Networks: FMER (Wang, Huang, Cai, Liu, ICASSP 2024, "Micro-expression Recognition by Fusing Action Unit Detection and
Spatio-temporal Features"), a lite version of it for two cores, and published networks on motion maps. Baselines:
majority and linear. `experiment` does a whole run, `folds` trains its folds, `report` writes the result.
"""

"""The trainer's loops on the bus: start runs, plan their folds, train them."""

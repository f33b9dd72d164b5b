"""The trainer's loops on the bus: they start runs, plan their folds and train them."""

"""What a training run is: settings, protocol, clips, folds, its id and description. Nothing is computed here."""

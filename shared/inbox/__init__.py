"""What an upload looks like: its names, its order and its plan. Those who upload and the inbox read it here."""

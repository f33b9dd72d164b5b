"""What the commands share: options, parsing, the terminal."""

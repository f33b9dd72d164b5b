"""Image files: what they declare, whole decoding, and the true depth of their values."""

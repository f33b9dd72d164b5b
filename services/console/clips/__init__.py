"""Clips: what is known of one, its arrays and the pictures that are drawn of them."""

"""The commands of `mer`, one file each."""

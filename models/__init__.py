"""The economies, one file each."""

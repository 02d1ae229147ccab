"""Solved economies, `gallery:NAME`, and pictures of the README; made by scripts/gallery.py."""

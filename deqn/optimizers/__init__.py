"""Algorithms, one per file, that know a residual or loss function and weights, and no economy."""

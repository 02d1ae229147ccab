"""Hydra configuration: defaults, groups and models."""

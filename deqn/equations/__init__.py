"""Expectations and residuals at a batch of states. No policy is chosen here."""

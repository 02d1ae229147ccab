"""Expectations, residuals and polynomials at a batch of states. No policy is chosen here."""

"""An economy under a policy function: where its states live, how they move, its residuals."""

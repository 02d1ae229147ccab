"""Local solutions: derivatives, the steady state, first and second order around it. No network here."""

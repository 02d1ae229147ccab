"""What a solution is worth: errors, exact and reference solutions, stability, moments. Nothing is written here."""

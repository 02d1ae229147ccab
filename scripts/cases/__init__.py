"""Cases of scripts/replications.py: economies of papers, each with the numbers that it is to meet."""

"""Many runs: the jobs of a sweep, the trials of a search, and their summary."""

"""The console scripts, one file each. They read words and print; the work is done below."""

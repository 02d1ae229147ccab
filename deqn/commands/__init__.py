"""The console scripts, one file each. They read words and print; the work is done below."""

import time

STARTED = time.monotonic()  # when the command did, before all that takes long to import

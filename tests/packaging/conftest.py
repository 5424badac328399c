"""What of these tests another system cannot even read."""

import sys

# It looks at popups over D-Bus, through a package that other systems do not have.
collect_ignore = [] if sys.platform == "linux" else ["test_smoke.py"]

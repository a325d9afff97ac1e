"""What every test process begins with."""

from __future__ import annotations

import signal

# A script that starts the tests in its background has them ignore Ctrl-C, and all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

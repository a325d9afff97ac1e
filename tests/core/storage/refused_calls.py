"""Processes to which Linux refuses a system call, as a file system does that does not know it."""

from __future__ import annotations

import platform
import sys

FLOCK = {"x86_64": 73, "aarch64": 32}.get(platform.machine(), 0) * (sys.platform == "linux")
"""The number of flock(2), 0 where it is not known."""

_PROGRAM = """
import ctypes, os, struct, sys
call, error = int(sys.argv[1]), int(sys.argv[2])
system = ctypes.CDLL(None, use_errno=True)
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, call), (6, 0, 0, 0x50000 | error), (6, 0, 0, 0x7FFF0000)]
steps = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
rules = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(steps)))
if system.prctl(38, 1, 0, 0, 0) or system.prctl(22, 2, rules, 0, 0):
    sys.exit(os.strerror(ctypes.get_errno()))
os.execv(sys.executable, [sys.executable, *sys.argv[3:]])
"""


def refusing(call: int, error: int) -> list[str]:
    """Return a Python command, to be continued, in which ``call`` fails with ``error``."""
    return [sys.executable, "-c", _PROGRAM, str(call), str(error)]

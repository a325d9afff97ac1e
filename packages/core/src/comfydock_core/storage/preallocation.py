"""Room on the disk for a whole piece of a file before its bytes come, where the system can give it.

The system's own ``fallocate`` (Linux) is called. ``posix_fallocate`` is no substitute: where a file
system has no such call, the C library writes a zero into every block instead, over what another
thread may be writing there.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache


def allocate(descriptor: int, first: int, length: int) -> None:
    """Have blocks for ``length`` bytes from ``first``; nothing happens where that cannot be."""
    call = _system_call()
    if call:
        call(descriptor, 0, first, length)


@cache
def _system_call() -> Callable[[int, int, int, int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    call = getattr(library, "fallocate64", None) or getattr(library, "fallocate", None)
    if call:
        call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
        call.restype = ctypes.c_int
    return call

"""Run as a program of its own: start a command, and end it and all it started when told so.

``python -I process_watch.py SECONDS COMMAND...``. It is told by the end of its standard input,
which comes by itself when whoever started it is gone, however that ended. The command is
interrupted as Ctrl-C does; what is left after SECONDS, or after the command itself ended, is
killed. A byte before that end aborts the command, so that its fault handler says where it stands.
It ends with the command's exit code, 128 + N for signal N.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_BECOME_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h
_SECONDS_TO_VANISH = 5.0
_WINDOWS = os.name == "nt"


def main(words: Sequence[str]) -> int:
    """Start the command and stay until nothing of it is left; return its exit code."""
    seconds, command = float(words[0]), words[1:]
    for number in (signal.SIGINT, signal.SIGTERM):
        # A function, for an ignored signal would be ignored by the command as well.
        signal.signal(number, _stay)
    _leave_no_core_file()
    _adopt_orphans()
    flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, start_new_session=True, creationflags=flags
    )
    threading.Thread(target=_end_when_told, args=(process, seconds), daemon=True).start()
    code = process.wait()
    _kill_all(process.pid)
    return code if code >= 0 else 128 - code


def _stay(_number: int, _frame: object) -> None:
    """Leave signals to whoever started this: it tells by closing the input."""


def _end_when_told(process: subprocess.Popen[bytes], seconds: float) -> None:
    # Not sys.stdin: a thread that is in its lock when the program ends is a fatal error.
    while os.read(0, 1):
        with suppress(OSError, ValueError):
            process.send_signal(signal.SIGABRT)
    interrupt = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT)
    with suppress(OSError):
        process.send_signal(interrupt)
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    _kill_all(process.pid)


def _kill_all(leader: int) -> None:
    """Kill the command's process group and, on Linux, what left the group as well."""
    if _WINDOWS:
        taskkill = ("taskkill", "/F", "/T", "/PID", str(leader))
        subprocess.run(taskkill, capture_output=True, check=False)
        return
    with suppress(OSError):
        os.killpg(leader, signal.SIGKILL)
    deadline = time.monotonic() + _SECONDS_TO_VANISH
    while (left := _adopted(leader)) and time.monotonic() < deadline:
        for orphan in left:
            with suppress(OSError):
                os.kill(orphan, signal.SIGKILL)
                os.waitpid(orphan, 0)


def _leave_no_core_file() -> None:
    if not _WINDOWS:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def _adopt_orphans() -> None:
    """Become the parent of processes below whose own parents end (Linux alone has this)."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_BECOME_SUBREAPER, 1, 0, 0, 0)


def _adopted(leader: int) -> list[int]:
    """Return this process's children but the command itself; none where that cannot be known."""
    children = []
    for task in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError, ValueError):
            children += [int(number) for number in task.read_text().split()]
    return [child for child in children if child != leader]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

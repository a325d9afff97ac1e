"""`python -m tests.hostile.runner`: runs command lines, each in a process of its own, and measures.

It has imported comfydock once and forks for each line of JSON on stdin, so that hundreds of runs
cost little more than what they do themselves. A request has ``words``, ``environment``, ``folder``
and the files for its output, ``out`` and ``err``, and for its ``report``: {seconds, memory,
written, acts}, where ``memory`` is the most that one of its processes had at once, ``written`` all
bytes that it gave to the system, and ``acts`` the forbidden ones. The answer is its exit code.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import comfydock_cli
import comfydock_core
from comfydock_cli.main import main

from tests.hostile.watching import watched

_PATIENCE = 60


def _figure(file: str, name: str) -> int:
    lines = Path("/proc/self", file).read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _memory() -> int:
    """Return the peak of this process or of one that it ran.

    A fork's own peak begins anew in /proc. What getrusage says of children may be the peak of who
    started them: never less than their own.
    """
    return (
        max(_figure("status", "VmHWM"), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
        << 10
    )


def _loaded(packages: Iterable[ModuleType]) -> None:
    for package in packages:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)
    gc.collect()
    gc.freeze()


def _become(request: Mapping[str, Any]) -> None:
    """Take on the folder, variables and streams of a run."""
    signal.alarm(_PATIENCE)
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None
    os.chdir(request["folder"])
    streams = (os.devnull, request["out"], request["err"])
    for number, path in enumerate(streams):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        opened = os.open(path, flags)
        os.dup2(opened, number)
        os.close(opened)


def _run(request: Mapping[str, Any]) -> int:
    """Run the command; the report is written also where it ends with an exception."""
    _become(request)
    started = time.monotonic()
    with watched() as acts:
        try:
            return main(request["words"])
        finally:
            took = {
                "seconds": time.monotonic() - started,
                "memory": _memory(),
                "written": _figure("io", "wchar"),
                "acts": acts,
            }
            Path(request["report"]).write_text(json.dumps(took), encoding="utf-8")


def serve() -> Mapping[str, Any] | None:
    """Answer every request; return one in the process that is to run it, None at the end."""
    for line in sys.stdin:
        request: Mapping[str, Any] = json.loads(line)
        child = os.fork()
        if not child:
            return request
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    return None


if __name__ == "__main__":
    _loaded((comfydock_core, comfydock_cli))
    if asked := serve():
        code = _run(asked)
        sys.stdout.flush()
        sys.stderr.flush()
        # Taking the interpreter down would copy every page that the fork shares.
        os._exit(code)

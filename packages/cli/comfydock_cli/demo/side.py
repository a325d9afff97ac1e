"""One of the demo's two machines: a folder to stand in, a workspace, and comfydock to run there."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from comfydock_core.errors import ComfydockError
from comfydock_core.storage.loopback import free_port

from comfydock_cli.demo.narration import Narration, ToldStep, shown_command
from comfydock_cli.demo.running_comfyui import (
    START_FLAGS,
    ComfyuiRunError,
    RunningComfyui,
)

# The folder that a side stands in must not be searched for modules.
_COMFYDOCK = (
    *(sys.executable, "-P", "-c"),
    "import sys; from comfydock_cli.main import main; sys.exit(main())",
)
_ERROR, _NEXT = "error: ", "next: "


class DemoStepError(ComfydockError):
    """A command of the demo failed; its own words are the cause."""

    code = "demo"


class Side:
    """A machine that has comfydock; ``variables`` is the environment of its commands."""

    def __init__(
        self, name: str, folder: Path, variables: Mapping[str, str], narration: Narration
    ) -> None:
        self.name = name
        self.folder = folder
        self.home = folder / "comfydock"
        temporary = folder / "temporary"
        temporary.mkdir(parents=True)
        self._variables = {
            **variables,
            **dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(temporary)),
            "COMFYDOCK_HOME": str(self.home),
        }
        self._narration = narration

    def environment_path(self, name: str) -> Path:
        """Where an environment of this side lies."""
        return self.home / "environments" / name

    def run(self, *words: str, progress: bool = False) -> None:
        """Run one command and show what it prints, on request what it says meanwhile as well.

        A command that does not end with 0 is a DemoStepError.
        """
        self._narration.command(words)
        started = time.monotonic()
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as aside:
            process = self._start(words, stderr=subprocess.STDOUT if progress else aside)
            lines = self._shown(process)
            aside.seek(0)
            lines += aside.read().splitlines()
        if process.returncode:
            raise _failure(words, lines)
        self._finished(words, started)

    @contextmanager
    def running_comfyui(self, *options: str) -> Iterator[RunningComfyui]:
        """Have ComfyUI run by `comfydock run` until the block ends."""
        port = free_port()
        words = ("run", "--", *options, "--port", str(port))
        self._narration.command(words)
        started = time.monotonic()
        log = self.folder / "comfyui.log"
        with log.open("w", encoding="utf-8") as sink:
            process = self._start(words, sink, subprocess.STDOUT, START_FLAGS)
            comfyui = RunningComfyui(process, port)
            try:
                comfyui.wait()
                yield comfyui
            except ComfyuiRunError as error:
                said = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
                raise _failure(words, [error.sentence, error.cause, *said]) from error
            finally:
                comfyui.stop()
        self._finished(words, started)

    def _start(
        self,
        words: Sequence[str],
        stdout: int | IO[str] = subprocess.PIPE,
        stderr: int | IO[str] = subprocess.STDOUT,
        flags: int = 0,
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*_COMFYDOCK, *words],
            cwd=self.folder,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            encoding="utf-8",
            errors="replace",
            creationflags=flags,
        )

    def _shown(self, process: subprocess.Popen[str]) -> list[str]:
        """Show what a process prints while it runs; return all of it when the process is over."""
        lines: list[str] = []
        try:
            self._narration.answer(_read(process, lines))
            process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        return lines

    def _finished(self, words: Sequence[str], started: float) -> None:
        seconds = time.monotonic() - started
        command = shown_command(words)
        self._narration.finished(ToldStep(side=self.name, command=command, seconds=seconds))


def _read(process: subprocess.Popen[str], lines: list[str]) -> Iterator[str]:
    """Yield the lines of ``process`` that belong to the demo, and note all of them in ``lines``.

    What to type next is typed by the demo; a failure is shown where the demo ends.
    """
    failed = False
    for line in process.stdout or ():
        lines.append(line.rstrip("\n"))
        failed = failed or line.startswith(_ERROR)
        if not failed and not line.startswith(_NEXT):
            yield lines[-1]


def _failure(words: Sequence[str], lines: Sequence[str]) -> DemoStepError:
    """Make a command's own failure, else its last words, the cause of the demo's."""
    start = next((n for n, line in enumerate(lines) if line.startswith(_ERROR)), -15)
    cause = "\n".join(line for line in lines[start:] if not line.startswith(_NEXT))
    command = shown_command(words)
    return DemoStepError(f"`{command}` failed", cause=cause, subject=command)

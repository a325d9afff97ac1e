"""A user at a machine: a workspace, a configuration, and the real ``comfydock`` command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comfydock_core.errors import ComfydockError

from tests.real.comfyui_process import HEADLESS, RunningComfyui, running_comfyui

COMFYDOCK = Path(sys.executable).with_name("comfydock")
SECONDS_FOR_A_COMMAND = 900


class CommandFailedError(ComfydockError):
    """A ``comfydock`` command ended in another way than it had to."""

    code = "command-failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """``home`` is the user's own folder; the workspace lies in it. Variables come on top."""

    home: Path
    configuration: Mapping[str, str]

    @property
    def workspace(self) -> Path:
        return self.home / "workspace"

    def variables(self) -> dict[str, str]:
        """The environment of the user's commands, with nothing of this machine's own comfydock."""
        inherited = {key: v for key, v in os.environ.items() if not key.startswith("COMFYDOCK_")}
        return inherited | {"COMFYDOCK_HOME": str(self.workspace)} | dict(self.configuration)

    def does(self, *words: str, **variables: str) -> dict[str, Any]:
        """Runs ``comfydock WORDS --json``; the data of its answer.

        Raises CommandFailedError with everything it said unless it succeeds with exit code 0.
        """
        return self._answer(words, 0, variables)

    def does_in_part(self, *words: str) -> dict[str, Any]:
        """The same for a command that has to end with exit code 3: not all could be done."""
        return self._answer(words, 3, {})

    def _answer(
        self, words: Sequence[str], exit_code: int, variables: Mapping[str, str]
    ) -> dict[str, Any]:
        done = subprocess.run(
            [str(COMFYDOCK), *words, "--json"],
            cwd=self.home,
            env=self.variables() | dict(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS_FOR_A_COMMAND,
            check=False,
        )
        if done.returncode != exit_code:
            raise CommandFailedError(
                f"`comfydock {' '.join(words)}` ended with `{done.returncode}`.",
                cause=f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}",
            )
        data: dict[str, Any] = json.loads(done.stdout)["data"]
        return data

    def runs(self, environment: str) -> AbstractContextManager[RunningComfyui]:
        """``comfydock run`` of an environment, answering while the block lasts.

        Its PNGs hold no metadata: that would be the prompt, and with it this user's file names.
        """
        return running_comfyui(
            [COMFYDOCK, "-e", environment, "run", "--", *HEADLESS, "--disable-metadata"],
            self.home,
            log=self.home / f"run-{environment}.log",
            variables=self.variables(),
        )

    def folder(self, environment: str) -> Path:
        """Where an environment lies."""
        return self.workspace / "environments" / environment

"""What a manager of ComfyUI relies on: one list of checks, asked of every ComfyUI alike.

    python -m tests.real.contract COMFYUI_FOLDER PYTHON

prints what differs and ends with 1, or says that nothing does.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from tests.real.comfyui_process import (
    HEADLESS,
    SECONDS_TO_START,
    RunningComfyui,
    comfyui_environment,
    running_comfyui,
)
from tests.real.contract_bed import (
    PROMPT_THAT_SAVES,
    PROMPT_WITHOUT_MODEL,
    PROMPT_WITHOUT_NODE,
    lay_out,
)

Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class Check(Generic[Seen]):
    """A fact that must hold: ``found`` looks it up in what was seen and must give ``expected``."""

    name: str
    expected: object
    found: Callable[[Seen], object]

    def differences(self, seen: Seen) -> list[str]:
        """Nothing, or one sentence."""
        try:
            found = self.found(seen)
        except (LookupError, TypeError, ValueError) as unreadable:
            found = unreadable
        if found == self.expected:
            return []
        return [f"{self.name}: found {str(found)[:300]!r}, expected {self.expected!r}"]


@dataclass(frozen=True, kw_only=True, slots=True)
class QuickTest:
    """How ``--quick-test-for-ci`` ended, and what it printed."""

    exit_code: int
    log: str

    def lists(self, pack: str, *, failed: bool) -> bool:
        """Whether the table of import times has ``pack``, with its failure marked or not."""
        lines = self.log.rpartition("Import times")[2].splitlines()
        line = next((line for line in lines if line.rstrip().endswith(f"/{pack}")), "")
        return "seconds" in line and ("(IMPORT FAILED)" in line) is failed


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """What a running ComfyUI answered; the refusals and the acceptance are of POST /prompt."""

    comfyui: RunningComfyui
    without_model: tuple[int, bytes]
    without_node: tuple[int, bytes]
    accepted: tuple[int, bytes]
    outcome: dict[str, Any]
    exit_code_of_second: int

    @property
    def image(self) -> dict[str, str]:
        image: dict[str, str] = self.outcome["outputs"]["2"]["images"][0]
        return image

    def options(self, node: str, widget: str) -> list[str]:
        """A drop-down's choices, in either of the two shapes that ComfyUI has for it."""
        described = self.comfyui.answer(f"/object_info/{node}")[node]["input"]["required"][widget]
        choices = described[0] if isinstance(described[0], list) else described[1]["options"]
        return sorted(choices)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """Exit codes: after SIGINT, and with an extra custom_nodes folder that is not there."""

    after_interrupt: int
    without_extra_nodes: int


QUICK_TEST: tuple[Check[QuickTest], ...] = (
    Check("quick test ends well although a pack failed", 0, lambda q: q.exit_code),
    Check("a pack that loads is timed", True, lambda q: q.lists("good", failed=False)),
    Check("a pack that raises is marked", True, lambda q: q.lists("broken", failed=True)),
    Check("a pack without mappings is marked", True, lambda q: q.lists("unmapped", failed=True)),
    Check("prestart scripts run", True, lambda q: "PRESTART" in q.log),
    Check("a .disabled pack is passed over", False, lambda q: "off.disabled" in q.log),
)

SERVED: tuple[Check[Served], ...] = (
    Check(
        "its version is a string",
        str,
        lambda s: type(s.comfyui.answer("/system_stats")["system"]["comfyui_version"]),
    ),
    Check(
        "models: sub-folders, links and extra paths, by extension",
        ["a.safetensors", "d.safetensors", "linked/c.safetensors", "sub/b.sft"],
        lambda s: s.options("UNETLoader", "unet_name"),
    ),
    Check(
        "an extra path of two lines",
        ["e.safetensors"],
        lambda s: s.options("LoraLoaderModelOnly", "lora_name"),
    ),
    Check(
        "a node says which pack it is from",
        "custom_nodes.good",
        lambda s: s.comfyui.answer("/object_info/GoodNode")["GoodNode"]["python_module"],
    ),
    Check(
        "a failed pack's node is absent", {}, lambda s: s.comfyui.answer("/object_info/BrokenNode")
    ),
    Check("a missing model is told", True, lambda s: b"value_not_in_list" in s.without_model[1]),
    Check("a missing node is refused", 400, lambda s: s.without_node[0]),
    Check(
        "a missing node is named",
        True,
        lambda s: "NoSuchNode" in json.loads(s.without_node[1])["error"]["message"],
    ),
    Check("a good prompt is accepted", 200, lambda s: s.accepted[0]),
    Check("outputs are numbered", "ok_00001_.png", lambda s: s.image["filename"]),
    Check(
        "an output can be fetched",
        b"\x89PNG\r\n\x1a\n",
        lambda s: s.comfyui.ask(f"/view?filename={s.image['filename']}&type=output")[1][:8],
    ),
    Check("history tells success", "success", lambda s: s.outcome["status"]["status_str"]),
    Check(
        "saved workflows are listed",
        ["one.json"],
        lambda s: s.comfyui.answer("/userdata?dir=workflows"),
    ),
    Check("a port in use is an error", True, lambda s: s.exit_code_of_second != 0),
)

ENDED: tuple[Check[Ended], ...] = (
    Check("SIGINT ends it well", 0, lambda e: e.after_interrupt),
    Check("an absent extra custom_nodes folder is fatal", 1, lambda e: e.without_extra_nodes),
)

NUMBER_OF_CHECKS = len(QUICK_TEST) + len(SERVED) + len(ENDED)


def differences(comfyui_folder: Path, python: Path) -> list[str]:
    """A sentence for every check that does not hold for ``main.py`` in ``comfyui_folder``.

    It runs with a base directory of its own, so that the folder's models and nodes play no part.
    Raises ComfyuiProcessError when it does not start at all.
    """
    with tempfile.TemporaryDirectory(prefix="contract-") as temporary:
        bed = lay_out(Path(temporary))
        start = [str(python), "main.py", *HEADLESS, "--base-directory", str(bed.base)]
        start += ["--extra-model-paths-config"]
        good, bad = [*start, str(bed.extra_paths)], [*start, str(bed.bad_extra_paths)]
        found = _failed(QUICK_TEST, _quick_test(good, comfyui_folder))
        with running_comfyui(good, comfyui_folder, log=bed.log) as comfyui:
            found += _failed(SERVED, _served(comfyui, good, comfyui_folder))
            after_interrupt = comfyui.stop()
        without_extra_nodes = _quick_test(bad, comfyui_folder).exit_code
        ended = Ended(after_interrupt=after_interrupt, without_extra_nodes=without_extra_nodes)
        return found + _failed(ENDED, ended)


def _failed(checks: Sequence[Check[Seen]], seen: Seen) -> list[str]:
    return [difference for check in checks for difference in check.differences(seen)]


def _quick_test(argv: list[str], folder: Path) -> QuickTest:
    exit_code, log = _run([*argv, "--quick-test-for-ci"], folder)
    return QuickTest(exit_code=exit_code, log=log)


def _served(comfyui: RunningComfyui, argv: list[str], folder: Path) -> Served:
    accepted = comfyui.ask("/prompt", {"prompt": PROMPT_THAT_SAVES})
    prompt_id = json.loads(accepted[1]).get("prompt_id", "none")
    return Served(
        comfyui=comfyui,
        without_model=comfyui.ask("/prompt", {"prompt": PROMPT_WITHOUT_MODEL}),
        without_node=comfyui.ask("/prompt", {"prompt": PROMPT_WITHOUT_NODE}),
        accepted=accepted,
        outcome=comfyui.outcome(prompt_id),
        exit_code_of_second=_run(
            [*argv, "--listen", "127.0.0.1", "--port", str(comfyui.port)], folder
        )[0],
    )


def _run(argv: list[str], folder: Path) -> tuple[int, str]:
    """Exit code and everything printed, both streams together."""
    done = subprocess.run(
        argv,
        cwd=folder,
        env=comfyui_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS_TO_START,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace")


def main(arguments: Sequence[str]) -> int:
    """Prints the differences; 0 when there are none."""
    comfyui_folder, python = (Path(argument).absolute() for argument in arguments)
    found = differences(comfyui_folder, python)
    print("\n".join(found) or f"all {NUMBER_OF_CHECKS} checks hold for {comfyui_folder}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

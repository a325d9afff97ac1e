"""One import decided in several ways: typed at a terminal, by flags, by the plan that was saved."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pexpect

from tests.journeys.machines import Machine
from tests.journeys.terminal import exit_code, terminal
from tests.journeys.town import tensor_file

LOCAL = "loras/my-style.safetensors"
REQUIRED, STYLE = "tiny-2x.safetensors", "tiny-style.safetensors"
SUMMARY, NODES, MODELS, PLAN = (
    r"Choice \[Y\]/c: ",
    r"Choice \[a\]/i: ",
    r"Choice \[a\]/r/f/c/q: ",
    r"Choice \[Y\]/e(?:/n)?(?:/m)?/c: ",
)
CUSTOM, PICK, URL = r"Choice \[Y\]/s/x: ", r"Choice \[1\]/f/b: ", "Enter download URL.*: "
Typed = tuple[tuple[str, str], ...]
START: Typed = ((SUMMARY, ""),)
TO_MODELS: Typed = (*START, (PLAN, "m"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """What is typed at a terminal until the plan is right, and the flags that say the same."""

    typed: Typed
    flags: tuple[str, ...]
    code: int = 0


def clear(one: Machine) -> None:
    """Remove what the last import brought."""
    for environment in (one.home / "environments").glob("[!.]*"):
        shutil.rmtree(environment)
    shutil.rmtree(one.home / "models", ignore_errors=True)
    own = one.home / "models" / LOCAL
    own.parent.mkdir(parents=True)
    own.write_bytes(tensor_file("my own"))


def result(one: Machine) -> dict[str, bytes]:
    """What the environments' tracked state and the library hold."""
    library = one.home / "models"
    files = [
        path
        for tracked in (one.home / "environments").glob("*/.cec")
        for path in tracked.rglob("*")
        if ".git" not in path.relative_to(tracked).parts
    ]
    return {
        path.relative_to(one.home).as_posix(): path.read_bytes()
        for path in (*files, *library.rglob("*"))
        if path.is_file()
    }


def type_in(child: pexpect.spawn[str], typed: Typed) -> None:
    """Answer each prompt; an empty answer to what is no prompt types nothing."""
    for prompt, answer in typed:
        child.expect(prompt)
        if "Choice" in prompt or answer:
            child.sendline(answer)


def every_way_gives_the_same(
    route: Route, bundle: Path, receiver: Machine, folder: Path
) -> dict[str, bytes]:
    """Import by each way on a machine that is cleared before the next; return the result."""
    plan = folder / "plan.txt"
    child = terminal(receiver, "import", str(bundle), "--save-plan", str(plan))
    type_in(child, (*route.typed, (PLAN, "")))
    assert exit_code(child) == route.code
    typed = result(receiver)
    for flags in (route.flags, ("--plan", str(plan))):
        clear(receiver)
        ran = receiver.run("import", str(bundle), *flags, "--yes", "--trust-code")
        assert ran.exit_code == route.code, ran.err
        assert result(receiver) == typed
    return typed

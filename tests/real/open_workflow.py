"""A workflow with an issue: its sender resolves it at export's prompt, and it arrives complete."""

from __future__ import annotations

import re
from pathlib import Path

import pexpect

from tests.real.rewriting import OWN_NAMES
from tests.real.route import RECEIVED, SENT, Route
from tests.real.saved_workflows import UPSCALING, workflow_file
from tests.real.tiny_models import UPSCALER
from tests.real.user import COMFYDOCK, User

OPEN = "left-open"
_GONE = "tiny-compact-of-old.safetensors"
_SECONDS = 120


def export_at_a_terminal(route: Route, bundle: Path) -> None:
    """Asks for a model that is not there, commits, and exports with somebody typing."""
    sender = route.sender
    saved = workflow_file(sender, SENT, UPSCALING).read_bytes()
    place = workflow_file(sender, SENT, OPEN)
    place.write_bytes(saved.replace(UPSCALER.filename.encode(), _GONE.encode()))
    sender.does("-e", SENT, "commit", "-m", "a workflow with an issue")
    with route.stage("export with an issue, resolved at the prompt"):
        exit_code = _export(sender, bundle)
    route.check("the export at a terminal ends well", exit_code, 0)
    value = UPSCALER.filename.encode()
    route.check("the answer is in the sender's workflow", value in place.read_bytes())
    messages = [entry["message"] for entry in sender.does("-e", SENT, "log")["commits"]]
    route.check("it is committed", "Pre-export resolution" in messages)


def _export(sender: User, bundle: Path) -> int | None:
    child = pexpect.spawn(
        str(COMFYDOCK),
        ["export", SENT, "--output", str(bundle)],
        env=sender.variables() | {"TERM": "xterm", "CI": ""},
        cwd=str(sender.home),
        encoding="utf-8",
        dimensions=(60, 200),
        timeout=_SECONDS,
    )
    child.expect(r"Choice \[r\]/c: ")
    child.sendline("r")
    child.expect(rf"\[(\d)\] {UPSCALER.folder}/{re.escape(UPSCALER.filename)}")
    child.sendline(child.match[1])
    while child.expect([r"Choice \[Y\]/s: ", r"Continue\? \[Y/n\]: ", pexpect.EOF]) < 2:
        child.sendline("")
    child.close()
    code: int | None = child.exitstatus
    return code


def check_open_workflow(route: Route) -> None:
    """At the receiver's it names the file that the receiver has of that content."""
    data = workflow_file(route.receiver, RECEIVED, OPEN).read_bytes()
    own = OWN_NAMES.get(UPSCALER.filename, UPSCALER.filename)
    route.check("the resolved workflow arrives complete", own.encode() in data)

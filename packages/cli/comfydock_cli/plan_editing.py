"""The text of a plan in the user's own editor, and in files."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from comfydock_core.domain.acquisition import ImportPlan
from comfydock_core.domain.plan_text import HEADER, write_plan
from comfydock_core.errors import ComfydockError, NotFoundError, StorageError, UsageError
from comfydock_core.storage.durable_files import storage_errors

from comfydock_cli.measures import size_text

_LARGEST = 16 * 1024 * 1024


class EditorError(ComfydockError):
    """The user's editor is not there, or it failed; the plan is as it was."""

    code = "editor"


def edit_text(text: str, environment: Mapping[str, str]) -> str:
    """Open ``text`` in ``$VISUAL``, else ``$EDITOR``, and return what was saved.

    The variable is split into words as a shell does it, and no shell is involved.
    """
    command = _editor(environment)
    with tempfile.TemporaryDirectory(prefix="comfydock-plan-") as folder:
        path = Path(folder) / "import-plan.txt"
        path.write_text(text, encoding="utf-8")
        try:
            # stdout is the answer of this command and may be a file.
            done = subprocess.run([*command, str(path)], stdout=sys.stderr, check=False)
        except OSError as error:
            raise EditorError(
                f"the editor `{command[0]}` could not be started",
                cause=str(error.strerror or error),
                hint="name another one in the variable EDITOR",
                subject=command[0],
            ) from error
        if done.returncode:
            raise EditorError(
                f"the editor `{command[0]}` ended with exit code {done.returncode}",
                hint="the plan is as it was",
                subject=command[0],
            )
        return _decoded(_saved(path, command[0]), path)


def _saved(path: Path, editor: str) -> bytes:
    """Read what the editor left, which may have taken the file away or put a folder there."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise EditorError(
            f"the editor `{editor}` left no file behind",
            cause=str(error.strerror or error),
            hint="the plan is as it was",
            subject=editor,
        ) from error


def _editor(environment: Mapping[str, str]) -> list[str]:
    named = environment.get("VISUAL") or environment.get("EDITOR") or ""
    try:
        words = shlex.split(named, posix=os.name != "nt")
    except ValueError as error:
        raise EditorError(
            f"`{named}` is no command that can be read",
            cause=str(error),
            hint="name an editor in the variable EDITOR",
            subject="EDITOR",
        ) from error
    return words or ["notepad" if os.name == "nt" else "vi"]


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"`{path}` is no text in UTF-8", subject=str(path)) from error


def read_plan(path: Path) -> str:
    """Read a saved plan's text, which is not empty."""
    if not os.path.isfile(path):  # noqa: PTH113 - Path's raises for too long a name
        raise NotFoundError(f"`{path}` is no file", subject=str(path))
    with storage_errors(path):
        if path.stat().st_size > _LARGEST:
            raise UsageError(f"`{path}` is too large for a plan", subject=str(path))
        text = _decoded(path.read_bytes(), path)
    if not text:
        raise UsageError(f"`{path}` is empty: it decides nothing", subject=str(path))
    return text


def save_plan(plan: ImportPlan, path: Path) -> None:
    """Write a plan to a file that is new, or a plan itself."""
    with storage_errors(path):
        if path.exists() and not path.read_bytes().startswith(HEADER.encode()):
            raise StorageError(
                f"`{path}` exists and is no plan",
                hint="choose another name for `--save-plan`",
                subject=str(path),
            )
        path.write_text(write_plan(plan, size_text), encoding="utf-8")

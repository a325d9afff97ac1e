"""What a command returns: one frozen value that is rendered as text or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from comfydock_core.errors import ComfydockError

Status = Literal["success", "partial", "error"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorItem:
    """One failure: ``code`` for programs, ``message`` in one sentence, ``cause`` in any lines."""

    code: str
    message: str
    cause: str = ""
    hint: str = ""
    subject: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandResult:
    """The outcome of ``command`` (its words).

    ``data`` is the answer for programs, ``text`` the same answer for people (stdout); ``notes``
    are remarks beside it (stderr) and ``next_command`` is what to type next. ``errors`` are
    printed when the status is ``error``; a ``partial`` result tells them in its text.
    """

    command: str
    data: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    notes: tuple[str, ...] = ()
    next_command: str = ""
    status: Status = "success"
    exit_code: int = 0
    errors: tuple[ErrorItem, ...] = ()


def error_item(error: ComfydockError) -> ErrorItem:
    """Turn a failure of the core into one entry of a result."""
    return ErrorItem(
        code=error.code,
        message=error.sentence,
        cause=error.cause,
        hint=error.hint,
        subject=error.subject,
    )


def error_result(command: str, error: ComfydockError) -> CommandResult:
    """Make the result of a command that ended with ``error``."""
    return CommandResult(
        command=command, status="error", exit_code=error.exit_code, errors=(error_item(error),)
    )

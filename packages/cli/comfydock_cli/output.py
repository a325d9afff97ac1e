"""A command's result on the streams: as text, as the JSON envelope, or as a stream of events."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Literal, TextIO

from comfydock_core.domain.untrusted import escape_text, redact_secrets

from comfydock_cli.result import CommandResult, ErrorItem
from comfydock_cli.screen import Screen

SCHEMA = "comfydock/1"

Form = Literal["text", "json", "json-stream"]


class Output:
    """stdout for the answer, stderr for everything else."""

    def __init__(
        self, form: Form, stdout: TextIO, stderr: TextIO, environment: Mapping[str, str]
    ) -> None:
        self.form = form
        self.answer = Screen(stdout, environment)
        self.side = Screen(stderr, environment)

    def show(self, result: CommandResult) -> int:
        """Write ``result`` in the form that was asked for; return its exit code."""
        if self.form == "text":
            self._show_text(result)
        else:
            for note in result.notes:
                self.side.write_line(note)
            self._write_json(envelope(result))
        if self.answer.loss:
            self.side.write_line(f"error: the answer could not be written: {self.answer.loss}")
            return result.exit_code or 1
        return result.exit_code

    def event(self, event: Mapping[str, Any]) -> None:
        """Write one event of a stream as one line."""
        self._write_json(event)

    def _show_text(self, result: CommandResult) -> None:
        if result.text:
            self.answer.write_line(result.text)
        for note in result.notes:
            self.side.write_line(note)
        if result.status == "error":
            self.side.write_line("\n\n".join(map(_error_text, result.errors)))
        if result.next_command:
            self.side.write_line(f"next: {result.next_command}")

    def _write_json(self, value: Mapping[str, Any]) -> None:
        text = json.dumps(_without_secrets(value), default=os.fspath)
        # json leaves this one control character as it is.
        self.answer.write_raw(text.replace("\x7f", "\\u007f") + "\n")


def envelope(result: CommandResult) -> dict[str, Any]:
    """Return ``result`` as the envelope ``comfydock/1``; a cause follows its message's line."""
    errors = [
        {
            "code": error.code,
            "message": "\n".join(filter(None, (error.message, error.cause))),
            "hint": error.hint,
            "subject": error.subject,
        }
        for error in result.errors
    ]
    return {
        "schema": SCHEMA,
        "command": result.command,
        "status": result.status,
        "exit_code": result.exit_code,
        "data": result.data,
        "errors": errors,
    }


def _error_text(error: ErrorItem) -> str:
    lines = [f"error: {escape_text(error.message)}"]
    lines += [f"  {line}" for line in error.cause.splitlines()]
    if error.hint:
        lines += ["", f"hint: {escape_text(error.hint)}"]
    return "\n".join(lines)


def _without_secrets(value: object) -> object:
    if isinstance(value, str):
        return redact_secrets(value)
    if isinstance(value, Mapping):
        return {redact_secrets(str(key)): _without_secrets(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(item) for item in value]
    return value

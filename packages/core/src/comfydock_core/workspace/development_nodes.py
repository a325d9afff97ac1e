"""What a development node asks for that nobody else can be given."""

from __future__ import annotations

from pathlib import Path

from comfydock_core.domain.untrusted import escape_text, redact_secrets
from comfydock_core.errors import NodeError
from comfydock_core.workspace.nodes import node_requirements

_POINTING = ("-r", "-c", "-f", "-i", "--requirement", "--constraint", "--find-links")
_INDEXES = ("--index-url", "--extra-index-url")


def requirements_problems(folder: Path) -> tuple[str, ...]:
    """Name what a node asks for by an address or a path, or in a way that cannot be read.

    Each is the end of a sentence about the node. Options of pip count that point to other files or
    indexes; nothing shown holds a secret.
    """
    try:
        requirements = node_requirements(folder)
    except NodeError as error:
        return (f"cannot say what it asks for: {error.sentence}",)
    refused = (f"asks for `{_shown(line)}`" for line in requirements.refused)
    options = (line for line in requirements.ignored if line.startswith((*_POINTING, *_INDEXES)))
    return (*refused, *(f"has the pip option `{_shown(line)}`" for line in options))


def _shown(line: str) -> str:
    return escape_text(redact_secrets(line))

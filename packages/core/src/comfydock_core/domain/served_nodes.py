"""What a running ComfyUI has: its answer to ``/object_info``, as ComfyUI 0.3.52 and 0.3.75 give it.

``{class: {"input": {"required": {input: [type, options]}, "optional": {...}}}}``; the type of an
input with choices is their list, or ``"COMBO"`` with ``{"options": [...]}`` beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from comfydock_core.domain.lenient_json import as_list, as_object, read_json
from comfydock_core.errors import WorkflowError

Choices = Mapping[str, frozenset[str]]
"""The inputs of a class that are chosen from a list of texts, with that list."""

ServedNodes = Mapping[str, Choices]
"""The node classes of a ComfyUI by name."""

OBJECT_INFO = "/object_info"
_COMBO = "COMBO"


def parse_object_info(data: bytes) -> ServedNodes:
    """Read the answer; what it says in another shape than this is passed over.

    Raises WorkflowError for what is no JSON object of classes.
    """
    document = read_json(data, OBJECT_INFO)
    if not as_object(document):
        raise WorkflowError(f"`{OBJECT_INFO}` names no node classes", subject=OBJECT_INFO)
    return {name: dict(_choices(info)) for name, info in as_object(document).items()}


def _choices(info: object) -> Iterator[tuple[str, frozenset[str]]]:
    inputs = as_object(as_object(info).get("input"))
    for group in ("optional", "required"):
        for name, spec in as_object(inputs.get(group)).items():
            options = _options(as_list(spec))
            if options is not None and all(isinstance(option, str) for option in options):
                yield name, frozenset(map(str, options))


def _options(spec: object) -> list[object] | None:
    """Return the choices of an input, None for one that has no list of its own."""
    kind, *more = as_list(spec) or [None]
    if isinstance(kind, list):
        return kind
    settings = as_object(more[0]) if more else {}
    options = settings.get("options")
    # choices that the browser fetches from elsewhere are not in the list
    if kind != _COMBO or "remote" in settings or not isinstance(options, list):
        return None
    return options

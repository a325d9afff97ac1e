"""Which inputs of a node class list a model folder or ComfyUI's inputs, and where they stand.

Sources: ComfyUI's node documentation (``INPUT_TYPES``; ``define_schema`` since 0.3.65) and its
frontend, which makes a widget of every input with choices or a plain type, required ones first,
and puts a second one behind seeds (``control_after_generate``) and uploads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from comfydock_core.domain.model_loaders import (
    INPUT_FOLDER,
    NO_INDEX,
    LoaderWidget,
    holds_models,
)
from comfydock_core.storage.folded_values import (
    UNKNOWN,
    NodeSchema,
    SchemaInput,
    is_choice,
    listed_folder,
)

_SECTIONS = ("required", "optional")
_WIDGET_TYPES = frozenset({"BOOLEAN", "COLOR", "COMBO", "FLOAT", "INT", "STRING"})
_WIDGET_KINDS = frozenset({"Boolean", "Color", "Combo", "Float", "Int", "MultiCombo", "String"})
_UNCERTAIN_KINDS = frozenset({"", "Autogrow", "DynamicCombo"})
_UPLOADS = ("animated_image_upload", "audio_upload", "image_upload", "upload", "video_upload")
_SOLID_UPLOAD = "file_upload"
"""Load3D's, whose button takes no value."""
_SEEDS = frozenset({"noise_seed", "seed"})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Input:
    """One input; ``widgets`` is how many values it takes, None when that cannot be told."""

    name: str
    widgets: int | None
    choices: object = ()
    uploads: bool = False

    @property
    def folder(self) -> str:
        """The folder that the values name files of, empty for other values."""
        return INPUT_FOLDER if self.uploads else listed_folder(self.choices)


def loader_widgets(definition: object) -> tuple[LoaderWidget, ...]:
    """Return the loader widgets of what ``INPUT_TYPES()`` or ``define_schema()`` returned.

    Those that name ComfyUI's inputs have INPUT_FOLDER as their folder. A widget behind an input
    that cannot be told gets NO_INDEX.
    """
    inputs = _of_schema(definition) if isinstance(definition, NodeSchema) else _of_types(definition)
    found: list[LoaderWidget] = []
    index: int | None = 0
    for each in inputs:
        folder = each.folder
        if (holds_models(folder) or folder == INPUT_FOLDER) and folder and each.widgets:
            at = NO_INDEX if index is None else index
            widget = LoaderWidget(
                name=each.name, index=at, folder=folder, fixed=_fixed(each.choices)
            )
            found.append(widget)
        index = None if index is None or each.widgets is None else index + each.widgets
    return tuple(found)


def _fixed(choices: object) -> tuple[str, ...]:
    values = choices if isinstance(choices, list | tuple) else ()
    return tuple(dict.fromkeys(each for each in values if isinstance(each, str)))


def _of_types(definition: object) -> Iterator[_Input]:
    sections = definition if isinstance(definition, dict) else {}
    for section in _SECTIONS:
        inputs = sections.get(section, {})
        if not isinstance(inputs, dict):
            yield _Input(name="", widgets=None)
            continue
        for name, specification in inputs.items():
            yield _typed(name, specification)


def _typed(name: object, specification: object) -> _Input:
    """Read ``(TYPE, options)``: TYPE is a text or a list of choices."""
    if not isinstance(name, str) or not isinstance(specification, list | tuple):
        return _Input(name="", widgets=None)
    parts: Sequence[object] = (*specification, UNKNOWN, {})
    kind = parts[0]
    options = parts[1] if isinstance(parts[1], dict) else {}
    if options.get("forceInput") is True:
        return _Input(name=name, widgets=0)
    choices = options.get("options", ()) if kind == "COMBO" else kind
    # only lists of choices have a button for uploads
    listed = is_choice(kind) or (kind is UNKNOWN and _uploads(options))
    if listed or kind in _WIDGET_TYPES:
        widgets = _count(name, options, combo=kind not in ("INT", "FLOAT"))
        return _Input(name=name, widgets=widgets, choices=choices, uploads=_uploads(options))
    return _Input(name=name, widgets=0 if isinstance(kind, str) else None)


def _count(name: str, options: Mapping[Any, object], *, combo: bool) -> int:
    """Return how many values a widget takes: a control adds one, and a filter for choices."""
    control = options.get("control_after_generate")
    if control is None:
        control = name in _SEEDS and not combo
    added = (2 if combo else 1) if control else 0
    return 1 + added + any(options.get(upload) for upload in _UPLOADS)


def _uploads(options: Mapping[Any, object]) -> bool:
    return any(options.get(upload) for upload in (*_UPLOADS, _SOLID_UPLOAD))


def _of_schema(schema: NodeSchema) -> Iterator[_Input]:
    if not isinstance(schema.inputs, list | tuple):
        return
    optional = [each for each in schema.inputs if _is_optional(each)]
    for each in (*(each for each in schema.inputs if each not in optional), *optional):
        yield _of_input(each)


def _is_optional(value: object) -> bool:
    return isinstance(value, SchemaInput) and value.arguments.get("optional") is True


def _of_input(value: object) -> _Input:
    if not isinstance(value, SchemaInput):
        return _Input(name="", widgets=None)
    arguments = value.arguments
    name = arguments.get("id")
    if value.kind == "MultiType" and isinstance(name, SchemaInput):
        return _of_input(name)
    if not isinstance(name, str) or value.kind in _UNCERTAIN_KINDS:
        return _Input(name="", widgets=None)
    if value.kind not in _WIDGET_KINDS or arguments.get("force_input") is True:
        return _Input(name=name, widgets=0)
    combo = value.kind not in ("Int", "Float")
    widgets = _count(name, arguments, combo=combo)
    choices = arguments.get("options", ())
    return _Input(name=name, widgets=widgets, choices=choices, uploads=_uploads(arguments))

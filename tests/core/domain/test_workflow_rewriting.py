"""Whatever a workflow looks like: writing it back changes nothing, rewriting only the values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from comfydock_core.domain.json_positions import JsonPath
from comfydock_core.domain.workflow import parse_workflow
from comfydock_core.domain.workflow_models import ModelReference, model_references
from comfydock_core.domain.workflow_splice import rewrite_values
from hypothesis import given
from hypothesis import strategies as st

from tests.core.domain.workflow_samples import SUBGRAPH, definition, widget_input

NEW = "new/größe.safetensors"
NAMES = st.sampled_from(["a.sft", "sub\\b.sft", "ü/c.safetensors", "None", "a.ckpt"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | NAMES
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
TYPES = st.sampled_from(
    ["VAELoader", "CheckpointLoader", "Power Lora Loader (rgthree)", "Unknown", "CLIPTextEncode"]
)
LINKED = [widget_input("ckpt_name", 7)]


@st.composite
def ui_nodes(draw: Any, identities: st.SearchStrategy[int]) -> dict[str, Any]:
    """Draw a node, often one that declares a model or promotes a widget."""
    widgets = draw(st.lists(VALUES, max_size=3) | st.dictionaries(st.text(max_size=4), VALUES))
    found = {"id": draw(identities), "type": draw(TYPES), "widgets_values": widgets}
    if draw(st.booleans()):
        found["properties"] = {"models": [{"name": draw(NAMES), "directory": "vae"}]}
    if draw(st.booleans()):
        found["widgets_values_named"] = {"vae_name": draw(NAMES)}
    return found


@st.composite
def ui_documents(draw: Any) -> Any:
    """Draw a workflow with instances of one subgraph, which has a loader that they promote."""
    loader = {
        "id": 47,
        "type": "CheckpointLoaderSimple",
        "widgets_values": [draw(NAMES)],
        "inputs": LINKED,
    }
    inner = draw(st.lists(ui_nodes(st.integers(0, 9)), max_size=2))
    sub = definition(SUBGRAPH, loader, *inner, inputs=(("ckpt_name", 7),))
    instances = [
        {"id": 100 + at, "type": SUBGRAPH, "widgets_values": [value]}
        for at, value in enumerate(draw(st.lists(NAMES | st.none(), max_size=3)))
    ]
    nodes = draw(st.lists(ui_nodes(st.integers(0, 9)), max_size=4))
    return {"nodes": nodes + instances, "definitions": {"subgraphs": [sub]}, "x": draw(VALUES)}


API_DOCUMENTS = st.dictionaries(
    st.text(max_size=3),
    st.fixed_dictionaries(
        {
            "class_type": TYPES,
            "inputs": st.dictionaries(st.text(max_size=4) | st.just("vae_name"), VALUES),
        }
    ),
    min_size=1,
    max_size=4,
)


@st.composite
def files(draw: Any) -> bytes:
    """Draw the bytes of a workflow in either form, as different programs write JSON."""
    document = draw(ui_documents() | API_DOCUMENTS)
    ascii_only, indent = draw(st.booleans()), draw(st.sampled_from([None, 2]))
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    mark = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    return bytes(mark + text.encode("utf-8", "surrogatepass"))


def references(data: bytes) -> tuple[ModelReference, ...]:
    return model_references(parse_workflow(data, "w"))


def texts(value: object, path: JsonPath = ()) -> Iterator[tuple[JsonPath, object]]:
    """Yield every place of a document that is no list or object, by path, with its value."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from texts(item, (*path, key))
    elif isinstance(value, list):
        for key, item in enumerate(value):
            yield from texts(item, (*path, key))
    else:
        yield path, value if isinstance(value, str) else repr(value)


@given(files())
def test_read_and_written_back_is_the_same_file(data: bytes) -> None:
    same = {each.reference: each.reference.widget_value for each in references(data)}
    assert rewrite_values(data, {}).data == data
    assert rewrite_values(data, same).data == data


@given(files())
def test_only_the_intended_values_change(data: bytes) -> None:
    for each in references(data):
        old = each.reference.widget_value
        done = rewrite_values(data, {each.reference: NEW})
        before = dict(texts(json.loads(data.decode("utf-8-sig"))))
        after = dict(texts(json.loads(done.data.decode("utf-8-sig"))))
        assert before.keys() == after.keys()
        changed = [path for path in before if before[path] != after[path]]
        assert {(before[path], after[path]) for path in changed} <= {(old, NEW)}
        assert all({"widgets_values", "inputs", "properties", "widgets_values_named"} & {*path}
                   for path in changed)  # fmt: skip
        assert bool(changed) == bool(done.changed) == (not done.left_alone)
        assert bool(each.category) or not changed

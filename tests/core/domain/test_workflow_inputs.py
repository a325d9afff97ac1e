from __future__ import annotations

import json
from dataclasses import astuple
from typing import Any

import pytest
from comfydock_core.domain.model_loaders import INPUT_FOLDER, Loaders, LoaderWidget
from comfydock_core.domain.workflow import parse_workflow
from comfydock_core.domain.workflow_inputs import (
    INPUT_WIDGETS,
    InputReference,
    input_references,
    known_inputs,
)

from tests.core.domain.workflow_samples import SUBGRAPH, Node, definition, node, ui, widget_input

Place = tuple[str, str]


def found(data: bytes, widgets: Loaders = INPUT_WIDGETS) -> tuple[InputReference, ...]:
    return input_references(parse_workflow(data, "w"), widgets)


def places(data: bytes, widgets: Loaders = INPUT_WIDGETS) -> list[Place]:
    return [(each.place, each.name) for each in found(data, widgets)]


def test_a_reference_says_which_node_of_which_workflow() -> None:
    (reference,) = found(ui(node(7, "LoadImage", ("a.png", "image"), mode=4)))
    assert astuple(reference) == ("w", "7", "LoadImage", "a.png", "input", False)


@pytest.mark.parametrize(
    ("node_type", "widgets", "expected"),
    [
        ("LoadImage", ["a.png", "image"], [("input", "a.png")]),
        ("LoadImageMask", ["a.png", "alpha", "image"], [("input", "a.png")]),
        ("LoadImageOutput", ["a.png [output]", "x"], [("output", "a.png")]),
        ("LoadAudio", ["a.mp3", None, ""], [("input", "a.mp3")]),
        ("LoadVideo", ["a.mp4", "image"], [("input", "a.mp4")]),
        ("Load3D", ["3d/a.glb", "", 1024, 1024], [("input", "3d/a.glb")]),
        ("LoadLatent", ["a.latent"], [("input", "a.latent")]),
        ("LoadImageDataSetFromFolder", ["set/one"], [("input", "set/one")]),
        ("LoadImageSetNode", [["a.png", "b.png"], "None"],
         [("input", "a.png"), ("input", "b.png")]),
        ("OpenAIInputFiles", ["a.txt"], [("input", "a.txt")]),
        ("VHS_LoadImages", {"directory": "frames", "image_load_cap": 0}, [("input", "frames")]),
        ("VHS_LoadVideo",
         {"video": "a.mp4", "videopreview": {"params": {"filename": "b.mp4", "type": "input"}}},
         [("input", "a.mp4")]),
        ("VHS_LoadAudioUpload", {"audio": "a.wav"}, [("input", "a.wav")]),
        ("VHS_LoadVideoPath", {"video": "input/sub/a.mp4"}, [("input", "sub/a.mp4")]),
        ("VHS_LoadVideoPath", {"video": "./input\\a.mp4"}, [("input", "a.mp4")]),
        ("VHS_LoadVideoPath", {"video": "/home/bob/a.mp4"}, [("elsewhere", "a.mp4")]),
        ("VHS_LoadVideoPath", {"video": "C:\\Users\\bob\\a.mp4"}, [("elsewhere", "a.mp4")]),
        ("VHS_LoadVideoPath", {"video": "a.mp4"}, [("elsewhere", "a.mp4")]),
        ("VHS_LoadVideoPath", {"video": "https://h.org/a.mp4"}, []),
        ("Painter", ["p-1.png [input]"], [("input", "p-1.png")]),
        ("Painter", ["painter/p.png [temp]"], [("temp", "painter/p.png")]),
        ("Note", ["see [input]"], []),
        ("Note", ["see\na.png [input]"], []),
        ("CLIPTextEncode", ["a.png"], []),
        ("SaveImage", ["ComfyUI"], []),
    ],
)  # fmt: skip
def test_what_each_kind_of_node_loads(node_type: str, widgets: Any, expected: list[Place]) -> None:
    assert places(ui(node(1, node_type, widgets))) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a.png [input]", [("input", "a.png")]),
        ("clipspace/mask-1.png [input]", [("input", "clipspace/mask-1.png")]),
        (r"clipspace\mask-1.png [input]", [("input", "clipspace/mask-1.png")]),
        (r"sub\deep\a.png", [("input", "sub/deep/a.png")]),
        ("a.png [temp]", [("temp", "a.png")]),
        ("a [b].png", [("input", "a [b].png")]),
        ("[input]", [("input", "[input]")]),
        ("sub//./a.png", [("input", "sub/a.png")]),
        ("sub/../../output/a.png", [("elsewhere", "a.png")]),
        ("../output/a.png [output]", [("elsewhere", "a.png")]),
        ("/home/bob/a.png", [("elsewhere", "a.png")]),
        ("c:a.png", [("elsewhere", "c:a.png")]),
        ("..", [("elsewhere", "..")]),
        ("ünï 图.png", [("input", "ünï 图.png")]),
        ("", []),
        ("none", []),
        ("https://h.org/a.png", []),
        (3, []),
        (None, []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["ui", "api"])
def test_how_a_value_is_read(value: object, expected: list[Place], form: str) -> None:
    api = json.dumps({"1": {"class_type": "LoadImage", "inputs": {"image": value}}}).encode()
    assert places(api if form == "api" else ui(node(1, "LoadImage", (value, "image")))) == expected


def image_subgraph(value: str = "inner.png") -> Node:
    loader = node(5, "LoadImage", (value, "image"), inputs=[widget_input("image", 2)])
    return definition(SUBGRAPH, loader, inputs=(("image", 2),))


def test_an_instance_of_a_subgraph_tells_what_is_loaded() -> None:
    instances = (node(1, SUBGRAPH, ("one.png",)), node(2, SUBGRAPH, ("two.png",)))
    assert places(ui(*instances, definitions=(image_subgraph(),))) == [
        ("input", "one.png"),
        ("input", "two.png"),
    ]


def test_a_proxy_without_a_value_leaves_the_inner_one() -> None:
    instance = node(1, SUBGRAPH, (), properties={"proxyWidgets": [["5", "image"]]})
    (reference,) = found(ui(instance, definitions=(image_subgraph(),)))
    assert (reference.node_id, reference.name) == (f"{SUBGRAPH}:5", "inner.png")


def test_a_promoted_text_of_another_widget_is_no_input() -> None:
    text = node(5, "CLIPTextEncode", ("a.png",), inputs=[widget_input("text", 2)])
    inner = definition(SUBGRAPH, text, inputs=(("text", 2),))
    assert places(ui(node(1, SUBGRAPH, ("b.png",)), definitions=(inner,))) == []


def test_a_primitive_that_drives_a_loader() -> None:
    primitive = node(1, "PrimitiveNode", ("a.png", "fixed"), outputs=[{"links": [9]}])
    loader = node(2, "LoadImage", ("old.png", "image"), inputs=[widget_input("image", 9)])
    assert places(ui(primitive, loader)) == [("input", "a.png")]


def test_a_place_that_is_named_twice_is_one_reference() -> None:
    assert len(found(ui(node(1, "LoadImageSetNode", (["a.png", "a.png"],))))) == 1


def test_classes_that_are_only_known_from_their_code() -> None:
    widget = LoaderWidget(name="mesh", index=1, folder=INPUT_FOLDER)
    learned = {"MeshLoader": (widget,), "LoadImage": ()}
    data = ui(node(1, "MeshLoader", (1, "a.obj")), node(2, "LoadImage", ("a.png", "image")))
    assert places(data) == [("input", "a.png")]
    assert places(data, known_inputs(learned)) == [("input", "a.obj"), ("input", "a.png")]

"""The prompt of a saved workflow, with its subgraphs laid flat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from comfydock_cli.demo import content
from comfydock_cli.demo.prompt import api_prompt


def takes(**inputs: object) -> dict[str, Any]:
    return {"input": {"required": {name: [kind] for name, kind in inputs.items()}}}


CLASSES = {
    "Load": takes(name=["a", "b"]),
    "Enlarge": takes(model="MODEL", image="IMAGE"),
    "Fill": takes(size="INT", colour="INT"),
    "Colour": takes(word="STRING"),
    "Save": takes(images="IMAGE", prefix="STRING"),
    "Pick": {"input": {"required": {"name": ["COMBO", {"options": ["a"]}]}}},
}


def node(identity: int, kind: str, widgets: list[Any], **links: int) -> dict[str, Any]:
    inputs = [{"name": name, "link": link} for name, link in links.items()]
    return {"id": identity, "type": kind, "inputs": inputs, "widgets_values": widgets}


INNER = {
    "id": "sub",
    "inputs": [{"name": "image", "linkIds": [1]}],
    "outputs": [{"name": "IMAGE", "linkIds": [3]}],
    "nodes": [node(1, "Load", ["a"]), node(2, "Enlarge", [], model=2, image=1)],
    "links": [
        {"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 2, "target_slot": 1},
        {"id": 2, "origin_id": 1, "origin_slot": 0, "target_id": 2, "target_slot": 0},
        {"id": 3, "origin_id": 2, "origin_slot": 0, "target_id": -20, "target_slot": 0},
    ],
}


def test_a_link_takes_the_place_of_its_widget() -> None:
    workflow = {
        "nodes": [node(1, "Colour", ["red"]), node(2, "Fill", [8, 0], colour=1)],
        "links": [[1, 1, 0, 2, 0, "INT"]],
    }
    assert api_prompt(workflow, CLASSES) == {
        "1": {"class_type": "Colour", "inputs": {"word": "red"}},
        "2": {"class_type": "Fill", "inputs": {"size": 8, "colour": ["1", 0]}},
    }


def test_a_choice_is_a_widget_in_both_forms_of_its_description() -> None:
    workflow = {"nodes": [node(1, "Load", ["b"]), node(2, "Pick", ["a"])], "links": []}
    inputs = [entry["inputs"] for entry in api_prompt(workflow, CLASSES).values()]
    assert inputs == [{"name": "b"}, {"name": "a"}]


def test_subgraphs_are_laid_flat_one_behind_the_other() -> None:
    workflow = {
        "nodes": [
            node(1, "Fill", [8, 0]),
            node(2, "sub", [], image=1),
            node(3, "sub", [], image=2),
            node(4, "Save", ["p"], images=3),
        ],
        "links": [[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 3, 0, "IMAGE"], [3, 3, 0, 4, 0, "IMAGE"]],
        "definitions": {"subgraphs": [INNER]},
    }
    prompt = api_prompt(workflow, CLASSES)
    assert set(prompt) == {"1", "2:1", "2:2", "3:1", "3:2", "4"}
    assert prompt["2:2"]["inputs"] == {"model": ["2:1", 0], "image": ["1", 0]}
    assert prompt["3:2"]["inputs"] == {"model": ["3:1", 0], "image": ["2:2", 0]}
    assert prompt["4"]["inputs"] == {"prefix": "p", "images": ["3:2", 0]}


def test_one_of_the_demo_s_models_is_loaded_in_a_subgraph(tmp_path: Path) -> None:
    content.write_workflows(tmp_path)
    poster = json.loads((tmp_path / "poster.json").read_text())
    inner = [node["type"] for node in poster["definitions"]["subgraphs"][0]["nodes"]]
    assert "UpscaleModelLoader" in inner
    assert "UpscaleModelLoader" not in {node["type"] for node in poster["nodes"]}

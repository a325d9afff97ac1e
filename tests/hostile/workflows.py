"""Rule 7: workflows that are no good ones. Their graphs are read leniently and kept as they are."""

from __future__ import annotations

import json
from typing import Any


def _node(kind: str, *values: str) -> str:
    node = '{"id": 1, "type": %s, "widgets_values": [%s], "properties": {}}'
    return f'{{"nodes": [{node % (kind, ", ".join(values))}], "links": [], "version": 0.4}}'


def _json(**parts: Any) -> str:
    return json.dumps({"links": [], **parts})


def _nested(opening: str, times: int, closing: str) -> str:
    return _node('"X"', opening * times + '"x.safetensors"' + closing * times)


_PROPERTIES: dict[str, Any] = {
    "models": [
        {"name": "x.safetensors", "url": "file:///etc/passwd", "directory": "../../x"},
        {"name": "x.safetensors", "url": "https://u:p@evil.example/x", "hash": 5},
        {"name": 5},
        *(5, None, []),
    ],
    "cnr_id": "../x",
    "aux_id": "--upload-pack=id",
    "ver": {"a": 1},
}
_LOADER = {"id": 1, "type": "VAELoader", "widgets_values": ["x.safetensors"]}
_ODD_NODES: list[Any] = [
    *(None, 5, "x", []),
    {"type": 5},
    {"type": None, "inputs": 5, "widgets_values": {"a": {"b": [[["x.pt"]]]}}},
    {"id": [], "type": "VAELoader", "widgets_values": "x.pt", "mode": "off", "properties": 5},
]
_GRAPHS = [
    {"id": f"s{n}", "nodes": [{"id": i, "type": f"s{n + 1}"} for i in range(10)], "inputs": []}
    for n in range(30)
]
_LOOP = [{"id": "a", "nodes": [{"id": 1, "type": "a"}], "inputs": []}]

GRAPHS: dict[str, str] = {
    "keys twice": '{"nodes": [], "nodes": [{"id": 1, "type": "X"}], "links": []}',
    "half a pair as a type": _node(r'"\ud800"', '"a.safetensors"'),
    "half a pair as a model": _node('"VAELoader"', r'"\udfff.safetensors"'),
    "half a pair as a key": r'{"nodes": [], "links": [], "\ud800": 1}',
    "escapes": _node(r'"\u001b]0;x\u0007\u202e"', r'"\u001b[2J.safetensors"'),
    "a NUL": _node('"VAELoader"', r'"a\u0000b.safetensors"'),
    "numbers without an end": _node('"X"', "1e999", "-1e999", "NaN", "9" * 4000, "1e-999"),
    "numbers for ids": '{"nodes": [{"id": 1e308, "type": "X"}, {"id": NaN, "type": "X"}]}',
    "ways out": _node('"CheckpointLoaderSimple"', '"../../../etc/passwd.safetensors"'),
    "an absolute path": _node('"VAELoader"', r'"C:\\..\\x.safetensors"', '"/etc/x.safetensors"'),
    "a path without an end": _node('"VAELoader"', '"' + "x/" * 5000 + 'x.safetensors"'),
    "properties": _json(nodes=[{**_LOADER, "properties": _PROPERTIES}]),
    "a subgraph in itself": _json(nodes=[{"id": 1, "type": "a"}], definitions={"subgraphs": _LOOP}),
    "subgraphs without an end": _json(
        nodes=[{"id": 1, "type": "s0"}], definitions={"subgraphs": _GRAPHS}
    ),
    "other types": '{"nodes": {"a": 5}, "links": 5, "definitions": [1], "groups": "x"}',
    "nodes of other types": _json(nodes=_ODD_NODES),
    "an API with other types": r'{"1": {"class_type": 5, "inputs": 5}, "": {"class_type": "\u0000",'
    r' "inputs": {}}, "2": {"class_type": "X", "inputs": {"a": ["1", 1e999]}}}',
    "links of other types": '{"nodes": [{"id": 1, "type": "X", "inputs": [{"link": 1e999}], '
    '"outputs": [{"links": [[]]}]}], "links": [[], [1], null, [1, 2, 3, 4, 5, 6, 7]]}',
    "50,000 models": _json(
        nodes=[{**_LOADER, "id": n, "widgets_values": [f"{n}.safetensors"]} for n in range(50_000)]
    ),
    "lists 400 deep": _nested("[", 400, "]"),
    "objects 900 deep": _nested('{"a": ', 900, "}"),
    "a list without an end": "[" * 100_000,
    "a long number": '{"nodes": [' + "9" * 5000 + "]}",
    "no JSON": "<html>",
    "nothing": "",
}

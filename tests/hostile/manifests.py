"""Rule 7: manifest.json, its types, amounts and the values that would become something."""

from __future__ import annotations

import json
from typing import Any

from tests.hostile.bundles import MANIFEST, Case, Change, Files, case, tell, told, write

_DEEP = "[" * 100_000
_TYPES: dict[str, tuple[object, str]] = {
    "timestamp": (5, "must be a text"),
    "comfydock_version": (["2"], "must be a text"),
    "environment_name": ({"a": 1}, "must be a text"),
    "workflows": ("upscale.json", "must be a list of texts"),
    "python_version": (3.11, "must be a text"),
    "comfyui_version": (True, "must be a text"),
    "total_models": ("1", "must be a whole number"),
    "total_nodes": (-1, "is out of range"),
    "format_version": (2**64, "is out of range"),
    "exported_commit": (False, "must be a text"),
    "profile": ("evil", "is not allowed"),
    "issues": ("none", "must be a list of tables"),
    "missing_inputs": ([1], "must be a list of texts"),
    "development": ([], "must be a table"),
}
_ISSUE = {"workflow": "", "kind": "node", "subject": "x", "sentence": "x"}
_ORIGINS: dict[str, tuple[str, object, str, str]] = {
    "out of its folder": ("../x", {}, "development.../x", "no name for a node"),
    "an escape": ("x\x1b[2J", {}, r"development.x\x1b[2J", "no name for a node"),
    "no table": ("my-dev", "x", "development.my-dev", "must be a table"),
    "another transport": ("my-dev", {"remote": "ext::sh -c id"}, "my-dev.remote", "address"),
    "a file address": ("my-dev", {"remote": "file:///etc"}, "my-dev.remote", "no http"),
    "a password": ("my-dev", {"remote": "https://u:p@x.example/y"}, "my-dev.remote", "password"),
    "a ref for a commit": ("my-dev", {"commit": "HEAD"}, "my-dev.commit", "not allowed"),
    "a word for a flag": ("my-dev", {"dirty": "yes"}, "my-dev.dirty", "true or false"),
}


def listing(change: dict[str, Any]) -> Change:
    """Have manifest.json list something else for some members; None takes one away."""

    def act(files: Files) -> None:
        document = json.loads(files[MANIFEST])
        merged = document["files"] | change
        document["files"] = {path: entry for path, entry in merged.items() if entry is not None}
        files[MANIFEST] = json.dumps(document).encode()

    return act


def _text(text: str | bytes, rule: str) -> Case:
    return told(write(MANIFEST, text), "`manifest.json`", rule)


def _entry(path: str, entry: object, named: str, rule: str) -> Case:
    return told(listing({path: entry}), named, rule)


_SHA = "0" * 64
MANIFESTS: dict[str, Case] = {
    **{
        f"manifest: type of {key}": case(tell(**{key: value}), f"`{key}`", rule)
        for key, (value, rule) in _TYPES.items()
    },
    **{
        f"manifest: development, {what}": case(tell(development={name: entry}), key, rule)
        for what, (name, entry, key, rule) in _ORIGINS.items()
    },
    "manifest: no environment_name": case(
        tell(environment_name=None), "`environment_name`", "is missing"
    ),
    "manifest: no JSON": _text("hello", "cannot be read"),
    "manifest: not UTF-8": _text(b'{"a": "\xff"}', "cannot be read"),
    "manifest: deep": _text('{"a": ' + _DEEP, "cannot be read"),
    "manifest: a list": _text("[]", "must be a table"),
    "manifest: a long number": _text('{"total_models": ' + "9" * 5000 + "}", "cannot be read"),
    "manifest: NaN": _text('{"total_models": NaN}', "cannot be read"),
    "manifest: a key twice": _text('{"a": 1, "a": 2}', "cannot be read"),
    "manifest: half a pair": case(
        tell(comfyui_version="\ud800"), "`comfyui_version`", "no Unicode character"
    ),
    "manifest: a float": case(tell(total_models=1.5), "`total_models`", "a whole number"),
    "manifest: an issue without words": case(
        tell(issues=[{"workflow": ""}]), "issues[0].kind", "is missing"
    ),
    "manifest: an issue without an end": case(
        tell(issues=[_ISSUE | {"sentence": "x" * 3000}]), "issues[0].sentence", "more than 2,000"
    ),
    "manifest: issues without an end": case(
        tell(issues=[_ISSUE] * 10_001), "`issues`", "10,000 are allowed"
    ),
    "manifest: inputs without an end": case(
        tell(missing_inputs=["x"] * 10_001), "`missing_inputs`", "10,000 are allowed"
    ),
    "manifest: an input's name without an end": case(
        tell(missing_inputs=["x" * 3000]), "`missing_inputs`", "too long"
    ),
    "manifest: lists nothing": told(tell(files={}), "`files`", "lists nothing"),
    "manifest: lists a text": told(tell(files="all"), "`files`", "must be a table"),
    "manifest: lists itself": _entry(
        MANIFEST, {"size": 1, "sha256": _SHA}, "`manifest.json`", "is not there"
    ),
    "manifest: lists what is not there": _entry(
        "dev_nodes/my-dev/more.py", {"size": 1, "sha256": _SHA}, "more.py", "is not there"
    ),
    "manifest: leaves a member out": _entry("uv.lock", None, "`uv.lock`", "is not listed"),
    "manifest: another size": _entry("uv.lock", {"size": 1, "sha256": _SHA}, "`uv.lock`", "says 1"),
    "manifest: a size below nothing": _entry(
        "uv.lock", {"size": -1, "sha256": _SHA}, "files.uv.lock.size", "out of range"
    ),
    "manifest: a short digest": _entry(
        "uv.lock", {"size": 1, "sha256": "00"}, "files.uv.lock.sha256", "not allowed"
    ),
    "manifest: a key with an escape": _entry(
        "x\x1b[2J\n", {"size": "1"}, r"files.x\x1b[2J\n.size", "whole number"
    ),
    **{
        f"an environment named {name[:20]!a}": case(
            tell(environment_name=name), "`environment_name`", "no name", inspected=False
        )
        for name in ("../x", "", "CON", ".hidden", "-rf", "a/b", "x" * 64, "a\x1b[2J", "~", "x.")
    },
}

from __future__ import annotations

import json

import pytest
from comfydock_core.domain.bundle import (
    BundleFile,
    BundleManifest,
    DevelopmentOrigin,
    KnownIssue,
)
from comfydock_core.domain.bundle_parsing import MAX_MANIFEST, manifest_bytes, parse_manifest
from comfydock_core.errors import ManifestError

SHA = "ab" * 32
SPECIFIED: dict[str, object] = {
    "timestamp": "2025-01-15T10:30:00Z",
    "comfydock_version": "0.5.0",
    "environment_name": "my-env",
    "workflows": ["workflow_1.json", "workflow_2.json"],
    "python_version": "3.11",
    "comfyui_version": "v0.2.2",
    "platform": "linux",
    "total_models": 5,
    "total_nodes": 12,
}
ISSUE = {"workflow": "a.json", "kind": "model", "subject": "x", "sentence": "`x` has gone"}
FULL = BundleManifest(
    timestamp="2025-01-15T10:30:00Z",
    comfydock_version="2.0.0",
    environment_name="工房",
    workflows=("b.json", "a.json"),
    python_version="3.11.7",
    comfyui_version="v0.3.75",
    platform="linux",
    total_models=1,
    total_nodes=0,
    exported_commit="c" * 40,
    hash_scheme="blake3-sampled",
    profile="full",
    issues=(
        KnownIssue(workflow="b.json", kind="model", subject="x.gguf", sentence="`x.gguf` has gone"),
        KnownIssue(workflow="", kind="node", subject="n", sentence="`n`: 工"),
    ),
    missing_inputs=("big/clip.mp4", "b.png"),
    development={
        "two": DevelopmentOrigin(),
        "one": DevelopmentOrigin(
            remote="https://example.org/one.git", commit="d" * 40, dirty=True, unpushed=True
        ),
    },
    files={"uv.lock": BundleFile(size=2, sha256=SHA), "a": BundleFile(size=0, sha256=SHA)},
)


def document(**changes: object) -> bytes:
    """Return the specification's manifest with ``changes``; None takes a key away."""
    merged = SPECIFIED | changes
    return json.dumps({key: value for key, value in merged.items() if value is not None}).encode()


def test_the_manifest_of_the_specification_is_read() -> None:
    manifest = parse_manifest(document())
    assert manifest.workflows == ("workflow_1.json", "workflow_2.json")
    assert (manifest.total_models, manifest.total_nodes) == (5, 12)
    assert (manifest.format_version, manifest.exported_commit, manifest.files) == (1, "", {})
    assert (manifest.profile, manifest.issues, manifest.missing_inputs) == ("minimal", (), ())
    assert manifest.development == {}


def test_what_is_written_is_read_as_it_was() -> None:
    assert parse_manifest(manifest_bytes(FULL)) == FULL


def test_the_written_form_is_fixed() -> None:
    lines = manifest_bytes(FULL).decode().splitlines()
    assert lines[:2] == ["{", '  "timestamp": "2025-01-15T10:30:00Z",']
    assert '  "environment_name": "工房",' in lines
    assert lines.index('    "a": {') < lines.index('    "uv.lock": {')
    assert manifest_bytes(FULL).endswith(b"}\n")
    short = json.loads(manifest_bytes(parse_manifest(document())))
    assert short.keys().isdisjoint({"files", "issues", "missing_inputs", "development"})
    whole = json.loads(manifest_bytes(FULL))
    assert list(whole)[-5:] == ["profile", "issues", "missing_inputs", "development", "files"]
    assert list(whole["development"]) == ["one", "two"]


def test_keys_of_later_formats_are_passed_over() -> None:
    files = {"a": {"size": 1, "sha256": SHA, "mtime": 5}}
    later: dict[str, object] = {"issues": [{**ISSUE, "at": 1}], "development": {"n": {"tag": "v1"}}}
    manifest = parse_manifest(document(format_version=7, news={"x": [1]}, files=files, **later))
    assert (manifest.issues, manifest.development) == (
        (KnownIssue(**ISSUE),),
        {"n": DevelopmentOrigin()},
    )
    assert (manifest.format_version, list(manifest.files)) == (7, ["a"])


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"timestamp": None}, "timestamp"),
        ({"timestamp": 5}, "timestamp"),
        ({"environment_name": "\ud800"}, "environment_name"),
        ({"workflows": None}, "workflows"),
        ({"workflows": "a.json"}, "workflows"),
        ({"workflows": ["a.json", 1]}, "workflows"),
        ({"workflows": ["\udfff.json"]}, "workflows"),
        ({"total_models": "5"}, "total_models"),
        ({"total_models": True}, "total_models"),
        ({"total_nodes": -1}, "total_nodes"),
        ({"total_nodes": 1.0}, "total_nodes"),
        ({"total_nodes": 10**30}, "total_nodes"),
        ({"format_version": "1"}, "format_version"),
        ({"exported_commit": []}, "exported_commit"),
        ({"profile": "huge"}, "profile"),
        ({"profile": 1}, "profile"),
        ({"issues": {}}, "issues"),
        ({"issues": ["x"]}, "issues[0]"),
        ({"issues": [ISSUE, {**ISSUE, "sentence": None}]}, "issues[1].sentence"),
        ({"issues": [{**ISSUE, "kind": "\ud800"}]}, "issues[0].kind"),
        ({"issues": [{**ISSUE, "subject": "x" * 2001}]}, "issues[0].subject"),
        ({"issues": [ISSUE] * 10_001}, "issues"),
        ({"missing_inputs": "a.png"}, "missing_inputs"),
        ({"missing_inputs": ["a.png", 1]}, "missing_inputs"),
        ({"missing_inputs": ["\udfff"]}, "missing_inputs"),
        ({"missing_inputs": ["x" * 2001]}, "missing_inputs"),
        ({"missing_inputs": ["x"] * 10_001}, "missing_inputs"),
        ({"development": []}, "development"),
        ({"development": {"one": "x"}}, "development.one"),
        ({"development": {"../x": {}}}, "development.../x"),
        ({"development": {"\x1b": {}}}, r"development.\x1b"),
        ({"development": {"one": {"remote": "file:///x"}}}, "development.one.remote"),
        (
            {"development": {"one": {"remote": "https://me:secret@example.org/a"}}},
            "development.one.remote",
        ),
        ({"development": {"one": {"remote": "/home/me/x"}}}, "development.one.remote"),
        ({"development": {"one": {"commit": "main"}}}, "development.one.commit"),
        ({"development": {"one": {"dirty": "yes"}}}, "development.one.dirty"),
        ({"development": {"one": {"unpushed": 1}}}, "development.one.unpushed"),
        ({"development": {f"n{i}": {} for i in range(1001)}}, "development"),
        ({"files": []}, "files"),
        ({"files": {}}, "files"),
        ({"files": {"uv.lock": 5}}, "files.uv.lock"),
        ({"files": {"uv.lock": {"sha256": SHA}}}, "files.uv.lock.size"),
        ({"files": {"uv.lock": {"size": 1}}}, "files.uv.lock.sha256"),
        ({"files": {"uv.lock": {"size": 1, "sha256": SHA.upper()}}}, "files.uv.lock.sha256"),
        ({"files": {"\x1b": {"size": 1, "sha256": 1}}}, r"files.\x1b.sha256"),
    ],
)
def test_the_key_that_is_wrong_is_named(changes: dict[str, object], key: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(document(**changes))
    assert f"`{key}` in `manifest.json`" in caught.value.sentence
    assert caught.value.subject == key


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "Expecting value"),
        (b"\xff{}", "not UTF-8 text (byte 0)"),
        ("{}".encode("utf-16"), "not UTF-8 text (byte 0)"),
        (b"{'a': 1}", "Expecting property name"),
        (document() + b"x", "Extra data"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b'{"a": ' + b"1" * 5000 + b"}", "digits"),
        (b'{"a": NaN}', "`NaN` is no JSON number"),
        (b'{"a": [-Infinity]}', "`-Infinity` is no JSON number"),
        (b'{"a": 1, "b": 2, "a": 3}', "the key `a` stands there twice"),
        (b'{"\\u001b": 1, "\\u001b": 2}', r"the key `\x1b` stands there twice"),
        (b" " * (MAX_MANIFEST + 1), "8,388,609 bytes; 8,388,608 are allowed"),
    ],
)
def test_what_is_no_json_says_why(data: bytes, cause: str) -> None:
    with pytest.raises(ManifestError, match=r"`manifest\.json` cannot be read") as caught:
        parse_manifest(data)
    assert cause in caught.value.sentence


@pytest.mark.parametrize("data", [b"[]", b"5", b'"text"', b"null"])
def test_another_value_than_an_object_is_refused(data: bytes) -> None:
    with pytest.raises(ManifestError, match="must be a table"):
        parse_manifest(data)


def test_a_name_that_is_no_unicode_is_refused_when_it_is_read_back() -> None:
    with pytest.raises(ManifestError, match="environment_name"):
        parse_manifest(manifest_bytes(parse_manifest(document())).replace(b"my-env", rb"\udc80"))

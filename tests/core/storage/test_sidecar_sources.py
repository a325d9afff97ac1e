from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from comfydock_core.storage.sidecar_sources import MOST_BYTES, sources_beside

from tests.core.storage.model_files import write_model

OWN, OTHER = "a" * 64, "b" * 64
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CIVITAI = "https://civitai.com/api/download/models/"


def civitai_file(url: str, digest: str = OWN.upper()) -> dict[str, Any]:
    return {"downloadUrl": url, "hashes": {"SHA256": digest}}


VERSION = {
    "id": 7,
    "files": [civitai_file(f"{CIVITAI}7?type=Config", OTHER), civitai_file(f"{CIVITAI}7")],
}


@pytest.mark.parametrize(
    ("name", "document", "known", "expected"),
    [
        ("x.civitai.info", VERSION, OWN, [(f"{CIVITAI}7", OWN, False)]),
        ("x.civitai.info", VERSION, OWN.upper(), [(f"{CIVITAI}7", OWN, False)]),
        (
            "x.civitai.info",
            VERSION,
            "",
            [(f"{CIVITAI}7?type=Config", OTHER, True), (f"{CIVITAI}7", OWN, True)],
        ),
        ("x.civitai.info", VERSION, "c" * 64, []),
        ("x.safetensors.civitai.info", VERSION, OWN, []),
        (
            "x.civitai.info",
            {"files": [civitai_file(f"{CIVITAI}8", "")]},
            OWN,
            [(f"{CIVITAI}8", "", True)],
        ),
        ("x.civitai.info", {"files": [civitai_file(f"{CIVITAI}8", "")] * 2}, OWN, []),
        ("x.civitai.info", {"downloadUrl": f"{CIVITAI}9"}, OWN, [(f"{CIVITAI}9", "", True)]),
        ("x.metadata.json", {"civitai": VERSION}, OWN, [(f"{CIVITAI}7", OWN, False)]),
        (
            "x.metadata.json",
            {"hf_url": "https://huggingface.co/acme/m", "sha256": OWN},
            OWN,
            [("https://huggingface.co/acme/m/resolve/main/x.safetensors", "", True)],
        ),
        ("x.metadata.json", {"hf_url": "https://huggingface.co/acme/m/tree/main/../x"}, OWN, []),
        ("x.metadata.json", {"hf_url": "https://example.org/acme"}, OWN, []),
        (
            "x.cm-info.json",
            {"VersionId": 3, "RemoteFileId": 4, "Hashes": {"SHA256": OWN.upper()}, "Source": 0},
            OWN,
            [(f"{CIVITAI}3?fileId=4", OWN, False)],
        ),
        (
            "x.cm-info.json",
            {"VersionId": 3, "Hashes": {"SHA256": OTHER}, "Source": "Civitai"},
            OWN,
            [],
        ),
        ("x.cm-info.json", {"VersionId": 3}, OWN, [(f"{CIVITAI}3", "", True)]),
        ("x.cm-info.json", {"VersionId": 3, "Source": "OpenModelDb"}, OWN, []),
        ("x.cm-info.json", {"VersionId": "3/../4"}, OWN, []),
    ],
)
def test_what_a_sidecar_says(
    tmp_path: Path, name: str, document: object, known: str, expected: list[tuple[str, str, bool]]
) -> None:
    model = write_model(tmp_path / "x.safetensors")
    sidecar = write_model(tmp_path / name, json.dumps(document).encode())
    found = sources_beside(model, known)
    assert [(each.url, each.sha256, each.is_claimed) for each in found] == expected
    assert {each.found_in for each in found} <= {str(sidecar)}


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/x",
        "file:///etc/passwd",
        "https://user:secret@example.org/x",
        f"{CIVITAI}7?token=0123456789abcdef",
        "https://example.org/x y",
        "https://example.org/\x1b[2J",
        "https://",
        "",
        7,
        None,
        ["https://example.org/x"],
    ],
)
def test_addresses_that_are_not_kept(tmp_path: Path, url: Any) -> None:
    model = write_model(tmp_path / "x.safetensors")
    document = {"files": [civitai_file(url), civitai_file(f"{CIVITAI}7")]}
    write_model(tmp_path / "x.civitai.info", json.dumps(document).encode())
    assert [each.url for each in sources_beside(model, OWN)] == [f"{CIVITAI}7"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"7",
        b"null",
        b'{"files": 7, "downloadUrl": {}}',
        b'{"files": [7, null, {"hashes": 7}, {"hashes": {"SHA256": [1]}}]}',
        b'{"civitai": [], "hf_url": 7, "VersionId": true, "Hashes": ""}',
        b"[" * 100_000,
        b"9" * 10_000,
        json.dumps(VERSION).encode() + b" " * MOST_BYTES,
    ],
)
def test_what_cannot_be_read_says_nothing(tmp_path: Path, data: bytes) -> None:
    model = write_model(tmp_path / "x.safetensors")
    for name in ("x.civitai.info", "x.metadata.json", "x.cm-info.json", ".comfy-downloads/1.json"):
        write_model(tmp_path / name, data)
    assert sources_beside(model, OWN) == ()


def test_a_sidecar_that_is_no_file_says_nothing(tmp_path: Path) -> None:
    model = write_model(tmp_path / "x.safetensors")
    (tmp_path / "x.civitai.info").mkdir()
    (tmp_path / "x.metadata.json").symlink_to("x.metadata.json")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "x.cm-info.json")
    assert sources_beside(model) == ()


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, True),
        ({"dest": "models/../models/loras/x.safetensors"}, True),
        ({"status": "failed"}, False),
        ({"dest": "models/loras/y.safetensors"}, False),
        ({"dest": ""}, False),
        ({"dest": "\0"}, False),
        ({"dest": "\ud800"}, False),
        ({"dest": None}, False),
        ({"url": "https://example.org/x?X-Amz-Signature=0123456789abcdef"}, False),
    ],
)
def test_a_download_of_comfy_cli(tmp_path: Path, changes: dict[str, Any], kept: bool) -> None:
    model = write_model(tmp_path / "models" / "loras" / "x.safetensors")
    write_model(tmp_path / "models" / "loras" / "y.safetensors")
    record = {"dest": "models/loras/x.safetensors", "url": "https://example.org/x"}
    record = {**record, "status": "completed", **changes}
    if record["dest"]:
        record["dest"] = f"{tmp_path}/{record['dest']}"
    write_model(tmp_path / ".comfy-downloads" / "1.json", json.dumps(record).encode())
    urls = [(each.url, each.is_claimed) for each in sources_beside(model, OWN)]
    assert urls == ([("https://example.org/x", True)] if kept else [])


def test_a_repository_and_a_record_give_a_pinned_address(tmp_path: Path) -> None:
    model = write_model(tmp_path / "split" / "x.safetensors")
    record = tmp_path / ".cache/huggingface/download/split/x.safetensors.metadata"
    write_model(record, f"{COMMIT}\n{OWN}\n0\n".encode())
    document = {"hf_url": "https://huggingface.co/acme/m/"}
    write_model(tmp_path / "split/x.metadata.json", json.dumps(document).encode())
    (found,) = sources_beside(model, OWN)
    assert found.url == f"https://huggingface.co/acme/m/resolve/{COMMIT}/split/x.safetensors"
    assert not found.is_claimed
    assert sources_beside(model, OTHER) == ()


def test_a_link_to_a_cached_file_has_the_caches_address(tmp_path: Path) -> None:
    repository = tmp_path / "models--acme--m"
    blob = write_model(repository / "blobs" / OWN)
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "m.safetensors").symlink_to(blob)
    (tmp_path / "x.safetensors").symlink_to(blob)
    (found,) = sources_beside(tmp_path / "x.safetensors", OWN)
    assert found.url == f"https://huggingface.co/acme/m/resolve/{COMMIT}/m.safetensors"
    assert not found.is_claimed


def test_what_is_proven_comes_first_and_the_list_ends(tmp_path: Path) -> None:
    model = write_model(tmp_path / "x.safetensors")
    folder = tmp_path / ".comfy-downloads"
    for number in range(30):
        record = {"dest": str(model), "url": f"https://example.org/{number}", "status": "completed"}
        write_model(folder / f"{number}.json", json.dumps(record).encode())
    shared = {"files": [civitai_file("https://example.org/7")]}
    write_model(tmp_path / "x.civitai.info", json.dumps(shared).encode())
    found = sources_beside(model, OWN)
    assert found[0].url == "https://example.org/7"
    assert [each.is_claimed for each in found] == [False] + [True] * 19

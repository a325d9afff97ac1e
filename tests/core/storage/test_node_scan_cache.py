from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from comfydock_core.storage.node_scan_cache import NodeScanCache

SOURCE = """
class A:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"m": (["None"] + folder_paths.get_filename_list("loras"),)}}
NODE_CLASS_MAPPINGS = {"A": A}
"""


def pack(folder: Path, source: str = SOURCE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nodes.py").write_text(source, encoding="utf-8")
    (folder / "broken.py").write_text("NODE_CLASS_MAPPINGS = {", encoding="utf-8")
    return folder


def test_what_is_kept_is_what_was_read(tmp_path: Path) -> None:
    scans = NodeScanCache(tmp_path / "cache")
    first = scans.pack(pack(tmp_path / "pack"))
    assert [widget.name for widget in first.classes["A"]] == ["m"]
    assert len(first.skipped) == 1
    assert scans.pack(tmp_path / "pack") == first


def test_the_files_are_not_read_again(tmp_path: Path) -> None:
    scans = NodeScanCache(tmp_path / "cache")
    folder = pack(tmp_path / "pack")
    before = (folder / "nodes.py").stat()
    scans.pack(folder)
    (folder / "nodes.py").write_text(SOURCE.replace('"A"', '"B"'), encoding="utf-8")
    os.utime(folder / "nodes.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert set(scans.pack(folder).classes) == {"A"}


@pytest.mark.parametrize("source", [SOURCE.replace('"A"', '"B2"'), ""])
def test_a_change_is_seen(source: str, tmp_path: Path) -> None:
    scans = NodeScanCache(tmp_path / "cache")
    scans.pack(pack(tmp_path / "pack"))
    assert set(scans.pack(pack(tmp_path / "pack", source)).classes) == ({"B2"} if source else set())


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"stamp": 1, "classes": 3}', "[" * 9_999])
def test_a_damaged_cache_costs_time_only(damage: str, tmp_path: Path) -> None:
    scans = NodeScanCache(tmp_path / "cache")
    first = scans.pack(pack(tmp_path / "pack"))
    kept = {path: path.read_bytes() for path in (tmp_path / "cache").iterdir()}
    for path, whole in kept.items():
        path.write_text(damage, encoding="utf-8")
        assert scans.pack(tmp_path / "pack") == first
        assert path.read_bytes() == whole


def test_the_same_files_in_another_folder_are_not_read_again(tmp_path: Path) -> None:
    scans = NodeScanCache(tmp_path / "cache")
    first = scans.pack(pack(tmp_path / "one"))
    (shared,) = (p for p in (tmp_path / "cache").iterdir() if b"classes" in p.read_bytes())
    document = json.loads(shared.read_bytes())
    shared.write_text(json.dumps(document | {"classes": {"Kept": []}}), encoding="utf-8")
    second = scans.pack(pack(tmp_path / "two"))
    assert set(second.classes) == {"Kept"}
    assert [each.path for each in second.skipped] == [tmp_path / "two" / "broken.py"]
    assert [each.reason for each in second.skipped] == [each.reason for each in first.skipped]
    assert set(scans.pack(pack(tmp_path / "other", SOURCE + "#")).classes) == {"A"}


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way", encoding="utf-8")
    assert set(NodeScanCache(tmp_path / "cache").pack(pack(tmp_path / "pack")).classes) == {"A"}


def test_the_core_has_its_own_places(tmp_path: Path) -> None:
    scans = NodeScanCache(tmp_path / "cache")
    comfyui = pack(tmp_path / "ComfyUI")
    pack(comfyui / "custom_nodes" / "other", SOURCE.replace('"A"', '"X"'))
    assert set(scans.core(comfyui).classes) == {"A"}
    assert scans.pack(tmp_path / "absent").classes == {}

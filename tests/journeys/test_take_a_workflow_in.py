"""A workflow comes in any form: as JSON, or inside a picture that ComfyUI saved."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import pytest

from tests.journeys.machines import UPSCALE, Machine, machine
from tests.journeys.town import Town


@pytest.fixture
def one(town: Town, tmp_path: Path) -> Machine:
    made = machine(tmp_path, town)
    made.ok("create", "work")
    return made


def picture(**texts: str) -> bytes:
    """Return a PNG of one pixel with text chunks, as ComfyUI writes them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    written = [chunk(b"tEXt", f"{key}\0{text}".encode("latin-1")) for key, text in texts.items()]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0\0\0"))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(written) + pixels + chunk(b"IEND", b"")


def test_a_picture_brings_its_workflow(one: Machine, tmp_path: Path) -> None:
    saved = tmp_path / "upscaled_00001_.png"
    saved.write_bytes(picture(prompt="{}", workflow=json.dumps(UPSCALE)))
    one.ok("workflow", "add", str(saved), "--name", "from a picture")
    (listed,) = one.ok("workflow", "list", "--json").envelope["data"]["workflows"]
    assert listed["name"] == "from a picture"
    assert [model["filename"] for model in listed["models"]] == ["tiny-2x.safetensors"]


@pytest.mark.parametrize(
    ("content", "exit_code", "named"),
    [
        (picture(), 1, "holds no workflow"),
        (b"not a workflow", 1, "upscale.bin"),
        (b'{"a": 1}', 1, "is not a ComfyUI workflow"),
        (b"\x89PNG\r\n\x1a\n\xff\xff\xff\xff", 1, "holds no workflow"),
    ],
    ids=["no workflow", "text", "other JSON", "broken picture"],
)
def test_what_holds_no_workflow_is_refused(
    content: bytes, exit_code: int, named: str, one: Machine, tmp_path: Path
) -> None:
    file = tmp_path / "upscale.bin"
    file.write_bytes(content)
    ran = one.run("workflow", "add", str(file), "--json")
    assert ran.exit_code == exit_code
    assert named in ran.envelope["errors"][0]["message"]
    assert one.ok("workflow", "list", "--json").envelope["data"]["workflows"] == []


def test_a_workflow_of_that_name_stays(one: Machine, tmp_path: Path) -> None:
    file = tmp_path / "upscale.json"
    file.write_text(json.dumps(UPSCALE))
    one.ok("workflow", "add", str(file))
    ran = one.run("workflow", "add", str(file), "--json")
    assert ran.exit_code == 1
    assert "--name" in ran.envelope["errors"][0]["hint"]

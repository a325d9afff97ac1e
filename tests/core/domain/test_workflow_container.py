from __future__ import annotations

import json
import zlib

import pytest
from comfydock_core.domain.workflow_container import LARGEST_TEXT, embedded_workflow
from comfydock_core.errors import WorkflowError

from tests.core.domain.containers import (
    mov_with_comment,
    mp4_with_comment,
    mp4_with_keys,
    png,
    webm,
    webp,
)

UI = b'{"nodes": [], "name": "\\u00fc"}'
API = b'{"1": {"class_type": "A", "inputs": {}}}'
FOLDED = json.dumps({"prompt": API.decode(), "workflow": json.loads(UI)}).encode()
API_ONLY = json.dumps({"prompt": API.decode()}).encode()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (UI, UI),
        (b"\xef\xbb\xbf" + API, b"\xef\xbb\xbf" + API),
        (b"", b""),
        (png((b"tEXt", b"prompt\0" + API), (b"tEXt", b"workflow\0" + UI)), UI),
        (png((b"tEXt", b"Workflow\0" + UI)), UI),
        (png((b"tEXt", b"prompt\0" + API), (b"tEXt", b"workflow\0")), API),
        (png((b"zTXt", b"workflow\0\0" + zlib.compress(UI))), UI),
        (png((b"iTXt", b"workflow\0\0\0\0\0" + "{\"ü\": 1}".encode())), "{\"ü\": 1}".encode()),
        (png((b"iTXt", b"workflow\0\1\0en\0x\0" + zlib.compress(UI))), UI),
        (png((b"tEXt", b"workflow\0" + '{"ü": 1}'.encode("latin-1"))), '{"ü": 1}'.encode()),
        (png((b"tEXt", b"workflow\0" + UI), (b"tEXt", b"workflow\0other")), UI),
        (webp(b"workflow:" + UI, b"prompt:" + API), UI),
        (webp(b"other", b"prompt:" + API, order=">"), API),
        (webp(b"Workflow: ".rstrip() + UI, prefix=b"Exif\0\0"), UI),
        (mp4_with_keys(encoder=b"x", prompt=API, workflow=UI), UI),
        (mp4_with_keys(prompt=API), API),
        (mp4_with_comment(FOLDED), json.dumps(json.loads(UI)).encode()),
        (mp4_with_comment(API_ONLY), API),
        (mov_with_comment(API_ONLY), API),
        (webm(PROMPT=API, WORKFLOW=UI), UI),
        (webm(COMMENT=API_ONLY), API),
    ],
)  # fmt: skip
def test_where_a_workflow_is_found(data: bytes, expected: bytes) -> None:
    assert embedded_workflow(data, "x") == expected


WITHOUT = [
    png(),
    png((b"tEXt", b"Software\0x")),
    png((b"zTXt", b"workflow\0\0not packed")),
    webp(b"nothing"),
    mp4_with_keys(encoder=b"x"),
    mp4_with_comment(b"a holiday"),
    mp4_with_comment(b"[" * 20_000),
    webm(TITLE=b"x"),
]


@pytest.mark.parametrize("data", WITHOUT)
def test_a_picture_without_one(data: bytes) -> None:
    with pytest.raises(WorkflowError, match="`x` holds no workflow"):
        embedded_workflow(data, "x")


def test_a_text_that_unpacks_to_too_much() -> None:
    packer = zlib.compressobj()
    packed = b"".join(packer.compress(b" " * 2**20) for _ in range(LARGEST_TEXT // 2**20 + 1))
    bomb = b"workflow\0\0" + packed + packer.flush()
    with pytest.raises(WorkflowError):
        embedded_workflow(png((b"zTXt", bomb)), "x")


WHOLE = [
    png((b"iTXt", b"workflow\0\1\0en\0x\0" + zlib.compress(UI))),
    webp(b"workflow:" + UI, b"prompt:" + API),
    mp4_with_keys(prompt=API, workflow=UI),
    mov_with_comment(API_ONLY),
    webm(PROMPT=API, WORKFLOW=UI),
]


@pytest.mark.parametrize("whole", WHOLE)
def test_broken_files_never_crash(whole: bytes) -> None:
    refused = 0
    broken = [whole[:end] for end in range(8, len(whole))]
    for position in range(4, len(whole)):
        broken += [whole[:position] + bytes([byte]) + whole[position + 1 :] for byte in (0, 255)]
    for data in broken:
        try:
            embedded_workflow(data, "x")
        except WorkflowError:
            refused += 1
    assert refused > 0

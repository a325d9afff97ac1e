"""Pictures and videos with nothing in them but texts, byte by byte."""

from __future__ import annotations

import zlib
from typing import Literal


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return a PNG of the given (kind, content)."""
    parts = [_chunk(kind, content) for kind, content in ((b"IHDR", b"\0" * 13), *chunks)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return len(content).to_bytes(4, "big") + checked + zlib.crc32(checked).to_bytes(4, "big")


def webp(*texts: bytes, order: str = "<", prefix: bytes = b"") -> bytes:
    """Return a WebP whose EXIF has the texts as ASCII entries, as ComfyUI writes them."""
    exif = prefix + tiff(*texts, order=order)
    chunks = _riff(b"VP8L", b"\x2f\0\0\0\0") + _riff(b"EXIF", exif)
    return b"RIFF" + (len(chunks) + 4).to_bytes(4, "little") + b"WEBP" + chunks


def _riff(kind: bytes, content: bytes) -> bytes:
    return kind + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2)


def tiff(*texts: bytes, order: str = "<") -> bytes:
    """Return a TIFF directory of ASCII entries, little (``<``) or big endian."""
    name: Literal["little", "big"] = "little" if order == "<" else "big"
    entries, values = b"", b""
    start = 8 + 2 + 12 * len(texts) + 4
    for tag, text in enumerate(texts, start=0x010E):
        ended = text + b"\0"
        entries += tag.to_bytes(2, name) + (2).to_bytes(2, name) + len(ended).to_bytes(4, name)
        entries += (start + len(values)).to_bytes(4, name)
        values += ended
    head = (b"II*\0" if order == "<" else b"MM\0*") + (8).to_bytes(4, name)
    return head + len(texts).to_bytes(2, name) + entries + bytes(4) + values


def box(kind: bytes, *contents: bytes) -> bytes:
    """Return a box of an MP4 file."""
    content = b"".join(contents)
    return (len(content) + 8).to_bytes(4, "big") + kind + content


def mp4_with_keys(**texts: bytes) -> bytes:
    """Return an MP4 as ``-movflags use_metadata_tags`` makes it."""
    names = b"".join(box(b"mdta", name.encode()) for name in texts)
    keys = box(b"keys", bytes(4), len(texts).to_bytes(4, "big"), names)
    items = [
        box(number.to_bytes(4, "big"), box(b"data", bytes(8), text))
        for number, text in enumerate(texts.values(), start=1)
    ]
    meta = box(b"meta", bytes(4), box(b"hdlr", bytes(25)), keys, box(b"ilst", *items))
    return box(b"ftyp", b"isom") + box(b"mdat", b"frames") + box(b"moov", box(b"udta", meta))


def mp4_with_comment(text: bytes) -> bytes:
    """Return an MP4 with an iTunes comment, which is what ffmpeg makes of ``comment``."""
    items = box(b"ilst", box(b"\xa9cmt", box(b"data", bytes(8), text)))
    meta = box(b"meta", bytes(4), box(b"hdlr", bytes(25)), items)
    return box(b"ftyp", b"isom") + box(b"moov", box(b"udta", meta))


def mov_with_comment(text: bytes) -> bytes:
    """Return a MOV with a QuickTime comment."""
    comment = box(b"\xa9cmt", len(text).to_bytes(2, "big"), b"\x55\xc4", text)
    return box(b"ftyp", b"qt  ") + box(b"moov", box(b"udta", comment))


def element(kind: int, *contents: bytes) -> bytes:
    """Return an element of a WebM file."""
    content = b"".join(contents)
    size = (len(content) | 1 << 28).to_bytes(4, "big")
    return kind.to_bytes((kind.bit_length() + 7) // 8, "big") + size + content


def webm(**texts: bytes) -> bytes:
    """Return a WebM with tags."""
    tags = [
        element(0x67C8, element(0x45A3, name.encode()), element(0x4487, text))
        for name, text in texts.items()
    ]
    segment = element(0x18538067, element(0x1254C367, element(0x7373, *tags)))
    return element(0x1A45DFA3, b"") + segment

"""A digest as a picture: a quilt of 8 x 8 tiles, mirrored both ways, in four colours.

No function whose last bit differs between machines, and stored (uncompressed) data: every machine
writes the same bytes.
"""

from __future__ import annotations

import colorsys
import hashlib
import struct
import zlib

SIDE = 64
TILE = 8
SHADES = 16
MOTIFS = (
    lambda x, y: True,
    lambda x, y: x + y < TILE,
    lambda x, y: (2 * x - 7) ** 2 + (2 * y - 7) ** 2 < 40,
    lambda x, y: abs(2 * x - 7) + abs(2 * y - 7) < 8,
)


def png_of(digest: bytes, texts: dict[str, str]) -> bytes:
    """A 64 x 64 PNG; ``texts`` become tEXt chunks, as ComfyUI embeds a workflow."""
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 3, 0, 0, 0)
    rows = b"".join(b"\0" + row for row in _rows(digest))
    described = [
        _chunk(b"tEXt", key.encode("latin-1") + b"\0" + text.encode("latin-1"))
        for key, text in texts.items()
    ]
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", _palette(digest)),
            *described,
            _chunk(b"IDAT", zlib.compress(rows, 0)),
            _chunk(b"IEND", b""),
        ]
    )


def _rows(digest: bytes) -> list[bytes]:
    tiles = hashlib.sha256(b"tiles" + digest).digest()
    return [bytes(_pixel(tiles, x, y) for x in range(SIDE)) for y in range(SIDE)]


def _pixel(tiles: bytes, x: int, y: int) -> int:
    """The palette's index: which of four colours, in which of 16 shades."""
    x, y = min(x, SIDE - 1 - x), min(y, SIDE - 1 - y)
    tile = tiles[y // TILE * 4 + x // TILE]
    inside = MOTIFS[tile & 3](x % TILE, y % TILE)
    colour = (tile >> 2 if inside else tile >> 4) & 3
    return colour * SHADES + (x + y) * SHADES // SIDE


def _palette(digest: bytes) -> bytes:
    """Four hues that lie well apart, each from dark to light."""
    entries = bytearray()
    for colour in range(4):
        hue = (digest[0] / 256 + colour * (0.11 + digest[1] / 1024)) % 1
        saturation = 0.45 + digest[2 + colour] / 640
        for shade in range(SHADES):
            parts = colorsys.hsv_to_rgb(hue, saturation, 0.45 + shade * 0.034)
            entries += bytes(int(part * 255) for part in parts)
    return bytes(entries)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

"""The workflow that ComfyUI embeds in the pictures and videos that it saves.

PNG: text chunks (PNG 1.2, 11.3.4) named ``workflow`` and ``prompt``. WebP: EXIF texts
``workflow:…`` and ``prompt:…`` in any tag of the first directory. Videos: see video_metadata.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping

from comfydock_core.domain.video_metadata import mp4_texts, webm_texts
from comfydock_core.errors import WorkflowError

LARGEST_TEXT = 64 * 1024 * 1024
"""No more than this is unpacked from one text, in bytes."""

_WANTED = ("workflow", "prompt")
_COMMENT = "comment"
_PNG = b"\x89PNG\r\n\x1a\n"
_EBML = b"\x1a\x45\xdf\xa3"
_MOST_CHUNKS = 100_000
_MOST_TAGS = 1_000
_ASCII = 2


def embedded_workflow(data: bytes, name: str) -> bytes:
    """Return the JSON of a workflow from a JSON, PNG, WebP, MP4, MOV or WebM file, by content.

    The UI form is preferred to the API form; what is in neither kind of file comes back as it is.
    Raises WorkflowError, naming ``name``, for a picture or video without a workflow.
    """
    carried = _texts(data)
    if carried is None:
        return data
    texts = _first_of_each(carried)
    found = next(filter(None, _unfolded(texts)), "")
    if found:
        return found.encode("utf-8", "surrogatepass")
    raise WorkflowError(
        f"`{name}` holds no workflow",
        hint="take the file that ComfyUI saved itself: other programs and sites strip metadata",
        subject=name,
    )


def embedded_texts(data: bytes) -> Iterator[str]:
    """Yield the texts that a picture or video carries; of a PNG those of other programs too."""
    for _, text in _texts(data, every=True) or ():
        if len(text) <= LARGEST_TEXT:
            yield text


def _texts(data: bytes, *, every: bool = False) -> Iterator[tuple[str, str]] | None:
    """Return the texts of a container with their names, None for what is none."""
    if data.startswith(_PNG):
        return _png_texts(data, every)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp_texts(data)
    if data[4:8] == b"ftyp":
        return mp4_texts(data)
    if data.startswith(_EBML):
        return webm_texts(data)
    return None


def _first_of_each(texts: Iterator[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, text in texts:
        if len(text) <= LARGEST_TEXT:
            found.setdefault(name.lower(), text)
    return found


def _unfolded(texts: Mapping[str, str]) -> Iterator[str]:
    """Yield ``workflow``, then ``prompt``, also where they stand within a comment that is JSON."""
    comment = _object(texts.get(_COMMENT, ""))
    for key in _WANTED:
        inner = comment.get(key)
        yield texts.get(key, "")
        yield inner if isinstance(inner, str) else json.dumps(inner) if inner else ""


def _object(text: str) -> Mapping[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _png_texts(data: bytes, every: bool) -> Iterator[tuple[str, str]]:
    position = len(_PNG)
    for _ in range(_MOST_CHUNKS):
        length = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        body = position + 8
        if len(kind) < 4 or kind == b"IEND":
            return
        if kind in (b"tEXt", b"zTXt", b"iTXt"):
            yield from _png_text(kind, data[body : body + length], every)
        position = body + length + 4


def _png_text(kind: bytes, chunk: bytes, every: bool) -> Iterator[tuple[str, str]]:
    keyword, _, rest = chunk.partition(b"\0")
    name = keyword.decode("latin-1")
    if not every and name.lower() not in (*_WANTED, _COMMENT):
        return
    packed = kind == b"zTXt"
    if packed:
        rest = rest[1:]
    elif kind == b"iTXt":
        packed = rest[:1] == b"\1"
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    yield name, _decoded(_unpacked(rest) if packed else rest)


def _unpacked(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, LARGEST_TEXT + 1)
    except zlib.error:
        return b""


def _decoded(text: bytes) -> str:
    """Read UTF-8, which programs write where Latin-1 is asked for, else Latin-1."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _webp_texts(data: bytes) -> Iterator[tuple[str, str]]:
    position = 12
    for _ in range(_MOST_CHUNKS):
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        kind = data[position : position + 4]
        body = position + 8
        if len(kind) < 4:
            return
        if kind == b"EXIF":
            yield from _exif_texts(data[body : body + length].removeprefix(b"Exif\0\0"))
        position = body + length + length % 2


def _exif_texts(tiff: bytes) -> Iterator[tuple[str, str]]:
    """Yield ``name:text`` of the ASCII entries of the first directory (TIFF 6.0, section 2)."""
    order = {b"II": "little", b"MM": "big"}.get(tiff[:2])
    if order is None:
        return

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], "little" if order == "little" else "big")

    directory = number(4, 4)
    for entry in range(min(number(directory, 2), _MOST_TAGS)):
        at = directory + 2 + 12 * entry
        length = number(at + 4, 4)
        start = number(at + 8, 4) if length > 4 else at + 8
        if number(at + 2, 2) == _ASCII:
            text = _decoded(tiff[start : start + length].partition(b"\0")[0])
            name, colon, value = text.partition(":")
            if colon and name.lower() in _WANTED:
                yield name, value

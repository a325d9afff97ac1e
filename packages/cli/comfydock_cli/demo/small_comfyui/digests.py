"""Digests stand where tensors are in the real ComfyUI: same inputs, same digest."""

from __future__ import annotations

import hashlib

import folder_paths


def digest_of(*values: object) -> bytes:
    """32 bytes that depend on the values and their types, not on this process or machine."""
    return hashlib.sha256(b"".join(_framed(value) for value in values)).digest()


def model_digest(folder_name: str, filename: str) -> bytes:
    """A digest of a model file's content; its name plays no part."""
    return file_digest(folder_paths.get_full_path_or_raise(folder_name, filename))


def file_digest(path: str) -> bytes:
    running = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            running.update(block)
    return running.digest()


def _framed(value: object) -> bytes:
    content = _content(value)
    return f"{type(value).__name__}:{len(content)}:".encode() + content


def _content(value: object) -> bytes:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value).encode()
    if isinstance(value, (list, tuple)):
        return b"".join(_framed(item) for item in value)
    if isinstance(value, dict):
        return b"".join(_framed(key) + _framed(value[key]) for key in sorted(value))
    raise TypeError(f"The small ComfyUI cannot take a digest of a {type(value).__name__}.")

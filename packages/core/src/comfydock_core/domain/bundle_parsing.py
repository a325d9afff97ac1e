"""manifest.json: bytes to values and back, the same bytes for the same values."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

from comfydock_core.domain.bundle import FORMAT_VERSION, MANIFEST, BundleFile, BundleManifest
from comfydock_core.domain.fields import Fields
from comfydock_core.domain.names import SHA256
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.errors import ManifestError

MAX_MANIFEST = 8 << 20
_SHOWN_CAUSE = 200


def parse_manifest(data: bytes) -> BundleManifest:
    """Read manifest.json; a ManifestError names the key that is wrong.

    Keys that are not known are passed over. The document is UTF-8, at most ``MAX_MANIFEST``
    bytes; a key that stands twice, ``NaN`` and nesting beyond Python's own limit are refused.
    """
    fields = Fields(_document(data), "", MANIFEST)
    return BundleManifest(
        timestamp=_text(fields, "timestamp"),
        comfydock_version=_text(fields, "comfydock_version"),
        environment_name=_text(fields, "environment_name"),
        workflows=_texts(fields, "workflows"),
        python_version=_text(fields, "python_version"),
        comfyui_version=_text(fields, "comfyui_version"),
        platform=_text(fields, "platform"),
        total_models=fields.integer("total_models"),
        total_nodes=fields.integer("total_nodes"),
        format_version=fields.integer("format_version", FORMAT_VERSION),
        exported_commit=_text(fields, "exported_commit", ""),
        hash_scheme=_text(fields, "hash_scheme", ""),
        files=_files(fields),
    )


def manifest_bytes(manifest: BundleManifest) -> bytes:
    """Return manifest.json: the keys of the specification first, ``files`` last and sorted."""
    document: dict[str, object] = {
        "timestamp": manifest.timestamp,
        "comfydock_version": manifest.comfydock_version,
        "environment_name": manifest.environment_name,
        "workflows": list(manifest.workflows),
        "python_version": manifest.python_version,
        "comfyui_version": manifest.comfyui_version,
        "platform": manifest.platform,
        "total_models": manifest.total_models,
        "total_nodes": manifest.total_nodes,
        "format_version": manifest.format_version,
        "exported_commit": manifest.exported_commit,
        "hash_scheme": manifest.hash_scheme,
    }
    if manifest.files:
        document["files"] = {
            path: {"size": file.size, "sha256": file.sha256}
            for path, file in sorted(manifest.files.items())
        }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    # What is not Unicode becomes its JSON escape; ``parse_manifest`` refuses it by its key.
    return text.encode("utf-8", "backslashreplace")


def _document(data: bytes) -> object:
    if len(data) > MAX_MANIFEST:
        raise _unreadable(f"it has {len(data):,} bytes; {MAX_MANIFEST:,} are allowed")
    try:
        return json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise _unreadable("it is nested too deeply") from error
    except ValueError as error:
        # Not UTF-8, not JSON, or a number of thousands of digits: all three are ValueErrors.
        raise _unreadable(escape_text(str(error))[:_SHOWN_CAUSE]) from error


def _object(pairs: list[tuple[str, object]]) -> Mapping[str, object]:
    table = dict(pairs)
    if len(table) != len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise _unreadable(f"the key `{escape_text(twice[:_SHOWN_CAUSE])}` stands there twice")
    return table


def _refuse_constant(word: str) -> object:
    raise _unreadable(f"`{word}` is no JSON number")


def _unreadable(cause: str) -> ManifestError:
    return ManifestError(f"`{MANIFEST}` cannot be read", cause=cause, subject=MANIFEST)


def _text(fields: Fields, key: str, default: str | None = None) -> str:
    return _unicode(fields, key, fields.text(key, default))


def _texts(fields: Fields, key: str) -> tuple[str, ...]:
    if not fields.has(key):
        raise fields.wrong(key, "is missing")
    return tuple(_unicode(fields, key, text) for text in fields.strings(key))


def _unicode(fields: Fields, key: str, text: str) -> str:
    """Refuse half of a surrogate pair: JSON can hold it, but no file and no terminal."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise fields.wrong(key, "holds something that is no Unicode character") from error
    return text


def _files(fields: Fields) -> Mapping[str, BundleFile]:
    files = {path: _file(path, entry) for path, entry in fields.table("files").items()}
    if not files and fields.has("files"):
        raise fields.wrong("files", "lists nothing")
    return files


def _file(path: str, entry: object) -> BundleFile:
    shown = escape_text(path[:_SHOWN_CAUSE])
    fields = Fields(entry, f"files.{shown}", MANIFEST)
    return BundleFile(size=fields.integer("size"), sha256=fields.text("sha256", form=SHA256))

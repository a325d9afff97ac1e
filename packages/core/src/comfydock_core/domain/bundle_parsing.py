"""manifest.json: bytes to values and back, the same bytes for the same values."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict

from comfydock_core.domain.bundle import (
    FORMAT_VERSION,
    MANIFEST,
    PROFILES,
    BundleFile,
    BundleManifest,
    DevelopmentOrigin,
    KnownIssue,
)
from comfydock_core.domain.fields import Fields
from comfydock_core.domain.names import COMMIT, SHA256, node_name_problem, repository_problem
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.errors import ManifestError

MAX_MANIFEST = 8 << 20
MAX_ISSUES = 10_000
MAX_MISSING_INPUTS = 10_000
MAX_DEVELOPMENT = 1_000
_LONGEST_SENTENCE = 2_000
_SHOWN_CAUSE = 200
_PROFILE = re.compile("|".join(PROFILES))


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
        profile=fields.text("profile", PROFILES[0], form=_PROFILE),
        issues=_issues(fields),
        missing_inputs=_missing_inputs(fields),
        development=_development(fields),
        files=_files(fields),
    )


def manifest_bytes(manifest: BundleManifest) -> bytes:
    """Return manifest.json: the keys of the specification first, ``files`` last and sorted."""
    text = json.dumps(_written(manifest), indent=2, ensure_ascii=False) + "\n"
    # What is not Unicode becomes its JSON escape; ``parse_manifest`` refuses it by its key.
    return text.encode("utf-8", "backslashreplace")


def _written(manifest: BundleManifest) -> Mapping[str, object]:
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
        "profile": manifest.profile,
    }
    lists: dict[str, object] = {
        "issues": [asdict(issue) for issue in manifest.issues],
        "missing_inputs": list(manifest.missing_inputs),
        "development": {
            name: asdict(origin) for name, origin in sorted(manifest.development.items())
        },
        "files": {
            path: {"size": file.size, "sha256": file.sha256}
            for path, file in sorted(manifest.files.items())
        },
    }
    return document | {key: value for key, value in lists.items() if value}


def _document(data: bytes) -> object:
    if len(data) > MAX_MANIFEST:
        raise _unreadable(f"it has {len(data):,} bytes; {MAX_MANIFEST:,} are allowed")
    try:
        return json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise _unreadable("it is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise _unreadable(f"it is not UTF-8 text (byte {error.start})") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _unreadable(f"{place}: {error.msg}") from error
    except ValueError as error:
        raise _unreadable("it holds a number with too many digits") from error


def _object(pairs: list[tuple[str, object]]) -> Mapping[str, object]:
    table = dict(pairs)
    if len(table) != len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise _unreadable(f"the key `{escape_text(twice[:_SHOWN_CAUSE])}` stands there twice")
    return table


def _refuse_constant(word: str) -> object:
    raise _unreadable(f"`{word}` is no JSON number")


def _unreadable(cause: str) -> ManifestError:
    return ManifestError(f"`{MANIFEST}` cannot be read: {cause}", subject=MANIFEST)


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


def _issues(fields: Fields) -> tuple[KnownIssue, ...]:
    tables = tuple(fields.tables("issues"))
    _check_count(fields, "issues", len(tables), MAX_ISSUES)
    return tuple(
        KnownIssue(
            workflow=_short_text(table, "workflow"),
            kind=_short_text(table, "kind"),
            subject=_short_text(table, "subject"),
            sentence=_short_text(table, "sentence"),
        )
        for table in tables
    )


def _missing_inputs(fields: Fields) -> tuple[str, ...]:
    """Read the names as they are: they are shown, and never become files."""
    names = tuple(_unicode(fields, "missing_inputs", n) for n in fields.strings("missing_inputs"))
    _check_count(fields, "missing_inputs", len(names), MAX_MISSING_INPUTS)
    if any(len(name) > _LONGEST_SENTENCE for name in names):
        raise fields.wrong("missing_inputs", "has a name that is too long")
    return names


def _development(fields: Fields) -> Mapping[str, DevelopmentOrigin]:
    nodes = dict(fields.table("development").items())
    _check_count(fields, "development", len(nodes), MAX_DEVELOPMENT)
    return {name: _origin(fields, name, entry) for name, entry in nodes.items()}


def _origin(manifest: Fields, name: str, entry: object) -> DevelopmentOrigin:
    shown = escape_text(name[:_SHOWN_CAUSE])
    if problem := node_name_problem(name):
        raise manifest.wrong(f"development.{shown}", problem)
    fields = Fields(entry, f"development.{shown}", MANIFEST)
    remote = fields.text("remote", "")
    if remote and (problem := repository_problem(remote)):
        raise fields.wrong("remote", problem)
    return DevelopmentOrigin(
        remote=remote,
        commit=fields.text("commit", "", form=COMMIT),
        dirty=_flag(fields, "dirty"),
        unpushed=_flag(fields, "unpushed"),
    )


def _flag(fields: Fields, key: str) -> bool:
    value = dict(fields.items()).get(key, False)
    if not isinstance(value, bool):
        raise fields.wrong(key, "must be true or false")
    return value


def _short_text(fields: Fields, key: str) -> str:
    text = _text(fields, key)
    if len(text) > _LONGEST_SENTENCE:
        raise fields.wrong(key, f"has more than {_LONGEST_SENTENCE:,} characters")
    return text


def _check_count(fields: Fields, key: str, found: int, allowed: int) -> None:
    if found > allowed:
        raise fields.wrong(key, f"has {found:,} entries; {allowed:,} are allowed")


def _files(fields: Fields) -> Mapping[str, BundleFile]:
    files = {path: _file(path, entry) for path, entry in fields.table("files").items()}
    if not files and fields.has("files"):
        raise fields.wrong("files", "lists nothing")
    return files


def _file(path: str, entry: object) -> BundleFile:
    shown = escape_text(path[:_SHOWN_CAUSE])
    fields = Fields(entry, f"files.{shown}", MANIFEST)
    return BundleFile(size=fields.integer("size"), sha256=fields.text("sha256", form=SHA256))

"""GitHub: which addresses are files, and which of them can change."""

from __future__ import annotations

import re

from comfydock_core.storage.http_addresses import parsed

_LATEST = re.compile(r"/[^/]+/[^/]+/releases/latest/download/.+")
_IN_TREE = re.compile(r"/([^/]+/[^/]+)/(?:blob|raw)/(?:refs/(?:heads|tags)/)?([^/]+)/(.+)")
_RAW_HOST = "raw.githubusercontent.com"
_RAW = re.compile(r"/([^/]+/[^/]+)/(?:refs/(?:heads|tags)/)?([^/]+)/(.+)")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def github_address(url: str) -> tuple[str, str]:
    """Return the address of the file's content, and why it cannot be relied on or ``""``.

    A page that shows a file (``blob``) becomes the file; every other address stays as it is.
    """
    parts = parsed(url)
    path = parts.path or ""
    if parts.host == "github.com" and _LATEST.fullmatch(path):
        return url, (
            "is not pinned: `latest` means another file with every release, "
            "use releases/download/TAG/…"
        )
    if parts.host == "github.com" and (match := _IN_TREE.fullmatch(path)):
        return f"https://github.com{path.replace('/blob/', '/raw/', 1)}", _moving(match[2])
    if parts.host == _RAW_HOST and (match := _RAW.fullmatch(path)):
        return url, _moving(match[2])
    return url, ""


def _moving(revision: str) -> str:
    if _COMMIT.fullmatch(revision):
        return ""
    return f"is not pinned: `{revision[:80]}` can move, use the full commit in its place"

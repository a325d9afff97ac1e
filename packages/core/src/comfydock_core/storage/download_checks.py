"""What a download must be: checks of the answer before, and of the bytes after they came."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from comfydock_core.domain.byte_sizes import size_text
from comfydock_core.errors import DiskFullError, DownloadError
from comfydock_core.storage.durable_files import storage_errors
from comfydock_core.storage.foreign_hashes import has_foreign_hash
from comfydock_core.storage.hashing import FullHashes
from comfydock_core.storage.host_tokens import token_variable
from comfydock_core.storage.http_addresses import redact
from comfydock_core.storage.http_answers import HttpAnswer
from comfydock_core.storage.partial_file import PartState
from comfydock_core.storage.safetensors_header import header_problem

ANOTHER_SOURCE = "add another source of the same file"
_SPARE_BYTES = 16 * 1024 * 1024
_BLOCK = 512
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')
_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")
_HTML_STARTS = (b"<!doctype html", b"<html", b"<head")


@dataclass(frozen=True, kw_only=True, slots=True)
class DownloadRequest:
    """One file that is wanted: at ``target``, from any of ``urls``, tried in turn.

    ``size`` is in bytes; ``sha256`` and ``blake3`` are hex, empty when unknown; all that is known
    is checked. ``foreign_hash`` is a short hash of ``foreign_hashes``, which proves nothing but
    tells another file. ``name`` is what people call it. More than ``limit_bytes`` is refused. ``file://``
    is a source only if ``local_allowed``, which says that the user named it.
    """

    urls: tuple[str, ...]
    target: Path
    size: int | None = None
    sha256: str = ""
    blake3: str = ""
    foreign_hash: str = ""
    name: str = ""
    limit_bytes: int | None = None
    local_allowed: bool = False

    @property
    def shown(self) -> str:
        """The name for messages."""
        return self.name or self.target.name

    @property
    def provable(self) -> bool:
        """Whether the finished file can be proved by a digest."""
        return bool(self.sha256 or self.blake3)

    @property
    def how_verified(self) -> str:
        """What to say of the finished file."""
        if self.foreign_hash and not self.provable:
            return "its short hash is right; there was no digest to verify it with"
        return "verified" if self.provable else "there was no digest to verify it with"


class WrongBytesError(DownloadError):
    """A source gave something else than what was asked for."""


def require_space(request: DownloadRequest, size: int) -> None:
    """Refuse to begin what cannot fit on the disk.

    What an earlier run brought has its room: it is gone on with, or deleted.
    """
    folder = request.target.parent
    while not folder.exists():
        folder = folder.parent
    with storage_errors(folder):
        free = shutil.disk_usage(folder).free
    needed = max(0, size - _room_of(request.target.with_name(f"{request.target.name}.part")))
    if needed + _SPARE_BYTES > free:
        raise DiskFullError(
            f"`{request.shown}` needs {size_text(needed)}, `{folder}` has {size_text(free)} left",
            hint="free some space, or choose another models directory, then try again",
            subject=str(folder),
        )


def _room_of(part: Path) -> int:
    """Return how much of the disk a file has, in bytes, holes left out where the system tells."""
    try:
        status = part.lstat()
    except OSError:
        return 0
    return getattr(status, "st_blocks", 0) * _BLOCK or status.st_size


def require_model_answer(request: DownloadRequest, answer: HttpAnswer) -> None:
    """Refuse an answer whose head already shows that it is something else."""
    if (
        answer.headers.get("content-type", "")
        .lower()
        .startswith(("text/html", "application/xhtml"))
    ):
        raise html_error(request, answer)
    if request.sha256 and answer.linked_sha256 not in ("", request.sha256.lower()):
        raise WrongBytesError(
            f"`{answer.service}` now has another file in place of `{request.shown}`",
            cause=f"its sha256 is {answer.linked_sha256}, wanted is {request.sha256.lower()}",
            hint=ANOTHER_SOURCE,
            subject=request.shown,
        )


def require_model_start(request: DownloadRequest, answer: HttpAnswer, chunk: bytes) -> None:
    """Refuse a web page that is sent under another type."""
    if chunk[:64].lstrip().lower().startswith(_HTML_STARTS):
        raise html_error(request, answer)


def html_error(request: DownloadRequest, answer: HttpAnswer) -> WrongBytesError:
    """A web page in place of a file is most often a login page."""
    variable = token_variable(answer.service)
    hint = "open it in a browser to see what it asks for"
    return WrongBytesError(
        f"`{answer.service}` answered with a web page instead of `{request.shown}`, "
        "most often that is its login page",
        hint=f"set {variable} to a token of yours, then try again" if variable else hint,
        subject=redact(answer.url),
    )


def whole_size(request: DownloadRequest, answer: HttpAnswer) -> int | None:
    """Return the size of the whole file that an answer states, checked against what is known."""
    part = answered_range(answer)
    size = part.whole if part else answer.length
    if size is not None and request.size not in (None, size):
        raise WrongBytesError(
            f"`{answer.service}` has `{request.shown}` with another size",
            cause=f"{size} bytes, wanted are {request.size}",
            hint=ANOTHER_SOURCE,
            subject=request.shown,
        )
    size = request.size if size is None else size
    require_limit(request, size or 0)
    return size


def require_limit(request: DownloadRequest, size: int) -> None:
    """Refuse more bytes than the caller is ready to take."""
    limit = request.limit_bytes
    if request.size is not None:
        limit = min(request.size, request.size if limit is None else limit)
    if limit is not None and size > limit:
        raise WrongBytesError(
            f"`{request.shown}` is larger than the {limit} bytes it may have",
            hint="check where it comes from",
            subject=request.shown,
        )


def validator_of(answer: HttpAnswer) -> str:
    """Return what proves that the same bytes are served again: a strong ETag, a stated sha256."""
    etag = answer.headers.get("etag", "")
    if _STRONG_ETAG.fullmatch(etag):
        return etag
    return f"sha256:{answer.linked_sha256}" if answer.linked_sha256 else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class AnsweredRange:
    """Which bytes an answer holds: ``first`` up to, not including, ``end``, of ``whole``."""

    first: int
    end: int
    whole: int


def answered_range(answer: HttpAnswer) -> AnsweredRange | None:
    """Read Content-Range; None where the answer is no part, or contradicts itself."""
    match = _RANGE.fullmatch(answer.headers.get("content-range", ""))
    if answer.status != 206 or match is None:
        return None
    first, last, whole = (int(number) for number in match.groups())
    if not first <= last < whole or answer.length not in (None, last + 1 - first):
        return None
    return AnsweredRange(first=first, end=last + 1, whole=whole)


def is_other_content(answer: HttpAnswer, validator: str) -> bool:
    """Whether a source says that it no longer has what ``validator`` stands for."""
    found = validator_of(answer)
    return found[:1] == validator[:1] and found != validator


def continues(answer: HttpAnswer, offset: int, state: PartState, *, provable: bool) -> bool:
    """Whether an answer gives, from ``offset``, bytes of what ``state`` describes."""
    part = answered_range(answer)
    if part is None or part.first != offset or part.whole != state.size:
        return False
    if is_other_content(answer, state.validator):
        return False
    same = state.validator.startswith('"') or validator_of(answer) == state.validator != ""
    return same or provable


def wrong_bytes(request: DownloadRequest, found: FullHashes, host: str) -> WrongBytesError | None:
    """Compare what came with all that is known; None when it is the right file."""
    pairs = (
        ("size", request.size, found.size),
        ("sha256", request.sha256.lower() or None, found.sha256),
        ("blake3", request.blake3.lower() or None, found.blake3),
    )
    for what, wanted, got in pairs:
        if wanted is not None and wanted != got:
            return WrongBytesError(
                f"what `{host}` has as `{request.shown}` is not that file; it was deleted",
                cause=f"its {what} is {got}, wanted is {wanted}",
                hint=ANOTHER_SOURCE,
                subject=request.shown,
            )
    return None


def wrong_form(request: DownloadRequest, path: Path, host: str) -> WrongBytesError | None:
    """Look into the finished file where something is known of it; None when nothing is wrong."""
    problem = ""
    if request.target.suffix.lower() == ".safetensors":
        with storage_errors(path):
            problem = header_problem(path)
    if not problem:
        return _other_file(request, path, host)
    return WrongBytesError(
        f"what `{host}` has as `{request.shown}` is not a whole model file; it was deleted",
        cause=problem,
        hint=ANOTHER_SOURCE,
        subject=request.shown,
    )


def _other_file(request: DownloadRequest, path: Path, host: str) -> WrongBytesError | None:
    wanted = request.foreign_hash
    if not wanted or has_foreign_hash(path, wanted):
        return None
    return WrongBytesError(
        f"what `{host}` has as `{request.shown}` is not that file; it was deleted",
        cause=f"its short hash is not {wanted}",
        hint=ANOTHER_SOURCE,
        subject=request.shown,
    )

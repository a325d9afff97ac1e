"""A bundle that a user names: a file of this machine, or an address that it is fetched from.

Naming an address is the consent to ask that host; the rules of ``storage/http.py`` hold on the way.
What was fetched lies in ``cache/downloads`` by its content until its import is complete, so that
the same command again goes on with it. After a dry run or a no it lies there for a week.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from filelock import FileLock, Timeout

from comfydock_core.domain.names import SHA256, url_problem
from comfydock_core.errors import (
    BusyError,
    DownloadError,
    NetworkError,
    NotFoundError,
    StorageError,
    UsageError,
)
from comfydock_core.events import ItemFinished, ItemStarted, Notice, StepFinished, StepStarted
from comfydock_core.storage.download_checks import ANOTHER_SOURCE, DownloadRequest, answered_range
from comfydock_core.storage.downloads import Downloader
from comfydock_core.storage.durable_files import storage_errors, write_durably
from comfydock_core.storage.file_head import name_in
from comfydock_core.storage.http import HttpStatusError, redact
from comfydock_core.storage.http_addresses import origin_of, parsed
from comfydock_core.storage.user_paths import user_path
from comfydock_core.workspace.journal import journal_of
from comfydock_core.workspace.workspace import Workspace

STEP = "bundle"
LARGEST_BUNDLE = 500 * 10**9
KEPT_SECONDS = 7 * 24 * 3600.0
_RECORD_LIMIT = 16 * 1024
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_DIGEST = "sha256="
_FIRST_BYTE = {"Range": "bytes=0-0"}
_MARKS = ("etag", "last-modified")


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleAddress:
    """Where a bundle is fetched from; ``sha256`` (hex) is the digest that it must have, or empty.

    ``url`` has no fragment; it may carry a secret in its query: ``shown`` is fit to be seen.
    """

    url: str
    sha256: str = ""

    @property
    def name(self) -> str:
        """What the file is called in messages."""
        return name_in(self.url) or "bundle.tar.gz"

    @property
    def host(self) -> str:
        """Whom the user agreed to ask."""
        return origin_of(parsed(self.url)).shown

    @property
    def shown(self) -> str:
        """The address without secrets."""
        return redact(self.url)

    @property
    def key(self) -> str:
        """The file name under which what is known of this address is kept."""
        return sha256(self.url.encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fetched:
    """What an address gave: the content's digest, and what its host said to tell it by."""

    sha256: str
    size: int
    mark: str


def bundle_address(text: str) -> BundleAddress | None:
    """Read what a user names as a bundle; None for the path of a file.

    UsageError where it is an address that no bundle can be fetched from.
    """
    scheme = _SCHEME.match(text)
    if not scheme:
        return None
    url, separator, fragment = text.partition("#")
    if scheme[0].lower() not in ("https://", "http://"):
        raise UsageError(
            f"`{redact(text)}` is no https address",
            hint="write it as https://host/path",
            subject=redact(text),
        )
    if problem := url_problem(url):
        raise UsageError(
            f"`{redact(url)}` {problem}",
            hint="copy the address of the bundle itself, without user name and spaces",
            subject=redact(url),
        )
    digest = fragment.removeprefix(_DIGEST).lower()
    if separator and not (fragment.startswith(_DIGEST) and SHA256.fullmatch(digest)):
        raise UsageError(
            f"`#{ascii(fragment[:80])[1:-1]}` is no digest of a bundle",
            hint="it is #sha256= and 64 hexadecimal digits, or nothing at all",
            subject=redact(url),
        )
    return BundleAddress(url=url, sha256=digest)


def local_bundle(workspace: Workspace, bundle: Path | str) -> Path:
    """Return the file of a bundle, fetched first where ``bundle`` is an address.

    NotFoundError where there is none; what keeps an address from being fetched is a NetworkError,
    UsageError or StorageError.
    """
    _forget_old(workspace)
    address = bundle_address(bundle) if isinstance(bundle, str) else None
    if address:
        place = _fetched(workspace, address)
        for used in (place, _record(workspace, address)):
            with suppress(OSError):
                os.utime(used)
        return place
    path = user_path(bundle)
    if not os.path.isfile(path):  # noqa: PTH113 - Path's raises for too long a name
        raise NotFoundError(f"`{path}` is no file", subject=str(path))
    return path


def forget_fetched(workspace: Workspace, archive: Path) -> None:
    """Delete a bundle that was fetched and is not needed any more; other files stay."""
    folder = _folder(workspace)
    if archive.parent != folder:
        return
    with storage_errors(archive):
        archive.unlink(missing_ok=True)
    for record in folder.glob("*.json"):
        found = _read(record)
        if found and _place(folder, found.sha256) == archive:
            record.unlink(missing_ok=True)


def _forget_old(workspace: Workspace) -> None:
    """Delete what was fetched and nobody asked for in a while, unless an import is not finished."""
    folder, oldest = _folder(workspace), time.time() - KEPT_SECONDS
    old = [path for path in folder.glob("*") if path.suffix != ".lock" and _time(path) < oldest]
    needed = _unfinished(workspace) if old else frozenset()
    for path in old:
        found = _read(path) if path.suffix == ".json" else None
        if (_place(folder, found.sha256) if found else path) not in needed:
            with suppress(OSError):
                path.unlink()


def _time(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return math.inf


def _unfinished(workspace: Workspace) -> frozenset[Path]:
    """Return the bundles that imports and updates which were cut short came out of."""
    archives = set()
    for name in workspace.environment_names():
        with suppress(StorageError):
            journal = journal_of(workspace.environments_path / name)
            archives |= {Path(journal.archive)} if journal else set()
    return frozenset(archives)


def _folder(workspace: Workspace) -> Path:
    return workspace.root / "cache" / "downloads"


def _record(workspace: Workspace, address: BundleAddress) -> Path:
    return _folder(workspace) / f"{address.key}.json"


def _place(folder: Path, digest: str) -> Path:
    return folder / f"{digest}.tar.gz"


def _fetched(workspace: Workspace, address: BundleAddress) -> Path:
    folder = _folder(workspace)
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder / f"{address.key}.lock", address):
        record = _record(workspace, address)
        if not address.sha256 and (there := _still_current(workspace, address, record)):
            return there
        return _fetch(workspace, address, record)


def _fetch(workspace: Workspace, address: BundleAddress, record: Path) -> Path:
    folder = record.parent
    digest = address.sha256
    # Its name is its content's, so what has an unknown content is fetched aside.
    target = _place(folder, digest) if digest else folder / f"{address.key}.fetched"
    mark = "" if digest else _mark(workspace, address)
    if not digest:
        with storage_errors(target):
            target.unlink(missing_ok=True)
    found = _download(workspace, address, target)
    place = _place(folder, found.sha256)
    with storage_errors(place):
        target.replace(place)
    write_durably(
        record,
        json.dumps(asdict(_Fetched(sha256=found.sha256, size=found.size, mark=mark))).encode(),
    )
    return place


def _download(workspace: Workspace, address: BundleAddress, target: Path) -> _Fetched:
    report = workspace.reporter.report
    report(StepStarted(step=STEP, title=f"Fetching {address.name} from {address.host}", count=1))
    report(ItemStarted(step=STEP, item=address.name))
    request = DownloadRequest(
        urls=(address.url,),
        target=target,
        sha256=address.sha256,
        name=address.name,
        limit_bytes=LARGEST_BUNDLE,
    )
    try:
        done = Downloader(workspace.tools.http, workspace.reporter, STEP).fetch(request)
    except DownloadError as error:
        raise _refusal(address, error) from error
    detail = "verified" if address.sha256 else f"sha256 {done.sha256}"
    report(ItemFinished(step=STEP, item=address.name, detail=detail))
    report(StepFinished(step=STEP, detail=f"Fetched {address.name}"))
    return _Fetched(sha256=done.sha256, size=done.size, mark="")


def _refusal(address: BundleAddress, error: DownloadError) -> DownloadError:
    """Say a failed download as what it is for a bundle, which has no other source."""
    asked = "ask the sender for the right address and its sha256"
    return DownloadError(
        f"the bundle `{address.name}` could not be fetched from `{address.host}`",
        cause=error.cause,
        hint=error.hint.replace(ANOTHER_SOURCE, asked),
        subject=address.shown,
    )


def _still_current(workspace: Workspace, address: BundleAddress, record: Path) -> Path | None:
    """Return what was fetched before if its host still has the same, or cannot be asked."""
    known = _read(record)
    place = _place(record.parent, known.sha256) if known else None
    if known is None or place is None or not place.is_file():
        return None
    if place.stat().st_size != known.size:
        return None
    try:
        current = _mark(workspace, address)
    except HttpStatusError:
        raise
    except NetworkError as error:
        text = f"{error.sentence}: using what was fetched of {address.name} before"
        workspace.reporter.report(Notice(text=text))
        return place
    return place if current and current == known.mark else None


def _mark(workspace: Workspace, address: BundleAddress) -> str:
    """Return what the host tells a content by, or nothing where it says nothing of the kind.

    It asks for the first byte, because storage that redirects lead to is often signed for GET.
    """
    try:
        with workspace.tools.http.stream(address.url, _FIRST_BYTE) as stream:
            answer = stream.answer
    except HttpStatusError as error:
        if error.answer.status == 416:
            return ""
        raise
    part = answered_range(answer)
    size = part.whole if part else answer.length
    told = (answer.linked_sha256, *(answer.headers.get(name, "") for name in _MARKS))
    mark = next(filter(None, told), "")
    return f"{mark} {size}" if mark else ""


def _read(record: Path) -> _Fetched | None:
    with suppress(OSError, ValueError, TypeError, RecursionError):
        if record.stat().st_size <= _RECORD_LIMIT:
            found = _Fetched(**json.loads(record.read_bytes()))
            if SHA256.fullmatch(found.sha256) and isinstance(found.mark, str):
                return found
    return None


@contextmanager
def _alone(path: Path, address: BundleAddress) -> Iterator[None]:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BusyError(
            f"another comfydock is fetching `{address.shown}`",
            hint="wait until it is done, then run the same command again",
            subject=address.shown,
        ) from error
    try:
        yield
    finally:
        lock.release()

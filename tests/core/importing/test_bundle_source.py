from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from comfydock_core.errors import (
    BusyError,
    ComfydockError,
    DownloadError,
    NetworkError,
    NotFoundError,
    UsageError,
)
from comfydock_core.importing.bundle_source import (
    KEPT_SECONDS,
    BundleAddress,
    bundle_address,
    forget_fetched,
    local_bundle,
)
from comfydock_core.workspace.journal import Journal, write_journal
from comfydock_core.workspace.workspace import Workspace
from filelock import FileLock

from tests.core.storage.downloading import Recorder, words
from tests.core.workspace.workspaces import workspace_at
from tests.hub.model_host import ModelHost, model_host

BUNDLE = random.Random(6).randbytes(6_000_000)
SHA256 = hashlib.sha256(BUNDLE).hexdigest()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[ModelHost]:
    root = tmp_path / "served"
    root.mkdir()
    (root / "studio.tar.gz").write_bytes(BUNDLE)
    with model_host(root) as served:
        yield served


@pytest.fixture
def here(tmp_path: Path) -> Workspace:
    return workspace_at(tmp_path, Recorder(), COMFYDOCK_ALLOWED_HOSTS="127.0.0.1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("studio.tar.gz", None),
        ("C:\\bundles\\studio.tar.gz", None),
        ("./odd#sha256=name.tar.gz", None),
        ("https://a.org/x.tar.gz", BundleAddress(url="https://a.org/x.tar.gz")),
        (
            f"https://a.org/x?dl=1#sha256={SHA256.upper()}",
            BundleAddress(url="https://a.org/x?dl=1", sha256=SHA256),
        ),
    ],
)
def test_an_address_is_told_from_a_path(text: str, expected: BundleAddress | None) -> None:
    assert bundle_address(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ftp://a.org/x.tar.gz", "no https address"),
        ("file:///etc/passwd", "no https address"),
        ("https://user:secret@a.org/x.tar.gz", "user name or password"),
        ("https://a.org/a b.tar.gz", "character that no address has"),
        ("https:///x", "no http or https address"),
        ("https://a.org/x#", "no digest"),
        ("https://a.org/x#part", "no digest"),
        ("https://a.org/x#sha256=abc", "no digest"),
        (f"https://a.org/x#sha256={SHA256}0", "no digest"),
        (f"https://a.org/x#md5={SHA256[:32]}", "no digest"),
        ("https://a.org/x#sha256=\x1b[31m", "no digest"),
    ],
)
def test_a_malformed_address_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        bundle_address(text)
    assert said in refused.value.sentence
    assert "secret" not in words(refused.value)
    assert "\x1b" not in words(refused.value)


def test_a_file_is_taken_where_it_lies(here: Workspace, tmp_path: Path) -> None:
    place = tmp_path / "x.tar.gz"
    with pytest.raises(NotFoundError):
        local_bundle(here, place)
    place.write_bytes(b"x")
    assert local_bundle(here, str(place)) == local_bundle(here, place) == place
    forget_fetched(here, place)
    assert place.exists()


@pytest.mark.parametrize("fragment", ["", f"#sha256={SHA256}"])
@pytest.mark.parametrize("route", ["", "_/redir/", "_/nolength/", "_/norange/"])
def test_a_bundle_is_fetched_once_and_kept_until_it_is_not_needed(
    host: ModelHost, here: Workspace, fragment: str, route: str
) -> None:
    url = f"{host.url}/{route}studio.tar.gz{fragment}"
    place = local_bundle(here, url)
    assert place.read_bytes() == BUNDLE
    assert place == here.root / f"cache/downloads/{SHA256}.tar.gz"
    sent = host.sent("/studio.tar.gz")
    assert local_bundle(here, url) == place
    assert host.sent("/studio.tar.gz") - sent < 100_000 or route == "_/norange/"
    forget_fetched(here, place)
    left = [path.suffix for path in place.parent.iterdir()]
    assert set(left) <= {".lock"}


def test_a_cut_download_goes_on(host: ModelHost, here: Workspace) -> None:
    host.break_off_after(2_000_000)
    url = f"{host.url}/studio.tar.gz#sha256={SHA256}"
    with pytest.raises(DownloadError) as cut:
        local_bundle(here, url)
    assert "studio.tar.gz" in cut.value.sentence
    assert "127.0.0.1" in cut.value.sentence
    host.break_off_after(None)
    before = host.sent("/studio.tar.gz")
    assert local_bundle(here, url).read_bytes() == BUNDLE
    assert host.sent("/studio.tar.gz") - before <= len(BUNDLE) - 1_500_000


@pytest.mark.parametrize(
    ("path", "said", "hint"),
    [
        ("studio.tar.gz#sha256=" + "0" * 64, "is not that file; it was deleted", "ask the sender"),
        ("_/html/studio.tar.gz", "web page", "open it in a browser"),
        ("_/lyinghtml/studio.tar.gz", "web page", "open it in a browser"),
        ("_/fail=404/studio.tar.gz", "404", "check the address"),
        ("_/loop/studio.tar.gz", "redirects more than 5 times", "check the address"),
    ],
)
def test_what_is_no_bundle_is_refused_and_not_kept(
    host: ModelHost, here: Workspace, path: str, said: str, hint: str
) -> None:
    with pytest.raises(NetworkError) as refused:
        local_bundle(here, f"{host.url}/{path}")
    assert said in words(refused.value)
    assert hint in refused.value.hint
    left = [path.name for path in (here.root / "cache/downloads").iterdir()]
    assert [name for name in left if not name.endswith(".lock")] == []


def test_private_and_plain_hosts_are_refused(host: ModelHost, tmp_path: Path) -> None:
    strict = workspace_at(tmp_path)
    with pytest.raises(NetworkError, match="plain http"):
        local_bundle(strict, f"{host.url}/studio.tar.gz")
    with pytest.raises(NetworkError, match="not a public address"):
        local_bundle(strict, "https://127.0.0.1:1/studio.tar.gz")
    assert host.requests == ()


def test_another_bundle_at_the_same_address_is_fetched_anew(
    host: ModelHost, here: Workspace, tmp_path: Path
) -> None:
    url = f"{host.url}/studio.tar.gz"
    first = local_bundle(here, url)
    (tmp_path / "served/studio.tar.gz").write_bytes(b"newer")
    second = local_bundle(here, url)
    assert second.read_bytes() == b"newer"
    assert first.read_bytes() == BUNDLE


def test_without_a_network_what_was_fetched_is_used(tmp_path: Path, here: Workspace) -> None:
    root = tmp_path / "gone"
    root.mkdir()
    (root / "studio.tar.gz").write_bytes(BUNDLE)
    with model_host(root) as served:
        url = f"{served.url}/studio.tar.gz"
        place = local_bundle(here, url)
    # A new client: a kept connection outlives the server's socket.
    later = workspace_at(tmp_path, Recorder(), COMFYDOCK_ALLOWED_HOSTS="127.0.0.1")
    assert local_bundle(later, url) == place
    with pytest.raises(NetworkError, match="could not be reached"):
        local_bundle(later, f"{url}?other")


def test_two_at_once_do_not_mix(host: ModelHost, here: Workspace) -> None:
    url = f"{host.url}/studio.tar.gz"
    address = bundle_address(url)
    assert address is not None
    folder = here.root / "cache/downloads"
    folder.mkdir(parents=True)
    with FileLock(folder / f"{address.key}.lock"), pytest.raises(ComfydockError) as busy:
        local_bundle(here, url)
    assert isinstance(busy.value, BusyError)


def made_old(here: Workspace, seconds: float) -> None:
    for path in (here.root / "cache/downloads").iterdir():
        os.utime(path, (time.time() - seconds,) * 2)


def left(here: Workspace) -> list[str]:
    return sorted(
        p.suffix for p in (here.root / "cache/downloads").iterdir() if p.suffix != ".lock"
    )


def test_what_nobody_comes_back_for_goes_after_a_week(
    here: Workspace, host: ModelHost, tmp_path: Path
) -> None:
    other = tmp_path / "other.tar.gz"
    other.write_bytes(b"x")
    local_bundle(here, f"{host.url}/studio.tar.gz")
    made_old(here, KEPT_SECONDS - 60)
    local_bundle(here, other)
    assert left(here) == [".gz", ".json"]
    local_bundle(here, f"{host.url}/studio.tar.gz")
    sent = host.sent("/studio.tar.gz")
    made_old(here, KEPT_SECONDS + 60)
    local_bundle(here, other)
    assert left(here) == []
    local_bundle(here, f"{host.url}/studio.tar.gz")
    assert host.sent("/studio.tar.gz") >= sent + len(BUNDLE)


def test_asking_for_it_again_begins_the_week_anew(
    here: Workspace, host: ModelHost, tmp_path: Path
) -> None:
    place = local_bundle(here, f"{host.url}/studio.tar.gz#sha256={SHA256}")
    made_old(here, KEPT_SECONDS - 60)
    assert local_bundle(here, f"{host.url}/studio.tar.gz#sha256={SHA256}") == place
    assert all(
        time.time() - path.stat().st_mtime < KEPT_SECONDS / 2
        for path in (here.root / "cache/downloads").iterdir()
        if path.suffix != ".lock"
    )


def test_an_unfinished_import_keeps_its_bundle(here: Workspace, host: ModelHost) -> None:
    url = f"{host.url}/studio.tar.gz"
    place = local_bundle(here, url)
    sent = host.sent("/studio.tar.gz")
    write_journal(here.environments_path / "studio", Journal(work="import", archive=str(place)))
    broken = here.environments_path / "broken"
    broken.mkdir()
    (broken / "import.json").write_text("{")
    made_old(here, KEPT_SECONDS + 60)
    assert local_bundle(here, url) == place
    assert host.sent("/studio.tar.gz") - sent <= 1

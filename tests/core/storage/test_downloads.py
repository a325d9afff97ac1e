"""Downloads: the right bytes in place or a clean named failure, over every fault of the host."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from comfydock_core.errors import DownloadError, StorageError
from comfydock_core.events import ItemProgress, Notice
from comfydock_core.storage.downloads import Downloader, DownloadRequest, fetch_file
from comfydock_core.storage.http import HttpClient

from tests.core.storage.downloading import (
    BLAKE3,
    FILE,
    IMPATIENT,
    LOOPBACK,
    QUICK,
    SHA256,
    SIZE,
    Recorder,
    downloader,
    left_in,
    served_files,
    unknown,
    wanted,
    words,
)
from tests.hub.model_host import ModelHost, model_host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[ModelHost]:
    served_files(tmp_path / "served")
    with model_host(tmp_path / "served") as served:
        yield served


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "loras" / "a.bin"


GOOD = (
    "/a.bin",
    "/_/cut=1000x1/a.bin",
    "/_/cut=2000000x1/a.bin",
    "/_/cut=2000000x1,norange/a.bin",
    "/_/cut=2000000x1,badrange/a.bin",
    "/_/cut=2000000x1,weak/a.bin",
    "/_/cut=2000000x1,noetag/a.bin",
    "/_/cut=2000000x1,nolength/a.bin",
    "/_/cut=2000000x1,redir/a.bin",
    "/_/cut=1600000/a.bin",
    "/_/fail=503x2/a.bin",
    "/_/fail=429x2,after=1/a.bin",
    "/_/redir/a.bin",
    "/_/nolength/a.bin",
    "/_/badrange/a.bin",
    "/_/norest,cut=2000000x1/a.bin",
    "/_/overrun,cut=2000000x1/a.bin",
    "/_/short=2000000/a.bin",
)


@pytest.mark.parametrize("request_of", [wanted, unknown])
@pytest.mark.parametrize("path", GOOD)
def test_the_right_bytes_arrive(
    host: ModelHost, target: Path, path: str, request_of: Callable[..., DownloadRequest]
) -> None:
    result = downloader().fetch(request_of(target, host.url + path))
    assert target.read_bytes() == FILE
    assert (result.path, result.size) == (target, SIZE)
    assert (result.sha256, result.blake3, result.url) == (SHA256, BLAKE3, host.url + path)
    assert left_in(target.parent) == ["a.bin"]


FAILING = (
    ("/_/cut=1000/a.bin", "after 1000 bytes", True),
    ("/_/norange,cut=1000000/a.bin", "after 1000000 bytes", True),
    ("/_/stall=2/a.bin", "sent nothing more", True),
    ("/_/lie=10/a.bin", "with another size", False),
    ("/_/fail=503/a.bin", "is in trouble", False),
    ("/_/fail=404/a.bin", "has no", False),
    ("/_/auth=x/a.bin", "wants to know who asks", False),
    ("/_/loop/a.bin", "redirects more than", False),
    ("/_/html/a.bin", "web page", False),
    ("/_/lyinghtml,nolength/a.bin", "another size", False),
    ("/_/corrupt/a.bin", "its sha256 is", False),
    ("/_/encoded/a.bin", "encoding gzip", False),
    ("/_/change=2,cut=2000000x1/a.bin", "its sha256 is", False),
    ("/_/change=2,etag=same,cut=2000000x1/a.bin", "its sha256 is", False),
    ("/other.bin", "its sha256 is", False),
    ("/whole.safetensors", "another size", False),
)


@pytest.mark.parametrize(("path", "said", "kept"), FAILING)
def test_a_fault_is_a_named_failure_and_nothing_wrong_stays(
    host: ModelHost, target: Path, path: str, said: str, kept: bool
) -> None:
    limits = IMPATIENT if "stall" in path else QUICK
    with pytest.raises(DownloadError) as caught:
        downloader(limits=limits).fetch(wanted(target, f"{host.url}{path}?token=SECRET"))
    assert said in words(caught.value)
    assert "`a.bin` could not be downloaded" in words(caught.value)
    assert "SECRET" not in words(caught.value)
    assert not target.exists()
    assert left_in(target.parent) == (["a.bin.part", "a.bin.part.json"] if kept else [])
    state = target.with_name("a.bin.part.json")
    assert not state.exists() or "SECRET" not in state.read_text()


def test_a_web_page_under_another_type_is_recognised(host: ModelHost, target: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        downloader().fetch(unknown(target, f"{host.url}/_/lyinghtml/a.bin"))
    assert "login page" in words(caught.value)
    assert left_in(target.parent) == []


def test_civitai_without_a_key_says_which_variable_to_set(host: ModelHost, target: Path) -> None:
    hosts = replace(LOOPBACK, mirrors={"https://civitai.com": f"{host.url}/civitai"})
    request = unknown(target, "https://civitai.com/a.bin")
    with pytest.raises(DownloadError, match="could not be downloaded") as caught:
        Downloader(HttpClient(hosts, {}, QUICK), Recorder()).fetch(request)
    assert "set CIVITAI_API_KEY" in caught.value.hint
    client = HttpClient(hosts, {"CIVITAI_API_KEY": "cv_good"}, QUICK)
    assert Downloader(client, Recorder()).fetch(request).sha256 == SHA256


def test_sources_are_tried_in_turn(host: ModelHost, target: Path) -> None:
    recorder = Recorder()
    paths = ("/missing", "/_/corrupt/a.bin", "/_/cut=1000/a.bin", "/_/html/a.bin", "/a.bin", "/b")
    urls = [host.url + path for path in paths]
    assert downloader(recorder).fetch(wanted(target, *urls)).url == urls[4]
    assert target.read_bytes() == FILE
    notices = [event.text for event in recorder.events if isinstance(event, Notice)]
    assert len(notices) == 4
    assert "it was deleted; trying the next source" in notices[1]


def test_a_request_without_sources_says_how_to_add_one(target: Path) -> None:
    with pytest.raises(DownloadError, match="no source") as caught:
        downloader().fetch(wanted(target))
    assert "model add-source" in caught.value.hint


def test_a_file_that_is_there_is_a_success_without_a_request(host: ModelHost, target: Path) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(FILE)
    target.with_name("a.bin.part").hardlink_to(target)
    for request in (wanted(target, host.url), replace(wanted(target, host.url), blake3="")):
        result = downloader().fetch(request)
        assert (result.url, result.sha256) == ("", SHA256)
    assert host.requests == ()
    assert left_in(target.parent) == ["a.bin"]


@pytest.mark.parametrize("request_of", [wanted, unknown])
def test_another_file_that_is_there_stays(
    host: ModelHost, target: Path, request_of: Callable[..., DownloadRequest]
) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(b"mine")
    with pytest.raises(StorageError, match="another file"):
        downloader().fetch(request_of(target, f"{host.url}/a.bin"))
    assert target.read_bytes() == b"mine"
    assert host.requests == ()


def test_a_file_that_appears_meanwhile_stays(host: ModelHost, target: Path) -> None:
    failures: list[StorageError] = []

    def fetch() -> None:
        try:
            downloader().fetch(wanted(target, f"{host.url}/_/hold/a.bin"))
        except StorageError as error:
            failures.append(error)

    patient = threading.Thread(target=fetch)
    patient.start()
    host.served.wait_for_requests(1)
    target.write_bytes(b"mine")
    host.release.set()
    patient.join()
    assert "appeared while" in failures[0].sentence
    assert target.read_bytes() == b"mine"


def test_a_disk_without_room_is_said_before_any_request(host: ModelHost, target: Path) -> None:
    request = replace(wanted(target, f"{host.url}/a.bin"), size=10**17)
    with pytest.raises(StorageError, match="left"):
        downloader().fetch(request)
    assert host.requests == ()


def test_a_disk_that_fills_up_keeps_what_has_arrived(host: ModelHost, target: Path) -> None:
    resource = pytest.importorskip("resource")
    request = wanted(target, f"{host.url}/a.bin")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_500_000, hard))
    try:
        with pytest.raises(StorageError, match="is full; what has arrived is kept"):
            downloader().fetch(request)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert 1_400_000 < downloader().fetch(request).resumed_from <= 2_500_000
    assert target.read_bytes() == FILE


def test_safetensors_are_looked_into(host: ModelHost, target: Path) -> None:
    whole, short = (target.with_name(f"{name}.safetensors") for name in ("whole", "short"))
    downloader().fetch(unknown(whole, f"{host.url}/whole.safetensors"))
    with pytest.raises(DownloadError) as caught:
        downloader().fetch(unknown(short, f"{host.url}/short.safetensors"))
    assert "not a whole model file" in words(caught.value)
    assert left_in(target.parent) == ["whole.safetensors"]


def test_a_host_that_gives_a_few_bytes_at_a_time_is_left(host: ModelHost, target: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        downloader().fetch(wanted(target, f"{host.url}/_/short=10/a.bin"))
    assert "gives only 10 bytes at a time" in words(caught.value)
    assert not target.exists()
    assert len(host.requests) < 200


def test_a_node_archive_has_a_largest_size(host: ModelHost, target: Path) -> None:
    client = HttpClient(LOOPBACK, {}, QUICK)
    for path in ("/a.bin", "/_/nolength/a.bin"):
        with pytest.raises(DownloadError) as caught:
            fetch_file(client, host.url + path, target, limit_bytes=SIZE - 1, reporter=Recorder())
        assert "larger than" in words(caught.value)
    assert left_in(target.parent) == []
    fetched = fetch_file(client, f"{host.url}/a.bin", target, limit_bytes=SIZE, reporter=Recorder())
    assert (fetched.sha256, fetched.size) == (SHA256, SIZE)


def test_progress_is_told_at_a_readable_pace(host: ModelHost, target: Path) -> None:
    recorder = Recorder()
    url = f"{host.url}/_/slow=8000000/a.bin"
    downloader(recorder).fetch(replace(wanted(target, url), name="style lora"))
    told = [event for event in recorder.events if isinstance(event, ItemProgress)]
    assert 2 <= len(told) <= 6
    assert [event.done for event in told] == sorted(event.done for event in told)
    assert {(event.step, event.item, event.total) for event in told} == {
        ("models", "style lora", SIZE)
    }


def test_an_empty_file_is_a_file(host: ModelHost, target: Path) -> None:
    assert downloader().fetch(unknown(target, f"{host.url}/empty.bin")).size == 0
    assert target.read_bytes() == b""


def test_a_folder_that_cannot_be_written_is_named(host: ModelHost, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where a folder is wanted")
    request = wanted(tmp_path / "models" / "a.bin", f"{host.url}/a.bin")
    with pytest.raises(StorageError, match="models"):
        downloader().fetch(request)


def test_a_host_that_trickles_is_given_up(host: ModelHost, target: Path) -> None:
    request = wanted(target, f"{host.url}/_/slow=1000/a.bin")
    with pytest.raises(DownloadError) as caught:
        downloader(limits=IMPATIENT).fetch(request)
    assert "sent only" in words(caught.value)


def test_a_file_of_this_machine_is_a_source_only_if_the_user_names_it(
    tmp_path: Path, target: Path
) -> None:
    (tmp_path / "my file.bin").write_bytes(FILE)
    request = wanted(target, (tmp_path / "my file.bin").as_uri())
    with pytest.raises(DownloadError) as caught:
        downloader().fetch(request)
    assert "is not an https address" in words(caught.value)
    named = replace(request, local_allowed=True)
    with pytest.raises(DownloadError) as caught:
        downloader().fetch(replace(named, sha256="0" * 64))
    assert "its sha256 is" in words(caught.value)
    assert downloader().fetch(named).sha256 == SHA256
    gone = replace(named, target=target.with_name("b.bin"), urls=((tmp_path / "x").as_uri(),))
    with pytest.raises(DownloadError) as caught:
        downloader().fetch(gone)
    assert "could not be read" in words(caught.value)

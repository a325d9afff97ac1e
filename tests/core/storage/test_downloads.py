"""Downloads: the right bytes in place or a clean named failure, over every fault of the host."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3
from comfydock_core.domain.settings import HostSettings
from comfydock_core.errors import DownloadError, StorageError
from comfydock_core.events import Event, ItemProgress, Notice
from comfydock_core.storage.downloads import (
    Downloader,
    DownloadRequest,
    fetch_file,
)
from comfydock_core.storage.http import HttpClient, HttpLimits

from tests.hub.model_host import ModelHost, model_host

QUICK = HttpLimits(connect_timeout=5, read_timeout=10, first_wait=0.01, longest_wait=0.05)
IMPATIENT = replace(QUICK, read_timeout=0.3)
LOOPBACK = HostSettings(allowed=frozenset({"127.0.0.1"}))
SIZE = 3_000_000
FILE = random.Random(7).randbytes(SIZE)
SHA256 = hashlib.sha256(FILE).hexdigest()
BLAKE3 = blake3(FILE).hexdigest()


class Recorder:
    """Keeps the events of one test."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def report(self, event: Event) -> None:
        self.events.append(event)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[ModelHost]:
    root = tmp_path / "served"
    root.mkdir()
    (root / "a.bin").write_bytes(FILE)
    (root / "other.bin").write_bytes(b"other" + FILE[5:])
    header = json.dumps({"w": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}).encode()
    tensors = len(header).to_bytes(8, "little") + header + b"data"
    (root / "whole.safetensors").write_bytes(tensors)
    (root / "short.safetensors").write_bytes(tensors[:-1])
    with model_host(root) as served:
        yield served


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "loras" / "a.bin"


def downloader(recorder: Recorder | None = None, limits: HttpLimits = QUICK) -> Downloader:
    return Downloader(HttpClient(LOOPBACK, {}, limits), recorder or Recorder())


def wanted(target: Path, *urls: str) -> DownloadRequest:
    return DownloadRequest(urls=urls, target=target, size=SIZE, sha256=SHA256, blake3=BLAKE3)


def unknown(target: Path, *urls: str) -> DownloadRequest:
    return DownloadRequest(urls=urls, target=target)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def words(error: DownloadError | StorageError) -> str:
    return " ".join((error.sentence, error.cause, error.hint))


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
    "/_/redir/a.bin",
    "/_/nolength/a.bin",
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
    assert "set CIVITAI_API_TOKEN" in caught.value.hint
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


def test_a_later_run_fetches_only_the_rest(host: ModelHost, target: Path) -> None:
    request = wanted(target, f"{host.url}/_/cut=1000000x2/a.bin?token=SECRET")
    with pytest.raises(DownloadError):
        downloader().fetch(request)
    assert downloader().fetch(request).resumed_from == 2_000_000
    assert host.requests[-1].headers["range"] == "bytes=2000000-"
    assert host.requests[-1].headers["if-range"].startswith('"')
    assert target.read_bytes() == FILE


def begun(target: Path, data: bytes, **state: object) -> None:
    """Write what a killed run may have left."""
    target.parent.mkdir(parents=True)
    target.with_name("a.bin.part").write_bytes(data)
    whole = {"validator": f'"{SHA256[:32]}"', "size": SIZE, **state}
    target.with_name("a.bin.part.json").write_text(json.dumps(whole))


LEFTOVERS: tuple[tuple[bytes, dict[str, object], int, str], ...] = (
    (FILE[:1000], {}, 1000, "bytes=1000-"),
    (FILE[:1000], {"size": None}, 1000, "bytes=1000-"),
    (FILE[:1000], {"validator": '"changed"'}, 0, "bytes=1000-"),
    (FILE[:1000], {"validator": ""}, 0, ""),
    (FILE[:1000], {"validator": f"sha256:{SHA256}"}, 0, "bytes=1000-"),
    (FILE[:1000], {"validator": 5}, 0, ""),
    (FILE[:1000], {"size": "x"}, 0, ""),
    (FILE[:1000], {"size": 5000}, 0, "bytes=1000-"),
    (FILE[:1000], {"url": "https://elsewhere.example/a.bin"}, 0, ""),
    (b"wrong" * 200, {}, 0, ""),
    (FILE + b"more", {}, 0, "bytes=3000004-"),
    (b"", {}, 0, ""),
)


@pytest.mark.parametrize(("data", "state", "resumed", "asked"), LEFTOVERS)
def test_what_is_there_is_used_only_without_a_doubt(
    host: ModelHost, target: Path, data: bytes, state: dict[str, object], resumed: int, asked: str
) -> None:
    url = f"{host.url}/a.bin"
    begun(target, data, **{"url": url, **state})
    result = downloader().fetch(wanted(target, url))
    assert target.read_bytes() == FILE
    assert result.resumed_from == resumed
    ranges = [seen.headers.get("range", "") for seen in host.requests]
    assert asked in ranges if asked else ranges[-1] == ""


def test_a_finished_part_needs_no_request(host: ModelHost, target: Path) -> None:
    url = f"{host.url}/a.bin"
    begun(target, FILE, url=url)
    assert downloader().fetch(wanted(target, url)).resumed_from == SIZE
    assert target.read_bytes() == FILE
    assert host.requests == ()


def test_hugging_faces_sha256_is_a_validator_where_the_cdn_has_none(
    host: ModelHost, tmp_path: Path, target: Path
) -> None:
    with model_host(tmp_path / "served", f"{host.url}/_/noetag,cut=1500000x1") as hugging_face:
        url = f"{hugging_face.url}/hf/o/r/resolve/main/a.bin"
        assert downloader().fetch(wanted(target, url)).resumed_from == 1_500_000
        other = replace(wanted(target.with_name("b.bin"), url), sha256="0" * 64)
        with pytest.raises(DownloadError) as caught:
            downloader().fetch(other)
        assert "now has another file" in words(caught.value)


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
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(StorageError, match="is full; what has arrived is kept"):
            downloader().fetch(request)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert downloader().fetch(request).resumed_from == 1_000_000
    assert target.read_bytes() == FILE


def test_safetensors_are_looked_into(host: ModelHost, target: Path) -> None:
    whole, short = (target.with_name(f"{name}.safetensors") for name in ("whole", "short"))
    downloader().fetch(unknown(whole, f"{host.url}/whole.safetensors"))
    with pytest.raises(DownloadError) as caught:
        downloader().fetch(unknown(short, f"{host.url}/short.safetensors"))
    assert "not a whole model file" in words(caught.value)
    assert left_in(target.parent) == ["whole.safetensors"]


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


_PROCESS = """
import sys
from pathlib import Path
from tests.core.storage.test_downloads import downloader, wanted
class Aloud:
    def report(self, event): print(event, flush=True)
downloader(Aloud()).fetch(wanted(Path(sys.argv[1]), sys.argv[2]))
"""


def test_two_processes_fetch_once(host: ModelHost, target: Path) -> None:
    command = [sys.executable, "-c", _PROCESS, str(target), f"{host.url}/_/hold/a.bin"]
    place = Path(__file__).parents[3]
    first = subprocess.Popen(command, cwd=place, stdout=subprocess.DEVNULL)
    host.served.wait_for_requests(1)
    second = subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, text=True)
    assert second.stdout is not None
    assert "waiting for it" in second.stdout.readline()
    host.release.set()
    second.communicate(timeout=30)
    assert (first.wait(30), second.returncode) == (0, 0)
    assert target.read_bytes() == FILE
    assert len(host.requests) == 1
    assert left_in(target.parent) == ["a.bin"]

"""Models are fetched once, verified, put where loaders look; refusals say what to do."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.hugging_face import COMMIT, READER
from tests.hub.model_host import ModelHost, model_host
from tests.journeys.machines import Machine, machine, save_workflow, workflow
from tests.journeys.terminal import exit_code, terminal
from tests.journeys.town import (
    GATED,
    SPOILED,
    TWIN,
    UNSORTED,
    Town,
    content_name,
    tensor_file,
)

VAE = "vae/tiny-vae.safetensors"
STYLE = "loras/styles/tiny-style.safetensors"
MIB = 1024 * 1024
BIG = "checkpoints/big.safetensors"
BIG_REPEATS = 16 * MIB // 32
THREE = ("vae/one.safetensors", "loras/two.safetensors", "upscale_models/three.safetensors")


@pytest.fixture
def one(town: Town, tmp_path: Path) -> Machine:
    return machine(tmp_path, town)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelHost]:
    """A plain host whose answers are slow, or wrong, as the address asks."""
    folder = tmp_path_factory.mktemp("host")
    for path in (*THREE, BIG):
        place = folder / path
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(tensor_file(path, BIG_REPEATS if path == BIG else 10_000))
    with model_host(folder) as served:
        yield served


def put(place: Path, content: bytes) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def times_stored(town: Town, content: bytes) -> int:
    return len(town.storage.served.asked("GET", content_name(content)))


def test_an_address_is_pinned_fetched_and_kept_with_its_model(one: Machine, town: Town) -> None:
    url = town.model_url(VAE)
    ran = one.ok("model", "download", url)
    place = one.home / "models" / VAE
    assert ran.out == f"✓ tiny-vae.safetensors is at {place}\n"
    assert "  ✓ verified\n" in ran.err
    assert place.read_bytes() == tensor_file(VAE)
    known = one.ok("model", "info", VAE, "--json").envelope["data"]["sources"]
    assert sorted(known) == sorted([url, url.replace("/main/", f"/{COMMIT}/")])
    before = times_stored(town, tensor_file(VAE))
    again = one.ok("model", "download", url)
    assert again.out == f"✓ tiny-vae.safetensors was here already: {place}\n"
    assert times_stored(town, tensor_file(VAE)) == before


def test_an_address_without_digests_is_not_fetched_twice(one: Machine, host: ModelHost) -> None:
    url = f"{host.url}/{THREE[0]}"
    first = one.ok("model", "download", url)
    assert "there was no digest to verify it with" in first.err
    sent = host.sent(f"/{THREE[0]}")
    assert "was here already" in one.ok("model", "download", url).out
    assert host.sent(f"/{THREE[0]}") == sent


def test_where_a_file_belongs_is_asked_for(one: Machine, town: Town) -> None:
    url = town.model_url(UNSORTED)
    ran = one.run("model", "download", url)
    assert ran.exit_code == 4
    assert "add --category, e.g. --category checkpoints" in ran.err
    words = ("--category", "checkpoints", "--name", "mine.safetensors")
    one.ok("model", "download", url, *words)
    place = one.home / "models/checkpoints/mine.safetensors"
    assert place.read_bytes() == tensor_file(UNSORTED)
    outside = one.run("model", "download", url, *words[:3], "../x.safetensors")
    assert outside.exit_code == 2
    assert "a name with --name" in outside.err
    outside = one.run("model", "download", url, "--category", "..")
    assert outside.exit_code == 2
    assert "a folder with --category" in outside.err


def test_a_file_of_this_machine_is_taken_when_it_is_named(one: Machine, tmp_path: Path) -> None:
    own = put(tmp_path / "stick/two words.safetensors", tensor_file("own"))
    one.ok("model", "download", own.as_uri(), "--category", "loras")
    taken = one.home / "models/loras/two words.safetensors"
    assert taken.read_bytes() == own.read_bytes()
    assert one.ok("model", "info", taken.name, "--json").envelope["data"]["sources"] == []
    again = one.ok("model", "download", own.as_uri(), "--category", "loras")
    assert "was here already" in again.out
    put(own, tensor_file("new"))
    other = one.run("model", "download", own.as_uri(), "--category", "loras")
    assert (other.exit_code, "may be another file" in other.out) == (3, True)
    missing = one.run("model", "download", (tmp_path / "no.pt").as_uri(), "--category", "vae")
    assert missing.exit_code == 3
    assert "No such file or directory" in missing.out


def test_a_gated_file_says_how_to_get_it(one: Machine, town: Town) -> None:
    url = town.model_url(VAE, GATED)
    ran = one.run("model", "download", url)
    assert ran.exit_code == 1
    assert f"accept the licence at https://huggingface.co/{GATED}, then set HF_TOKEN" in ran.err
    one.ok("model", "download", url, HF_TOKEN=READER)
    assert (one.home / "models" / VAE).read_bytes() == tensor_file(VAE)


def test_wrong_bytes_are_deleted_and_named(one: Machine, town: Town) -> None:
    ran = one.run("model", "download", town.model_url(SPOILED), "--json")
    assert ran.exit_code == 3
    (row,) = ran.envelope["data"]["models"]
    assert row["outcome"] == "failed"
    assert "huggingface.co" in row["reason"]
    assert "it was deleted" in row["reason"]
    assert not [path for path in (one.home / "models").rglob("*") if path.is_file()]


def test_what_is_not_there_is_named(one: Machine, town: Town) -> None:
    ran = one.run("model", "download", town.model_url("vae/gone.safetensors"))
    assert ran.exit_code == 1
    assert "`huggingface.co` has no such file in `town/models`" in ran.err
    assert "look at https://huggingface.co/town/models" in ran.err


def test_content_under_another_name_is_used(one: Machine, town: Town, tmp_path: Path) -> None:
    own = put(tmp_path / "library/loras/my own.safetensors", tensor_file(STYLE))
    one.ok("model", "index", "dir", str(tmp_path / "library"))
    before = times_stored(town, tensor_file(STYLE))
    ran = one.ok("model", "download", town.model_url(STYLE))
    assert ran.out == f"✓ tiny-style.safetensors was here already: {own}\n"
    assert times_stored(town, tensor_file(STYLE)) == before
    assert [path for path in (tmp_path / "library").rglob("*") if path.is_file()] == [own]


def test_content_in_a_hugging_face_cache_is_linked(
    one: Machine, town: Town, tmp_path: Path
) -> None:
    content = tensor_file(TWIN, 65_536)
    blob = put(tmp_path / "hub/models--town--models/blobs" / content_name(content), content)
    before = times_stored(town, content)
    one.ok("model", "download", town.model_url(TWIN), HF_HUB_CACHE=str(tmp_path / "hub"))
    assert times_stored(town, content) == before
    linked = one.home / "models" / TWIN
    assert linked.samefile(blob)


def test_a_folder_that_takes_no_file_is_named(one: Machine, town: Town) -> None:
    folder = one.home / "models/vae"
    folder.mkdir(parents=True)
    folder.chmod(0o555)
    if os.geteuid() == 0:
        folder.rmdir()
        folder.write_text("what root cannot write into either", encoding="utf-8")
    ran = one.run("model", "download", town.model_url(VAE))
    assert ran.exit_code == 3
    assert f"{folder}" in ran.out
    folder.chmod(0o755)


def test_a_source_is_pinned_and_compared(one: Machine, town: Town, tmp_path: Path) -> None:
    put(tmp_path / "library" / VAE, tensor_file(VAE))
    one.ok("model", "index", "dir", str(tmp_path / "library"))
    one.ok("model", "verify", "--all")
    added = one.ok("model", "add-source", VAE, town.model_url(VAE), "--json").envelope["data"]
    assert f"/resolve/{COMMIT}/" in added["url"]
    other = one.run("model", "add-source", VAE, town.model_url(STYLE))
    assert other.exit_code == 2
    assert f"is another file than `{VAE}`" in other.err
    gone = one.run("model", "add-source", VAE, town.model_url("vae/gone.safetensors"))
    assert gone.exit_code == 1
    page = one.run("model", "add-source", VAE, "https://civitai.com/models/1")
    assert (page.exit_code, "modelVersionId" in page.err) == (1, True)
    away = f"http://127.0.0.1:9/{VAE}"
    kept = one.ok("model", "add-source", VAE, away)
    assert "not checked: " in kept.err
    sources = one.ok("model", "info", VAE, "--json").envelope["data"]["sources"]
    assert sorted(sources) == sorted([away, *added["urls"]])


def test_the_line_is_used_as_far_as_it_may_be(one: Machine, host: ModelHost) -> None:
    started = time.monotonic()
    words = ("--limit-rate", "16MB", "--connections", "2")
    one.ok("model", "download", f"{host.url}/{BIG}", *words)
    assert time.monotonic() - started > 0.8
    assert host.most_at_once <= 2
    refused = one.run("model", "download", f"{host.url}/{BIG}", "--connections", "99")
    assert refused.exit_code == 2


def with_three(one: Machine, host: ModelHost, faults: str) -> None:
    """An environment whose workflow asks for three models, with the addresses in it."""
    one.ok("create", "work", "--torch-backend", "none")
    loaders = ("VAELoader", "LoraLoaderModelOnly", "UpscaleModelLoader")
    named = [
        (loader, path.rpartition("/")[2], path.partition("/")[0])
        for loader, path in zip(loaders, THREE, strict=True)
    ]
    graph = workflow(named, ["SaveImage"])
    for node, path in zip(graph["nodes"], THREE, strict=False):
        folder, _, name = path.partition("/")
        declared = {"name": name, "url": f"{host.url}/_/{faults}/{path}", "directory": folder}
        node["properties"]["models"] = [declared]
    save_workflow(one, "work", "three", graph)


def test_two_processes_fetch_each_model_once(one: Machine, host: ModelHost) -> None:
    faults = "slow=200000,norange"
    with_three(one, host, faults)
    command = one.command(("model", "download", "--workflow", "three", "--json"))
    both = [
        subprocess.Popen(
            command,
            env=one.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    for path in THREE:
        content = (one.home / "models" / path).read_bytes()
        assert content == tensor_file(path, 10_000)
        assert host.sent(f"/_/{faults}/{path}") == len(content)


def test_what_a_workflow_lacks_is_fetched(one: Machine, host: ModelHost) -> None:
    with_three(one, host, "redir")
    ran = one.ok("model", "download", "--workflow", "three")
    assert len(ran.out.splitlines()) == 3
    assert "✅ Downloaded 3/3 models" in ran.err
    again = one.ok("model", "download", "--workflow", "three")
    assert again.out == "Nothing to download: the workflow has every model it asks for\n"


def test_ctrl_c_says_how_to_go_on_and_nothing_is_fetched_twice(
    one: Machine, host: ModelHost
) -> None:
    path = f"/_/slow=2000000/{BIG}"
    words = ("model", "download", host.url + path, "--connections", "2")
    child = terminal(one, *words)
    child.expect(r" [3-9]\.\d MB")
    child.sendintr()
    child.expect("was interrupted")
    child.expect("the same command again goes on with what is left to do")
    assert exit_code(child) == 130
    content = tensor_file(BIG, BIG_REPEATS)
    place = one.home / "models" / BIG
    assert not place.exists()
    one.ok(*words)
    assert place.read_bytes() == content
    assert 0 <= host.sent(path) - len(content) <= MIB

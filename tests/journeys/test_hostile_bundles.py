"""A stranger's bundle through the real command: refused in one line, or no more than agreed to.

The bad bundles are those of ``tests/hostile``; here is a sample of them, and what an import meets
after it was agreed to.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.bundles import (
    LOCK,
    PROJECT,
    Change,
    both,
    changed,
    files_of,
    listed,
    packed,
    swap,
    tell,
)
from tests.hostile.corpus import REFUSED
from tests.hostile.good import GOOD
from tests.hostile.honest import UNHEEDED
from tests.hub.serving import Exchange, Served, serving
from tests.journeys.machines import Machine, machine
from tests.journeys.town import Town, git, pack_files, write_files

SAMPLE = (
    *("name '../x'", "name '/tmp/comfydock-hostile'", "name 'dev_nodes/my-dev/.git/config'"),
    *("type b'2'", "x: an absolute path", "a second member", "the last byte missing"),
    *("place uv.toml", "manifest: deep", "an environment named '../x'"),
    *("lock: an option behind a version", ".python-version '/tmp/evil'"),
    *("project: a key that writes a hint", "requirement: an address", "git: another transport"),
    *("node: a twin", "model: out of its folder", "source: a password"),
)
SECRETS = {
    "GITHUB_TOKEN": "ghp_secret",
    "CIVITAI_API_KEY": "secret",
    "UV_INDEX_URL": "https://user:secret@evil.example/simple",
    "PIP_EXTRA_INDEX_URL": "https://user:secret@evil.example/simple",
}
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.fixture
def sink() -> Iterator[Served]:
    """A host that stands for all that nobody may ask."""

    def answer(exchange: Exchange) -> None:
        exchange.reply(404)

    with serving(answer) as served:
        yield served


@pytest.fixture
def receiver(town: Town, sink: Served, tmp_path: Path) -> Machine:
    """A machine with secrets, for which ``evil.example`` is the sink."""
    one = machine(tmp_path / "receiver", town)
    mirrors = f"{town.variables['COMFYDOCK_MIRRORS']} https://evil.example/={sink.url}/"
    return Machine(
        home=one.home, variables={**one.variables, **SECRETS, "COMFYDOCK_MIRRORS": mirrors}
    )


def through(one: Machine, sink: Served) -> Machine:
    """The same machine where every way out leads through the sink."""
    return Machine(home=one.home, variables={**one.variables, **dict.fromkeys(PROXIES, sink.url)})


def requests_seen(town: Town) -> int:
    return len(town.git.requests) + len(town.registry.requests) + len(town.models.requests)


def written(bundle: Path, change: Change, folder: Path) -> str:
    target = folder / "hostile.tar.gz"
    target.write_bytes(packed(listed(changed(change, files_of(bundle.read_bytes())))))
    return str(target)


@pytest.mark.parametrize("what", SAMPLE)
def test_it_is_refused_before_anything_happens(
    what: str, bundle: Path, receiver: Machine, town: Town, sink: Served, tmp_path: Path
) -> None:
    wanted = REFUSED[what]
    before = requests_seen(town)
    hostile = tmp_path / "hostile.tar.gz"
    hostile.write_bytes(wanted.make(files_of(bundle.read_bytes())))
    one = through(receiver, sink)
    for words in (("inspect",), ("import", "--yes", "--trust-code"))[not wanted.inspected :]:
        ran = one.run(*words, str(hostile), "--json")
        assert ran.exit_code == 1
        (error,) = ran.envelope["errors"]
        assert error["code"] in ("bundle", "manifest")
        sentence = error["message"].partition("\n")[0]
        assert wanted.named in sentence
        assert wanted.rule in sentence
    assert not receiver.place("studio").exists()
    assert requests_seen(town) == before
    assert sink.requests == ()


def test_looking_asks_nobody(bundle: Path, receiver: Machine, town: Town, sink: Served) -> None:
    before = requests_seen(town)
    one = through(receiver, sink)
    one.ok("inspect", str(bundle))
    assert one.run("import", str(bundle)).exit_code == 4
    assert requests_seen(town) == before
    assert sink.requests == ()


def test_what_is_asked_of_uv_is_not_heard(
    bundle: Path, receiver: Machine, sink: Served, tmp_path: Path
) -> None:
    odd = files_of(bundle.read_bytes())
    good = listed(GOOD)
    for what, honest in UNHEEDED.items():
        # TOML has a table once.
        if what == "a path for uv":
            continue
        after = files_of(honest.make(GOOD))
        for name in (PROJECT, LOCK):
            added = after[name].removeprefix(good[name])
            odd[name] += added if after[name].startswith(good[name]) else b""
    hostile = tmp_path / "odd.tar.gz"
    swap(PROJECT, "package = false", 'package = true\npython-install-mirror = "../x"')(odd)
    hostile.write_bytes(packed(listed(odd)))
    receiver.ok("import", str(hostile), "--yes", "--trust-code")
    cec = receiver.place("studio") / ".cec"
    for name in (PROJECT, LOCK):
        text = (cec / name).read_text(encoding="utf-8")
        assert [word for word in ("evil", "../", "build-system") if word in text] == []
    assert sink.requests == ()


def test_a_bundle_without_a_good_name_can_have_another(
    bundle: Path, receiver: Machine, tmp_path: Path
) -> None:
    hostile = written(bundle, tell(environment_name="../x"), tmp_path)
    refused = receiver.run("import", hostile, "--json")
    assert "--name" in refused.envelope["errors"][0]["hint"]
    receiver.ok("import", hostile, "--name", "mine", "--yes", "--trust-code", "--dry-run")


def git_node(town: Town, name: str) -> Path:
    folder = town.repositories / "evil" / name
    write_files(folder, pack_files("AcmeGit", "colorama"))
    git(folder, "init", "-q", "-b", "master", ".")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "good")
    return folder


def with_git_node(town: Town, name: str, commit: str) -> Change:
    return both(
        swap(PROJECT, "github.com/acme/acme-git", f"github.com/evil/{name}"),
        swap(PROJECT, town.git_node_commit, commit),
    )


@pytest.mark.parametrize("kind", ["heads", "tags"])
def test_a_ref_that_is_named_like_a_commit_is_not_taken_for_it(
    kind: str, bundle: Path, receiver: Machine, town: Town, tmp_path: Path
) -> None:
    folder = git_node(town, f"named-{kind}")
    good = git(folder, "rev-parse", "HEAD")
    pinned = good if kind == "tags" else "ab" * 20
    write_files(folder, {"evil.py": "evil = True\n"})
    git(folder, "checkout", "-q", "-b", "other")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "evil")
    git(folder, "update-ref", f"refs/{kind}/{pinned}", "HEAD")
    git(folder, "checkout", "-q", "master")
    hostile = written(bundle, with_git_node(town, folder.name, pinned), tmp_path)
    ran = receiver.run("import", hostile, "--yes", "--trust-code", "--json")
    node = receiver.place("studio") / "ComfyUI/custom_nodes/acme-git"
    assert ran.exit_code == (0 if kind == "tags" else 3)
    assert node.exists() == (kind == "tags")
    assert not (node / "evil.py").exists()

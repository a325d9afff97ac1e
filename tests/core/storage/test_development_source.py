from __future__ import annotations

import os
from pathlib import Path

import pytest
from comfydock_core.domain.settings import HostSettings
from comfydock_core.errors import StorageError
from comfydock_core.storage.development_source import (
    development_files,
    measure,
    repositories_inside,
)
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


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("gone", "the development node `node` is missing"),
        ("file", "the development node `node` is a single file"),
        ("link", "the development node `node` is a link to `/"),
        ("broken link", "the development node `node` is a link to `nowhere`"),
    ],
)
def test_a_node_that_is_no_folder_is_named(tmp_path: Path, kind: str, sentence: str) -> None:
    node = tmp_path / "node"
    if kind == "file":
        node.write_text("")
    elif kind == "link":
        node.symlink_to(write_files(tmp_path / "outside", {"a.py": ""}))
    elif kind == "broken link":
        node.symlink_to("nowhere")
    with pytest.raises(StorageError) as caught:
        development_files(Git(HostSettings(), VARIABLES), node, tmp_path / "empty.git")
    assert caught.value.sentence.startswith(sentence)
    assert str(node) in caught.value.hint or kind == "file"
    assert caught.value.subject == "node"


FALLBACK = ("__pycache__/x", "a.pyc", "s/.git", "node_modules/x", ".venv/x", "a.egg-info/x")


@pytest.mark.parametrize("left_out", FALLBACK)
@pytest.mark.parametrize("rules", [{}, {".gitignore": "!*\n!.venv\n!__pycache__\n"}])
@pytest.mark.parametrize("below", ["", "sub/", "vendor/inner/"])
def test_the_fall_back_patterns_hold_whatever_is_ignored_or_tracked(
    tmp_path: Path, left_out: str, rules: dict[str, str], below: str
) -> None:
    files = {f"{below}{left_out}": "x", f"{below}kept.py": "x", **rules}
    node = write_files(tmp_path / "node", files)
    if ".git" not in left_out:
        make_repository(node, "v1")
    assert listed(tmp_path) == tuple(sorted({f"{below}kept.py", *rules}))


def test_the_largest_files_and_the_total(tmp_path: Path) -> None:
    sizes = {"a": 1, "b/c": 70, "d": 70, "e": 3, "f": 4, "g": 5, "h": 0}
    node = write_files(tmp_path, {name: "x" * size for name, size in sizes.items()})
    size = measure(node, sizes)
    assert size.total == sum(sizes.values())
    assert size.largest == (("b/c", 70), ("d", 70), ("g", 5), ("f", 4), ("e", 3))
    assert measure(node, ()).largest == ()
    with pytest.raises(StorageError, match="gone"):
        measure(node, ["gone"])


def test_repositories_inside_are_named(tmp_path: Path) -> None:
    node = write_files(tmp_path / "node", {"a.py": "", "vendor/inner/b.py": "", "HEAD": ""})
    make_repository(node, "v1")
    make_repository(node / "vendor/inner", "v1")
    git(node, "clone", "--quiet", "--bare", str(node), "fixtures/store.git")
    write_files(node, {"plain/HEAD": "", "plain/config": "", "other/objects/x": ""})
    assert repositories_inside(node, listed(tmp_path)) == (
        "`fixtures/store.git` is a bare git repository",
        "`vendor/inner` is a git repository of its own",
    )


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

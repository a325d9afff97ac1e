from __future__ import annotations

import os
from pathlib import Path

import pytest
from comfydock_core.domain.bundle import DevelopmentOrigin
from comfydock_core.domain.settings import HostSettings
from comfydock_core.storage.development_origin import development_origin, public_address
from comfydock_core.storage.git import Git

from tests.journeys.town import git, make_repository, write_files

VARIABLES = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull}
REMOTE = "https://github.com/acme/pack.git"


def origin_of(folder: Path) -> DevelopmentOrigin:
    return development_origin(Git(HostSettings(), VARIABLES), folder)


def repository(tmp_path: Path, *, pushed: bool = True) -> tuple[Path, str]:
    """Make a node with one commit; ``pushed`` says that a remote-tracking branch holds it."""
    node = write_files(tmp_path / "node", {"a.py": "1", "sub/b.py": "", ".gitignore": "*.log\n"})
    commit = make_repository(node, "v1")
    git(node, "remote", "add", "origin", REMOTE)
    if pushed:
        git(node, "update-ref", "refs/remotes/origin/main", commit)
    return node, commit


@pytest.mark.parametrize(
    ("files", "dirty"),
    [
        ({}, False),
        ({"new.py": ""}, True),
        ({"sub/b.py": "changed"}, True),
        ({"ignored.log": ""}, False),
        ({"new/folder/x.py": ""}, True),
    ],
)
def test_changed_and_new_files_make_it_dirty(
    tmp_path: Path, files: dict[str, str], dirty: bool
) -> None:
    node, commit = repository(tmp_path)
    write_files(node, files)
    assert origin_of(node) == DevelopmentOrigin(remote=REMOTE, commit=commit, dirty=dirty)


def test_a_file_that_was_deleted_or_staged_makes_it_dirty(tmp_path: Path) -> None:
    node, _ = repository(tmp_path)
    (node / "a.py").unlink()
    assert origin_of(node).dirty
    git(node, "add", "--all")
    assert origin_of(node).dirty


def test_commits_that_no_remote_branch_holds_are_unpushed(tmp_path: Path) -> None:
    node, commit = repository(tmp_path, pushed=False)
    assert origin_of(node) == DevelopmentOrigin(remote=REMOTE, commit=commit, unpushed=True)
    git(node, "update-ref", "refs/remotes/fork/topic", commit)
    assert not origin_of(node).unpushed
    write_files(node, {"a.py": "2"})
    git(node, "commit", "--quiet", "--all", "-m", "more")
    assert origin_of(node).unpushed


def test_no_repository_of_its_own_although_the_folder_above_is_one(tmp_path: Path) -> None:
    make_repository(write_files(tmp_path, {"node/a.py": ""}), "v1")
    assert origin_of(tmp_path / "node") == DevelopmentOrigin()


def test_before_the_first_commit(tmp_path: Path) -> None:
    node = write_files(tmp_path / "node", {"a.py": ""})
    git(node, "init", "--quiet")
    assert origin_of(node) == DevelopmentOrigin(dirty=True)


def test_a_work_tree_of_another_repository(tmp_path: Path) -> None:
    node, commit = repository(tmp_path)
    git(node, "worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"))
    assert origin_of(tmp_path / "tree") == DevelopmentOrigin(remote=REMOTE, commit=commit)


@pytest.mark.parametrize("content", ["", "gitdir: /nowhere\n"])
def test_what_only_looks_like_a_repository_counts_as_different(
    tmp_path: Path, content: str
) -> None:
    node = write_files(tmp_path / "node", {"a.py": "", ".git": content})
    assert origin_of(node) == DevelopmentOrigin(dirty=True)


def test_a_broken_repository_counts_as_different(tmp_path: Path) -> None:
    node, _ = repository(tmp_path)
    (node / ".git/index").write_bytes(b"broken")
    assert origin_of(node).dirty


def test_the_first_remote_by_name_without_an_origin(tmp_path: Path) -> None:
    node, _ = repository(tmp_path)
    git(node, "remote", "remove", "origin")
    git(node, "remote", "add", "zoe", "https://h.org/zoe/p.git")
    git(node, "remote", "add", "bob", "https://u:secret@h.org/bob/p.git")
    assert origin_of(node).remote == "https://h.org/bob/p.git"


def test_nothing_of_it_runs_and_nothing_is_written(tmp_path: Path) -> None:
    node, commit = repository(tmp_path)
    trap, mark = tmp_path / "trap", tmp_path / "ran"
    trap.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    trap.chmod(0o755)
    included = write_files(tmp_path, {"more": f'[filter "y"]\n\tclean = {trap}\n'}) / "more"
    runs = ("core.fsmonitor", "filter.x.clean", "filter.x.process", "core.pager", "gpg.program")
    for key in (*runs, "core.sshCommand", "core.alternateRefsCommand", "diff.external"):
        git(node, "config", key, str(trap))
    for key, value in (
        ("include.path", str(included)),
        ("core.worktree", "/etc"),
        ("filter.x.required", "true"),
        ("log.showSignature", "true"),
        ("status.submoduleSummary", "true"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.uploadpack", str(trap)),
    ):
        git(node, "config", key, value)
    for hook in ("post-index-change", "pre-commit", "reference-transaction"):
        (node / ".git/hooks").mkdir(exist_ok=True)
        (node / ".git/hooks" / hook).write_text(trap.read_text())
        (node / ".git/hooks" / hook).chmod(0o755)
    attributes = "a.py filter=x\nsub/b.py filter=y\n"
    write_files(node, {".gitattributes": attributes, "a.py": "2"})
    os.utime(node / "sub/b.py", (1, 1))
    before = (node / ".git/index").read_bytes()
    assert origin_of(node) == DevelopmentOrigin(remote=REMOTE, commit=commit, dirty=True)
    assert not mark.exists()
    assert (node / ".git/index").read_bytes() == before


def test_a_filter_with_a_name_that_cannot_be_switched_off_is_not_run(tmp_path: Path) -> None:
    node, _ = repository(tmp_path)
    mark = tmp_path / "ran"
    git(node, "config", "filter.a=b.clean", f"touch {mark}; cat")
    write_files(node, {".git/info/attributes": '* "filter=a=b"\n* filter=a=b\n', "a.py": "2"})
    assert origin_of(node).dirty
    assert not mark.exists()


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        (REMOTE, REMOTE),
        ("https://user:word@github.com/a/b", "https://github.com/a/b"),
        ("https://ghp_abcdefghijklmnopqrstuvwxyz0123456789@github.com/a/b.git",
         "https://github.com/a/b.git"),
        ("https://x-token:abc@h.org:8443/a/b.git?token=abc#x", "https://h.org:8443/a/b.git"),
        ("https://h.org/ghp_abcdefghijklmnopqrstuvwxyz0123456789/b.git", ""),
        ("http://h.org/a", "http://h.org/a"),
        ("git@github.com:a/b.git", "ssh://git@github.com/a/b.git"),
        ("github.com:a/b.git", "ssh://git@github.com/a/b.git"),
        ("ssh://git@h.org:2222/a/b.git", "ssh://git@h.org:2222/a/b.git"),
        ("ssh://bob:word@h.org/a/b.git", "ssh://h.org/a/b.git"),
        ("bob@h.org:a/b.git", "ssh://h.org/a/b.git"),
        ("/home/bob/pack", ""),
        ("../pack", ""),
        ("file:///home/bob/pack", ""),
        (r"C:\Users\bob\pack", ""),
        ("C:/Users/bob/pack", ""),
        ("https://[broken", ""),
        ("https://h.org:port/a", ""),
        ("ext::sh -c id", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_a_remote_is_named_without_what_opens_doors(remote: str, expected: str) -> None:
    assert public_address(remote) == expected

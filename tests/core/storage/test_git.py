from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from comfydock_core.domain.settings import HostSettings
from comfydock_core.errors import GitError, NetworkError
from comfydock_core.storage.git import Git, RepositoryCache

from tests.hub.git_http import git_host
from tests.journeys.town import git, make_repository, write_files

PUBLIC = "https://github.com/acme/pack"
VARIABLES = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "GIT_CONFIG_GLOBAL": os.devnull}


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """A repository with one tagged commit."""
    folder = write_files(tmp_path / "git/acme/pack", {"a.py": "1\n"})
    make_repository(folder, "v1.2.0")
    return folder


Caches = Callable[..., RepositoryCache]


@pytest.fixture
def caches(tmp_path: Path, upstream: Path) -> Iterator[Caches]:
    """Make a cache that reaches ``PUBLIC`` on loopback; ``user`` has to sign in there."""
    with git_host(upstream.parents[1]) as host, git_host(upstream.parents[1], "me:pw") as closed:

        def make(user: bool = False, **variables: str) -> RepositoryCache:
            url = closed.url if user else host.url
            hosts = HostSettings(mirrors={"https://github.com/": url})
            return RepositoryCache(Git(hosts, VARIABLES | variables), hosts, tmp_path / "cache")

        yield make


def branch(upstream: Path, name: str, **files: str) -> str:
    """Commit files on a new branch and return the commit."""
    git(upstream, "checkout", "-q", "-b", name)
    write_files(upstream, files)
    git(upstream, "add", "-A")
    git(upstream, "commit", "-q", "--allow-empty", "-m", name)
    return git(upstream, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    ("reference", "commit", "name"),
    [
        ("latest", "v1.10.0", "v1.10.0"),
        ("v1.2.0", "v1.2.0", "v1.2.0"),
        ("HEAD", "dev", None),
        ("dev", "dev", "dev"),
        ("refs/heads/master", "master", None),
    ],
)
def test_references(
    caches: Caches, upstream: Path, reference: str, commit: str, name: str | None
) -> None:
    for tag in ("v1.10.0", "v1.9.0", "v2", "nightly"):
        branch(upstream, f"for-{tag}")
        git(upstream, "tag", tag)
    branch(upstream, "dev")
    expected = git(upstream, "rev-parse", f"{commit}^{{commit}}")
    assert caches().resolve(PUBLIC, reference) == (expected, name or expected)


def test_a_repository_without_releases_gives_its_default_branch(
    caches: Caches, upstream: Path
) -> None:
    git(upstream, "tag", "-d", "v1.2.0")
    head = git(upstream, "rev-parse", "HEAD")
    assert caches().resolve(PUBLIC, "latest") == (head, head)


@pytest.mark.parametrize("reference", ["none", "--all", "-h", "a b", "0" * 40, "HEAD:a.py", ""])
def test_what_is_not_there(caches: Caches, reference: str) -> None:
    with pytest.raises(GitError, match="has no tag, branch or commit"):
        caches().resolve(PUBLIC, reference)


def test_a_branch_named_as_a_commit_does_not_stand_in_for_it(
    caches: Caches, upstream: Path, tmp_path: Path
) -> None:
    real = git(upstream, "rev-parse", "HEAD")
    evil = branch(upstream, "evil", **{"a.py": "evil"})
    git(upstream, "update-ref", f"refs/heads/{real}", evil)
    git(upstream, "update-ref", f"refs/heads/{'0' * 40}", evil)
    cache = caches()
    assert cache.resolve(PUBLIC, real) == (real, real)
    cache.check_out(PUBLIC, real, tmp_path / "tree")
    assert (tmp_path / "tree/a.py").read_text() == "1\n"
    assert not cache.has(PUBLIC, "0" * 40)
    with pytest.raises(GitError):
        cache.check_out(PUBLIC, "0" * 40, tmp_path / "other")


def test_a_commit_that_is_there_costs_no_network(caches: Caches, upstream: Path) -> None:
    cache = caches()
    commit, _ = cache.resolve(PUBLIC, "v1.2.0")
    upstream.rename(upstream.with_name("gone"))
    assert cache.resolve(PUBLIC, commit) == (commit, commit)
    assert cache.commit_time(PUBLIC, commit) == 1764547200
    with pytest.raises(NetworkError, match="could not be fetched"):
        cache.resolve(PUBLIC, "master")


def test_a_work_tree_borrows_and_remembers_the_public_address(
    caches: Caches, tmp_path: Path
) -> None:
    cache = caches()
    commit, _ = cache.resolve(PUBLIC + ".git", "latest")
    assert cache.path_of(PUBLIC + ".git") == cache.path_of(PUBLIC)
    tree = tmp_path / "tree"
    cache.check_out(PUBLIC, commit, tree)
    assert git(tree, "rev-parse", "HEAD") == commit
    assert git(tree, "remote", "get-url", "origin") == PUBLIC
    assert git(tree, "status", "--porcelain") == ""
    assert not any((tree / ".git/objects").rglob("??/*"))


def test_a_branch_that_became_a_folder_of_branches_can_be_fetched(
    caches: Caches, upstream: Path
) -> None:
    old = branch(upstream, "a")
    cache = caches()
    cache.resolve(PUBLIC, "a")
    git(upstream, "checkout", "-q", "master")
    git(upstream, "branch", "-q", "-D", "a")
    new = branch(upstream, "a/b")
    assert cache.resolve(PUBLIC, "a/b") == (new, "a/b")
    assert cache.has(PUBLIC, old)


def test_nothing_of_a_repository_runs(caches: Caches, upstream: Path, tmp_path: Path) -> None:
    """Hooks of the repository and of the user's template, attributes, fsmonitor, submodules."""
    trap, mark = tmp_path / "trap", tmp_path / "ran"
    template = write_files(tmp_path / "template/hooks", {})
    template.mkdir(parents=True)
    trap.write_text(f"#!/bin/sh\necho $0 >> {mark}\ncat\n")
    trap.chmod(0o755)
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        (template / hook).symlink_to(trap)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f"[init]\ntemplateDir = {template.parent}\n[core]\nhooksPath = {template}\n"
        f"fsmonitor = {trap}\n[gpg]\nprogram = {trap}\n[commit]\ngpgSign = true\n"
    )
    write_files(
        upstream,
        {
            ".gitattributes": "*.py filter=evil diff=evil\n",
            ".gitmodules": f'[submodule "s"]\npath = s\nurl = {upstream}\n',
            ".lfsconfig": "[lfs]\nurl = http://127.0.0.1:1/\n",
        },
    )
    branch(upstream, "dev")
    cache = caches(GIT_CONFIG_GLOBAL=str(settings))
    commit, _ = cache.resolve(PUBLIC, "dev")
    cache.check_out(PUBLIC, commit, tmp_path / "tree")
    tool = Git(HostSettings(), VARIABLES | {"GIT_CONFIG_GLOBAL": str(settings)})
    tool.checked("status", "--porcelain", folder=tmp_path / "tree")
    names = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    tool.checked(*names, "commit", "-q", "--allow-empty", "-m", "x", folder=tmp_path / "tree")
    assert not mark.exists()
    assert (tmp_path / "tree/a.py").read_text() == "1\n"


def test_a_submodule_that_names_a_command_is_refused(caches: Caches, upstream: Path) -> None:
    branch(upstream, "dev", **{".gitmodules": '[submodule "s"]\npath=s\nurl=u\nupdate=!id\n'})
    with pytest.raises(NetworkError) as caught:
        caches().update(PUBLIC)
    assert "gitmodulesUpdate" in caught.value.cause


def test_nobody_is_asked_for_a_password(caches: Caches, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    window = tmp_path / "window"
    window.write_text(f"#!/bin/sh\ntouch {asked}\necho me\n")
    window.chmod(0o755)
    cache = caches(user=True, SSH_ASKPASS=str(window), GIT_ASKPASS=str(window), DISPLAY=":0")
    with pytest.raises(NetworkError, match="could not be fetched"):
        cache.update(PUBLIC)
    assert not asked.exists()


@pytest.mark.parametrize(
    "name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_EXEC_PATH", "GIT_SSH_COMMAND"]
)
def test_variables_do_not_steer(upstream: Path, name: str) -> None:
    tool = Git(HostSettings(), VARIABLES | {name: "/nowhere"})
    top = tool.checked("rev-parse", "--show-toplevel", folder=upstream)
    assert Path(top).samefile(upstream)


def test_settings_by_variables_do_not_steer(upstream: Path) -> None:
    more = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "evil"}
    tool = Git(HostSettings(), VARIABLES | more | {"GIT_CONFIG_PARAMETERS": "'user.name=evil'"})
    assert tool.run("config", "user.name", folder=upstream).output == ""


HTTP = HostSettings(
    allowed=frozenset({"nas.local"}), mirrors={"https://one.org/": "ssh://two.org/"}
)


@pytest.mark.parametrize(
    ("repository", "protocol"),
    [
        ("https://h.org/x", "https"),
        ("HTTPS://h.org/x", "https"),
        ("http://nas.local/x", "http"),
        ("ssh://git@nas.local/x", "ssh"),
        ("https://one.org/x", "ssh"),
        ("/named/by/hand", "file"),
    ],
)
def test_protocols(repository: str, protocol: str) -> None:
    tool = Git(HTTP, VARIABLES)
    tool.allow_folder("/named/by/hand")
    assert tool.protocol_for(repository, HTTP.reach(repository)) == protocol


@pytest.mark.parametrize(
    ("repository", "words"),
    [
        ("http://h.org/x", "over `http`"),
        ("ssh://git@h.org/x", "over `ssh`"),
        ("git://h.org/x", "over `git`"),
        ("file:///etc", "over `file`"),
        ("ext::sh -c id ://", "which is not allowed"),
        ("--upload-pack=id://x", "which is not allowed"),
        ("git@h.org:x", "no https address"),
        ("ext::sh -c id", "no https address"),
        ("/etc", "no https address"),
        ("../x", "no https address"),
        ("", "no https address"),
        ("https://me:pw@h.org/x", "carries a user name or password"),
        ("https://token@h.org/x", "carries a user name or password"),
    ],
)
def test_protocols_that_are_refused(tmp_path: Path, repository: str, words: str) -> None:
    cache = RepositoryCache(Git(HTTP, VARIABLES), HTTP, tmp_path)
    with pytest.raises(GitError, match=words) as caught:
        cache.update(repository)
    assert "pw" not in caught.value.sentence
    assert os.listdir(tmp_path) == []


def test_a_rewrite_of_the_user_changes_no_address(caches: Caches, tmp_path: Path) -> None:
    """Many have `insteadOf = https://github.com/` for ssh, which is not allowed here."""
    settings = tmp_path / "gitconfig"
    settings.write_text(f'[url "{tmp_path / "git"}/"]\ninsteadOf = http://127.0.0.1\n')
    mirror = caches(GIT_CONFIG_GLOBAL=str(settings)).update(PUBLIC)
    assert (mirror / "FETCH_HEAD").exists()


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="is no folder"):
        Git(HostSettings(), VARIABLES).run("status", folder=tmp_path / "none")
    with pytest.raises(GitError, match="`git` is not installed"):
        Git(HostSettings(), {"PATH": str(tmp_path)}).run("status", folder=tmp_path)
    with pytest.raises(GitError, match="`git status` failed") as caught:
        Git(HostSettings(), VARIABLES).checked("status", folder=tmp_path)
    assert "not a git repository" in caught.value.cause


def test_mirrors_of_like_names_are_apart(tmp_path: Path) -> None:
    cache: Any = RepositoryCache(Git(HTTP, VARIABLES), HTTP, tmp_path)
    places = {cache.path_of(f"https://h.org/{name}") for name in ("a-b", "a/b", "a_b", "A-b")}
    assert len(places) == 4
    assert all(place.parent == tmp_path for place in places)
    assert len(cache.path_of("https://h.org/" + "a" * 1000).name) < 100

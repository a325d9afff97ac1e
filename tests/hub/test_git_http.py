"""The git server is a real one: git clones from it, by branch and by commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.hub.git_http import git_host

_IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.org")


def git(*words: str) -> str:
    return subprocess.run(
        ["git", *_IDENTITY, *words], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repositories(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    git("init", "-q", "-b", "main", str(work))
    (work / "a.txt").write_text("a")
    git("-C", str(work), "add", ".")
    git("-C", str(work), "commit", "-q", "-m", "one")
    git("clone", "-q", "--bare", str(work), str(tmp_path / "served" / "acme" / "pack.git"))
    return tmp_path / "served"


@pytest.mark.parametrize("name", ["/acme/pack", "/acme/pack.git"])
def test_a_repository_can_be_cloned_by_either_name(
    repositories: Path, tmp_path: Path, name: str
) -> None:
    with git_host(repositories) as served:
        git("clone", "-q", "--filter=blob:none", served.url + name, str(tmp_path / "clone"))
        assert (tmp_path / "clone" / "a.txt").read_text() == "a"
        commit = git("-C", str(tmp_path / "clone"), "rev-parse", "HEAD")
        git("init", "-q", str(tmp_path / "other"))
        git("-C", str(tmp_path / "other"), "fetch", "-q", served.url + name, commit)
        assert any(seen.method == "POST" for seen in served.requests)


def test_a_private_repository_wants_its_user(repositories: Path, tmp_path: Path) -> None:
    with git_host(repositories, user="u:p") as served:
        with pytest.raises(subprocess.CalledProcessError):
            git("-c", "core.askPass=true", "clone", f"{served.url}/acme/pack", str(tmp_path / "x"))
        signed_in = served.url.replace("://", "://u:p@")
        git("clone", "-q", f"{signed_in}/acme/pack", str(tmp_path / "y"))
        assert (tmp_path / "y" / "a.txt").exists()

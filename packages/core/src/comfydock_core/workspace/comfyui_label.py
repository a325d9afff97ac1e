"""What a ComfyUI commit is called: a bundle's word for it, held against the repository's tags."""

from __future__ import annotations

import re

from comfydock_core.workspace.workspace import Workspace

_RELEASE = re.compile(r"v?\d+(\.\d+)+")


def true_label(workspace: Workspace, repository: str, commit: str, label: str) -> str:
    """Return ``label``, or what ``commit`` really is where the mirror knows that it is not that.

    What is no release (a branch, a commit) and a release that the mirror does not know are
    believed, the latter only where the commit has no release's tag.
    """
    known = workspace.tools.repositories.has
    if not _RELEASE.fullmatch(label) or not known(repository, commit):
        return label
    tags = _tags(workspace, repository, f"--points-at={commit}")
    if label in tags or f"v{label}" in tags:
        return label
    releases = [tag for tag in tags if _RELEASE.fullmatch(tag)]
    if releases:
        return releases[0]
    return commit[:8] if _tags(workspace, repository, f"refs/tags/{label}") else label


def _tags(workspace: Workspace, repository: str, *chosen: str) -> list[str]:
    mirror = workspace.tools.repositories.path_of(repository)
    words = ("for-each-ref", "--sort=-version:refname", "--format=%(refname:strip=2)", *chosen)
    names = words if chosen[0].startswith("refs/") else (*words, "refs/tags")
    return workspace.tools.git.checked(*names, folder=mirror, git_dir=mirror).split()

"""ComfyUI's own files, changed from one commit to another around what is the user's."""

from __future__ import annotations

from comfydock_core.errors import GitError
from comfydock_core.storage.durable_files import storage_errors, write_durably
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.workspace import Workspace


def comfyui_head(workspace: Workspace, environment: Environment) -> str:
    """Return the commit that ComfyUI is checked out at."""
    return workspace.tools.git.checked("rev-parse", "HEAD", folder=environment.comfyui_path)


def fetch_comfyui(
    workspace: Workspace, environment: Environment, repository: str, commit: str
) -> None:
    """Make ``commit`` known to the checkout, from the cache where that has it."""
    repositories = workspace.tools.repositories
    if not repositories.has(repository, commit):
        repositories.update(repository)
    if not repositories.has(repository, commit):
        raise GitError(f"`{repository}` has no commit `{commit[:12]}`", subject=commit)
    borrowed = environment.comfyui_path / ".git" / "objects" / "info" / "alternates"
    place = (repositories.path_of(repository) / "objects").as_posix()
    with storage_errors(borrowed):
        known = borrowed.read_text(encoding="utf-8").splitlines() if borrowed.exists() else []
    if place not in known:
        write_durably(borrowed, "".join(f"{line}\n" for line in (*known, place)).encode())


def check_unchanged(workspace: Workspace, environment: Environment, commit: str) -> None:
    """Raise GitError where going to ``commit``, which is known, would lose files of the user's."""
    run, folder = workspace.tools.git.checked, environment.comfyui_path
    changed = run("diff", "--name-only", "-z", "HEAD", "--", folder=folder).split("\0")
    added = run(
        *("diff", "--name-only", "-z", "--no-renames", "--diff-filter=A", "HEAD", commit, "--"),
        folder=folder,
    )
    in_the_way = (name for name in added.split("\0") if name and (folder / name).exists())
    if theirs := [name for name in (*changed, *in_the_way) if name]:
        raise GitError(
            f"`ComfyUI/{theirs[0]}` was changed by hand, and another ComfyUI would replace it",
            hint="move your version of it away, undo the change, then run the same command again",
            subject=theirs[0],
        )


def switch_comfyui(
    workspace: Workspace, environment: Environment, commit: str, leaving: str
) -> None:
    """Check out ``commit``; whatever a killed switch between it and ``leaving`` left is mended.

    Files that are in neither of the two stay as they are.
    """
    run, folder = workspace.tools.git.checked, environment.comfyui_path
    with storage_errors(folder):
        (folder / ".git" / "index.lock").unlink(missing_ok=True)
    if comfyui_head(workspace, environment) == commit:
        # HEAD moves last, so only the way back can find files of the other commit here.
        run("read-tree", "--reset", leaving, folder=folder)
    run("checkout", "--quiet", "--force", "--detach", commit, folder=folder)
    if comfyui_head(workspace, environment) != commit:
        raise GitError(f"ComfyUI is not at `{commit[:12]}`", subject=commit)

"""Every failure: a code for programs, a sentence and a hint for people, an exit code for shells.

Exit codes: 1 failed, 2 wrong usage, 3 done with issues, 4 an answer was needed, 130 interrupted.
"""

from __future__ import annotations


class ComfydockError(Exception):
    """A failure that a user can read.

    ``sentence`` names what failed and where, with the thing in backticks; ``cause`` is what the
    other side said; ``hint`` is a command or a step that helps; ``subject`` is the bare name of
    the thing (a file, a node, a key).
    """

    code = "failed"
    exit_code = 1

    def __init__(
        self, sentence: str, *, hint: str = "", cause: str = "", subject: str = ""
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint
        self.cause = cause
        self.subject = subject

    @property
    def in_one_line(self) -> str:
        """The sentence, the first line of the cause, and what to do."""
        return "; ".join(filter(None, (self.sentence, self.cause.partition("\n")[0], self.hint)))


class UsageError(ComfydockError):
    """The command's words are wrong, or name something that is not there."""

    code = "usage"
    exit_code = 2


class NotFoundError(UsageError):
    """An environment, node, workflow or model of that name does not exist."""

    code = "not-found"


class AnswerNeededError(ComfydockError):
    """A question has to be answered and nobody is there to answer it."""

    code = "answer-needed"
    exit_code = 4


class CancelledError(ComfydockError):
    """The user said no; nothing was done."""

    code = "cancelled"


class ManifestError(ComfydockError):
    """A pyproject.toml or manifest.json that does not say what it must; the key path is named."""

    code = "manifest"


class BundleError(ComfydockError):
    """A bundle or archive that breaks a rule; the member and the rule are named."""

    code = "bundle"


class WorkflowError(ComfydockError):
    """A file that is no workflow, or one that cannot be changed as asked."""

    code = "workflow"


class GitError(ComfydockError):
    """git refused or failed."""

    code = "git"


class PythonEnvironmentError(ComfydockError):
    """uv could not resolve or install."""

    code = "python-environment"


class RequirementConflictError(PythonEnvironmentError):
    """Two sides ask for versions of one package that exclude each other; nothing was changed."""

    code = "conflict"


class NodeError(ComfydockError):
    """A node pack that cannot be found, fetched or installed."""

    code = "node"


class NetworkError(ComfydockError):
    """A host that could not be reached, or that refused; the host is named."""

    code = "network"


class DownloadError(NetworkError):
    """A file that could not be fetched whole and verified from any of its sources."""

    code = "download"


class StorageError(ComfydockError):
    """The disk said no: full, read-only, or something is in the way."""

    code = "storage"


class DiskFullError(StorageError):
    """There is no space left; with more of it the same command goes on from there."""

    code = "disk-full"

    def __init__(
        self,
        sentence: str,
        *,
        hint: str = "free some disk space, then run the same command again",
        cause: str = "",
        subject: str = "",
    ) -> None:
        super().__init__(sentence, hint=hint, cause=cause, subject=subject)


class BusyError(ComfydockError):
    """Another comfydock process holds the thing."""

    code = "busy"


class NotReadyError(ComfydockError):
    """The environment is not in the state that the command needs."""

    code = "not-ready"

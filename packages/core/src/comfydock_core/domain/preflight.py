"""What an import meets on this machine and at its hosts, found before anything is downloaded.

Sizes are in bytes. The texts are for people; what a host or a bundle said in them is a stranger's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class PreflightProblem:
    """Something that will go wrong, in a sentence, with what helps.

    ``subject`` is the bare name of the model, node, host or folder. What is ``blocking`` keeps the
    import from being begun; anything else costs what it names, and the rest goes on. What
    ``forbids`` a node names a version that must not be installed, also from a copy that is here.
    """

    subject: str
    sentence: str
    hint: str = ""
    blocking: bool = False
    forbids: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class DiskNeed:
    """What one file system is asked for; ``place`` is the folder by which people know it.

    ``certain`` is what it takes at least (files of a known size), ``estimated`` what probably comes
    on top.
    """

    place: str
    certain: int
    estimated: int
    free: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Preflight:
    """What was found; an empty text says that there is nothing to say.

    ``python`` says which Python there is or where one comes from, ``hardware`` what computes here,
    ``sender`` on what it ran at the sender's. ``cached`` are the nodes whose files are here, with
    their size where it is known, else 0; ``speeds`` are the bytes a second that were measured
    before from the hosts of its models.
    """

    python: str = ""
    hardware: str = ""
    sender: str = ""
    disks: tuple[DiskNeed, ...] = ()
    problems: tuple[PreflightProblem, ...] = ()
    cached: Mapping[str, int] = field(default_factory=dict)
    speeds: Mapping[str, float] = field(default_factory=dict)

    @property
    def blocking(self) -> tuple[PreflightProblem, ...]:
        """What has to be settled first."""
        return tuple(problem for problem in self.problems if problem.blocking)

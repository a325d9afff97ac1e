"""Facts of this machine and answers of hosts -> what an import will meet there (pure).

Sizes are in bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from comfydock_core.domain.acquisition import ImportPlan, ModelAggregate
from comfydock_core.domain.bundle import BundleManifest
from comfydock_core.domain.byte_sizes import size_text
from comfydock_core.domain.manifest import NodeInfo, TorchSpec
from comfydock_core.domain.preflight import DiskNeed, Preflight, PreflightProblem
from comfydock_core.errors import NodeError

_RESERVE = 1 << 30
"""What should stay free: a disk that is full to the last byte serves nobody."""
_SPARE = 16 << 20
"""What has to be free beside the files: folders, parts and the journal take some, too."""
_SHOWN_VERSIONS = 6
_SHOWN_PLATFORM = 40
_SHOWN_HOSTS = 6
_SYSTEMS = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}
_COMPUTES = {"cuda": "CUDA", "rocm": "ROCm", "mps": "Metal (mps)"}


@dataclass(frozen=True, kw_only=True, slots=True)
class PythonFacts:
    """Whether the Python ``wanted`` is here (``found``: its path), or can be fetched by uv
    (``fetchable``: its version, ``host``: from where). ``here`` and ``elsewhere`` are the versions
    that could be chosen instead, newest first: those of this machine and those uv can fetch.
    """

    wanted: str
    found: str = ""
    fetchable: str = ""
    host: str = ""
    here: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Computing:
    """What computes here: ``system`` as ``sys.platform`` has it, ``accelerator`` is cuda, rocm,
    mps or none, ``backend`` what was chosen for torch (``auto`` leaves it to uv)."""

    system: str
    accelerator: str
    card: str = ""
    driver: str = ""
    backend: str = "auto"

    @property
    def expected_backend(self) -> str:
        """The backend to reckon with: without a graphics card ``auto`` comes to the processor's."""
        small = self.backend == "auto" and self.accelerator in ("none", "mps")
        return "cpu" if small else self.backend


@dataclass(frozen=True, kw_only=True, slots=True)
class DiskUse:
    """What one kind of things takes below ``place``, on the file system ``device``."""

    place: str
    device: int
    free: int
    certain: int = 0
    estimated: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceCheck:
    """What was learned of the sources of a model: the ``size`` that a host states, or why none of
    them will give it. ``unreachable`` is the host that could not be asked."""

    size: int | None = None
    sentence: str = ""
    hint: str = ""
    unreachable: str = ""


def python_text(facts: PythonFacts) -> str:
    """Say which Python the environment gets."""
    if facts.found:
        return f"{facts.wanted} (on this machine)"
    if facts.fetchable:
        return f"{facts.fetchable} (uv will fetch it from {facts.host})"
    return f"{facts.wanted} (not to be had here)"


def python_problems(facts: PythonFacts) -> tuple[PreflightProblem, ...]:
    """Refuse a Python that is neither here nor to be had, with what could be taken instead."""
    if facts.found or facts.fetchable:
        return ()
    here, elsewhere = facts.here[:_SHOWN_VERSIONS], facts.elsewhere[:_SHOWN_VERSIONS]
    offers = [f"on this machine: {', '.join(here)}"] if here else []
    offers += [f"to be fetched by uv: {', '.join(elsewhere)}"] if elsewhere else []
    choice = f"choose another one with --python VERSION ({'; '.join(offers)})"
    return (
        PreflightProblem(
            subject="python",
            sentence=f"Python {facts.wanted} is not on this machine and uv cannot fetch it",
            hint=choice if offers else "install that Python, or name another with --python VERSION",
            blocking=True,
        ),
    )


def hardware_text(computing: Computing) -> str:
    """Say what computes here and what torch is installed for."""
    system = _SYSTEMS.get(computing.system, computing.system)
    what = _COMPUTES.get(computing.accelerator, "no graphics card found")
    driver = f"driver {computing.driver}" if computing.driver else ""
    facts = ", ".join(filter(None, (what, computing.card, driver)))
    return f"torch backend {computing.backend} ({system}: {facts})"


def sender_text(bundle: BundleManifest, torch: TorchSpec) -> str:
    """Say on what the environment ran at the sender's, as far as the bundle says it."""
    system = _SYSTEMS.get(bundle.platform, bundle.platform[:_SHOWN_PLATFORM])
    version = f"torch {torch.version}" if torch.version else ""
    version += f" ({torch.backend})" if version and torch.backend else ""
    return ", ".join(filter(None, (system, version)))


def hardware_problems(computing: Computing, torch: TorchSpec) -> tuple[PreflightProblem, ...]:
    """Point out a backend that this machine has nothing for, and a missing graphics card."""
    wanted = "cuda" if computing.backend.startswith("cu") else computing.backend[:4]
    if wanted in ("cuda", "rocm") and wanted != computing.accelerator:
        return (
            PreflightProblem(
                subject="torch",
                sentence=f"torch backend {computing.backend} was chosen, and no {_COMPUTES[wanted]}"
                " graphics card was found here",
                hint="--torch-backend auto takes what fits this machine",
            ),
        )
    on_a_card = torch.backend.startswith(("cu", "rocm"))
    if on_a_card and computing.expected_backend == "cpu" and computing.accelerator == "none":
        return (
            PreflightProblem(
                subject="torch",
                sentence=f"the sender computed with {torch.backend}, and no graphics card was "
                "found here: workflows will be slow",
                hint="if there is one, install its driver, or choose with --torch-backend",
            ),
        )
    return ()


def disk_needs(uses: Iterable[DiskUse]) -> tuple[DiskNeed, ...]:
    """Add up what every file system is asked for; its first place names it."""
    needs: dict[int, DiskNeed] = {}
    for use in uses:
        if use.certain + use.estimated == 0:
            continue
        known = needs.get(use.device)
        if known is None:
            known = DiskNeed(place=use.place, certain=0, estimated=0, free=use.free)
        needs[use.device] = replace(
            known,
            certain=known.certain + use.certain,
            estimated=known.estimated + use.estimated,
        )
    return tuple(needs.values())


def disk_problems(needs: Iterable[DiskNeed]) -> tuple[PreflightProblem, ...]:
    """Refuse what cannot fit, and warn of what will be tight.

    Only what is certain is a reason to refuse: Python packages may be in uv's cache already.
    """
    return tuple(problem for need in needs if (problem := _disk_problem(need)))


def _disk_problem(need: DiskNeed) -> PreflightProblem | None:
    left = f"`{need.place}` has {size_text(need.free)} left"
    if need.certain + _SPARE > need.free:
        fewer = "choose fewer models (--models required), " if need.free >= _SPARE else ""
        return PreflightProblem(
            subject=need.place,
            sentence=f"the plan needs {size_text(need.certain)} and {size_text(_SPARE)} to spare, "
            f"{left}",
            hint=f"free some space, {fewer}or choose another disk for models "
            "(comfydock model index dir FOLDER)",
            blocking=True,
        )
    whole = need.certain + need.estimated
    if whole + _RESERVE <= need.free:
        return None
    return PreflightProblem(
        subject=need.place,
        sentence=f"it will be tight: about {size_text(whole)} are needed, {left}",
        hint="what is in uv's cache already takes no space again",
    )


def source_problems(
    plan: ImportPlan, checks: Mapping[str, SourceCheck]
) -> tuple[PreflightProblem, ...]:
    """Say which downloads will fail, and why."""
    return tuple(
        PreflightProblem(subject=name, sentence=f"{name}: {check.sentence}", hint=check.hint)
        for key, check in checks.items()
        if check.sentence and (name := plan.aggregates[key].model.filename)
    )


def require_not_forbidden(node: NodeInfo, found: Preflight) -> None:
    """Raise NodeError for a version that the registry was found to warn of.

    The copies that are kept here are older than that word, and asked for by their digest alone.
    """
    for problem in found.problems:
        if problem.forbids and problem.subject == node.name:
            raise NodeError(problem.sentence, hint=problem.hint, subject=node.name)


def unreachable_problem(hosts: Sequence[str]) -> tuple[PreflightProblem, ...]:
    """Name the hosts that could not be asked, in one sentence."""
    names = tuple(dict.fromkeys(hosts))
    if not names:
        return ()
    listed = ", ".join(f"`{name}`" for name in names[:_SHOWN_HOSTS])
    more = len(names) - _SHOWN_HOSTS
    listed += f" and {more} more" if more > 0 else ""
    return (
        PreflightProblem(
            subject=names[0],
            sentence=f"{listed} could not be asked: what comes from there is not checked",
            hint="check the network connection; the import can go on later where it stopped",
        ),
    )


def bytes_of(
    aggregates: Iterable[ModelAggregate],
    checks: Mapping[str, SourceCheck],
    arrived: Mapping[str, int],
) -> int:
    """Add up what is still to be written of models; a content counts once.

    Sizes that the bundle does not know are those that hosts state; ``arrived`` is what is there.
    """
    found: dict[str, int] = {}
    for each in aggregates:
        check = checks.get(each.key)
        size = each.total_size or (check.size if check and check.size else 0)
        digest = each.content.sha256_hash if each.content else ""
        found[digest or each.key] = max(0, size - arrived.get(each.key, 0))
    return sum(found.values())

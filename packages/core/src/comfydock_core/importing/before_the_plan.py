"""Look at this machine and ask the hosts, so that a plan says beforehand what will not work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from comfydock_core.domain.acquisition import ImportPlan, ModelAcquisitionDecision
from comfydock_core.domain.download_time import source_host
from comfydock_core.domain.manifest import Manifest
from comfydock_core.domain.preflight import Preflight, PreflightProblem
from comfydock_core.domain.requirements import wants_torch
from comfydock_core.errors import DiskFullError, NotReadyError
from comfydock_core.events import StepFinished, StepStarted
from comfydock_core.importing import preflight
from comfydock_core.importing.host_checks import check_registry, check_sources
from comfydock_core.importing.inspection import environment_size
from comfydock_core.importing.preflight import Computing, DiskUse, PythonFacts, SourceCheck
from comfydock_core.importing.summary import OpenedBundle
from comfydock_core.storage.machine import FileSystem, Hardware
from comfydock_core.storage.partial_file import PartialFile
from comfydock_core.workspace.download_speeds import known_speeds
from comfydock_core.workspace.node_cache import cached_nodes
from comfydock_core.workspace.workspace import Workspace

STEP = "preflight"


class MachineFacts(Protocol):
    """What a plan is held against; ``storage.machine.ThisMachine`` asks the machine itself."""

    def hardware(self) -> Hardware:
        """Say what torch can compute with."""

    def file_system(self, place: Path) -> FileSystem:
        """Say where ``place`` is, or will be, and how much is free there."""


def look_ahead(
    workspace: Workspace,
    opened: OpenedBundle,
    plan: ImportPlan,
    machine: MachineFacts,
    *,
    ask_hosts: bool,
) -> Preflight:
    """Return what ``plan`` meets here and at its hosts; nothing is downloaded or written.

    ``ask_hosts`` says that its hosts were agreed to. They are asked for heads alone, for some 20 s
    at most.
    """
    python = _python(workspace, plan.manifest)
    computing = _computing(plan, machine)
    checks = _asked(workspace, plan) if ask_hosts else {}
    backend = computing.expected_backend if computing else "none"
    disks = preflight.disk_needs(_uses(workspace, (opened, plan), machine, (checks, backend)))
    torch = plan.manifest.torch
    return Preflight(
        python=preflight.python_text(python),
        hardware=preflight.hardware_text(computing) if computing else "",
        sender=preflight.sender_text(opened.bundle, torch),
        disks=disks,
        problems=(
            *preflight.python_problems(python),
            *preflight.disk_problems(disks),
            *(preflight.hardware_problems(computing, torch) if computing else ()),
            *(_host_problems(workspace, plan, checks) if ask_hosts else ()),
        ),
        cached=cached_nodes(workspace, plan.manifest.nodes.values()),
        speeds=_speeds(workspace, plan),
    )


def require_possible(found: Preflight) -> None:
    """Refuse an import that cannot be brought to its end: nothing was downloaded yet.

    DiskFullError where a disk is too small, NotReadyError for anything else.
    """
    if not found.blocking:
        return
    first, *rest = found.blocking
    places = {need.place for need in found.disks}
    kind = DiskFullError if first.subject in places else NotReadyError
    raise kind(
        first.sentence,
        hint=first.hint,
        cause="; ".join(problem.sentence for problem in rest),
        subject=first.subject,
    )


def _speeds(workspace: Workspace, plan: ImportPlan) -> dict[str, float]:
    hosts = {source_host(decision.source_url) for decision in plan.models_for("download")}
    return {host: v for host, v in known_speeds(workspace.root).items() if host in hosts}


def _python(workspace: Workspace, manifest: Manifest) -> PythonFacts:
    wanted, uv = manifest.python_version, workspace.tools.uv
    if path := uv.find_python(wanted):
        return PythonFacts(wanted=wanted, found=str(path))
    fitting = next((build for build in uv.pythons(wanted) if build.url), None)
    if fitting:
        host = urlsplit(fitting.url).netloc
        return PythonFacts(wanted=wanted, fetchable=fitting.version, host=host)
    builds = uv.pythons()
    return PythonFacts(
        wanted=wanted,
        here=tuple(dict.fromkeys(build.version for build in builds if build.path)),
        elsewhere=tuple(dict.fromkeys(build.version for build in builds if build.url)),
    )


def _computing(plan: ImportPlan, machine: MachineFacts) -> Computing | None:
    """Look for graphics cards only where torch is to be installed."""
    if not wants_torch(plan.manifest.requirements) or plan.torch_backend == "none":
        return None
    hardware = machine.hardware()
    return Computing(
        system=hardware.system,
        accelerator=hardware.accelerator,
        card=hardware.name,
        driver=hardware.driver,
        backend=plan.torch_backend,
    )


def _asked(workspace: Workspace, plan: ImportPlan) -> dict[str, SourceCheck]:
    downloads = plan.models_for("download")
    if not downloads:
        return {}
    report = workspace.reporter.report
    report(StepStarted(step=STEP, title="Asking the models' hosts", count=len(downloads)))
    checks = check_sources(plan, workspace.tools.hurried_model_hosts.examine)
    report(StepFinished(step=STEP, detail=f"Asked about {len(downloads)} downloads"))
    return checks


def _host_problems(
    workspace: Workspace, plan: ImportPlan, checks: Mapping[str, SourceCheck]
) -> tuple[PreflightProblem, ...]:
    nodes = [d.node for d in plan.nodes_for("install") if d.node.source == "registry"]
    registry = check_registry(nodes, workspace.tools.registry)
    silent = [check.unreachable for check in checks.values() if check.unreachable]
    return (
        *registry.problems,
        *preflight.source_problems(plan, checks),
        *preflight.unreachable_problem((*registry.unreachable, *silent)),
    )


def _uses(
    workspace: Workspace,
    planned: tuple[OpenedBundle, ImportPlan],
    machine: MachineFacts,
    learned: tuple[Mapping[str, SourceCheck], str],
) -> Iterable[DiskUse]:
    """Models go to the library's disk, everything else to the workspace's."""
    (opened, plan), (checks, backend) = planned, learned
    brought = (*plan.models_for("download"), *plan.models_for("unpack"))
    aggregates = [plan.aggregates[decision.key] for decision in brought]
    library, environments = workspace.download_directory, workspace.environments_path
    here, there = machine.file_system(library), machine.file_system(environments)
    yield DiskUse(
        place=str(library),
        device=here.device,
        free=here.free,
        certain=preflight.bytes_of(aggregates, checks, _arrived(library, brought)),
    )
    inputs = sum(file.size for file in opened.inputs.values())
    yield DiskUse(
        place=str(environments),
        device=there.device,
        free=there.free,
        certain=inputs + sum(source.size for source in opened.development),
        estimated=environment_size(opened, backend),
    )


def _arrived(library: Path, brought: Iterable[ModelAcquisitionDecision]) -> dict[str, int]:
    """Return how many bytes of each model an earlier try has left."""
    states = {each.key: PartialFile(library / each.target_path).state() for each in brought}
    return {key: state.done for key, state in states.items() if state}

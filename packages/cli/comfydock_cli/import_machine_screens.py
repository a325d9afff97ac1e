"""What an import shows of this machine beside its plan: what it meets and what will not work."""

from __future__ import annotations

from comfydock_core.domain.acquisition import ImportPlan
from comfydock_core.domain.preflight import DiskNeed, Preflight
from comfydock_core.domain.requirements import wants_torch
from comfydock_core.domain.untrusted import escape_part

from comfydock_cli.import_screens import SHOWN, left_out
from comfydock_cli.measures import size_text


def machine_lines(plan: ImportPlan) -> list[str]:
    """Draw what the environment gets here: its Python, torch's backend, and the disks it fills."""
    found = plan.preflight
    torch = found.hardware or f"torch backend {plan.torch_backend}"
    rows = (
        ("Python", found.python),
        ("Torch", torch if wants_torch(plan.manifest.requirements) else ""),
        ("Sender", found.sender),
        *(("Disk", _disk_text(need)) for need in found.disks),
    )
    lines = [f"  {name}: {escape_part(text)}" for name, text in rows if text]
    return ["This machine:", *lines, ""] if lines else []


def _disk_text(need: DiskNeed) -> str:
    """What is free is said where it is little: ``disk_problems``."""
    about = "about " if need.estimated else ""
    return f"{about}{size_text(need.certain + need.estimated)} in {need.place}"


def problem_lines(found: Preflight, most: int = SHOWN) -> list[str]:
    """Draw what will not work, each with what helps; what keeps all of it from going on first."""
    lines: list[str] = []
    for problem in sorted(found.problems, key=lambda each: not each.blocking)[:most]:
        lines.append(f"{'✗' if problem.blocking else '⚠'} {escape_part(problem.sentence)}")
        lines += [f"    {escape_part(problem.hint)}"] if problem.hint else []
    lines += left_out(len(found.problems), most)
    return [*lines, ""] if lines else []

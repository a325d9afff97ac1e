"""What an export shows, as the specification draws it: validation, models, result (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from comfydock_core.domain.exporting import CheckedWorkflow, ExportResult, ExportValidation
from comfydock_core.domain.manifest import ManifestModel
from comfydock_core.domain.secret_findings import Finding
from comfydock_core.domain.untrusted import escape_text

from comfydock_cli.measures import counted, duration_text, size_text


def validation_lines(validation: ExportValidation) -> list[str]:
    """Draw the first screen: every workflow with its counts, then what is open."""
    lines = ["📋 Export Validation Summary:", "", "Workflows:"]
    lines += [_workflow_line(workflow) for workflow in validation.workflows] or ["  none"]
    if validation.issues:
        lines += ["", "Issues Found:"]
        lines += [
            f"  • {escape_text(issue.workflow)}.json: {escape_text(issue.sentence)}"
            for issue in validation.issues
        ]
    return lines


def settled_line(validation: ExportValidation) -> str:
    """Say in one line that nothing is open any more."""
    return f"  ✓ all resolved in {counted(len(validation.workflows), 'workflow')}"


def _workflow_line(workflow: CheckedWorkflow) -> str:
    glyph = "⚠" if workflow.issues else "✓"
    needs = f"{counted(workflow.nodes, 'node')}, {counted(workflow.models, 'model')}"
    return f"  {glyph} {escape_text(workflow.name)}.json ({needs} - {_state(workflow)})"


def _state(workflow: CheckedWorkflow) -> str:
    """Say ``all resolved``, or ``1 unresolved model, 2 missing nodes``."""
    kinds = [issue.kind for issue in workflow.issues]
    words = {"model": "unresolved model", "node": "missing node", "file": "unreadable file"}
    open_ones = [counted(kinds.count(kind), words[kind]) for kind in words if kind in kinds]
    return ", ".join(open_ones) or "all resolved"


def hashing_lines(lacking: Sequence[ManifestModel], seconds: float) -> list[str]:
    """Draw the question whether digests are computed, with the time that this disk needs."""
    count, size = len(lacking), size_text(sum(model.size for model in lacking))
    verb = "does" if count == 1 else "do"
    return [
        "📊 Hash Enrichment Check:",
        "",
        f"{counted(count, 'model')} ({size}) {verb} not have full hash information calculated.",
        "",
        "Hash enrichment improves reproducibility and enables better",
        "model verification on import, but can take time for large models.",
        "",
        f"Estimated time: ~{duration_text(max(seconds, 1))} at this disk's measured speed",
        "",
        "[Y] Calculate now  [s] Skip (models marked as local-only)",
    ]


def source_lines(model: ManifestModel) -> list[str]:
    """Draw a model that nobody knows an address of."""
    digest = f"{model.sha256_hash[:16]}..." if model.sha256_hash else "not calculated"
    return [
        "",
        f"📦 Model: {escape_text(model.filename)} ({escape_text(model.relative_path)})",
        f"   Size: {size_text(model.size)}",
        f"   Hash (SHA256): {digest}",
        "",
        "   No download source found.",
        "   [u] Enter URL",
        "   [s] Skip (mark as 'unknown source')",
    ]


def finding_lines(findings: Sequence[Finding]) -> list[str]:
    """Draw secrets that would travel: masked, each with where it is and its name."""
    return [
        "",
        f"⚠ {counted(len(findings), 'secret')} would leave with this bundle:",
        *(f"  • {escape_text(finding.line_of_text)}" for finding in findings),
    ]


def result_lines(result: ExportResult) -> list[str]:
    """Draw the last screen: what the other side will get; warnings came before it was written."""
    others = result.nodes - result.development_nodes
    unknown = len(result.unknown_sources)
    sources = f"{result.models - unknown} with download URLs" + (
        f", {counted(unknown, 'unknown source')}" if unknown else ""
    )
    inside = ((result.inputs, "input file"), (result.model_files, "model file"))
    return [
        f"✓ Export complete: {result.path} ({size_text(result.size)})",
        "",
        "Summary:",
        f"  • {counted(result.workflows, 'workflow')}",
        f"  • {counted(result.nodes, 'custom node')} "
        f"({result.development_nodes} development, {others} registry/git)",
        f"  • {counted(result.models, 'model')} ({sources})",
        *(f"    ⚠ no download URL: {escape_text(name)}" for name in result.unknown_sources),
        *(f"  • {counted(number, noun)} inside" for number, noun in inside if number),
        "",
        "Share this file to distribute your complete environment!",
    ]

"""What an import shows first and last: the bundle, the code it brings, the result (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from comfydock_core.domain.acquisition import (
    CodeOrigin,
    ImportResult,
    ModelAggregate,
)
from comfydock_core.domain.bundle import BundleManifest
from comfydock_core.domain.import_summary import ImportSummary
from comfydock_core.domain.manifest import NodeSource
from comfydock_core.domain.untrusted import escape_part
from comfydock_core.importing.report import next_steps, open_ends

from comfydock_cli.measures import counted, size_text
from comfydock_cli.result import ErrorItem

_SHORT_SOURCES: dict[NodeSource, str] = {"development": "dev", "registry": "registry", "git": "git"}
WHAT_RUNS = {
    "comfyui": "ComfyUI",
    "registry": "registry node",
    "git": "git node",
    "development": "development node",
    "python-source": "Python package built here",
    "pickle": "model file",
}
SHOWN = 20
"""How much of a list is shown where it could be a stranger's flood."""


def summary_lines(summary: ImportSummary) -> list[str]:
    """Draw the first screen: what the bundle is and whom planning and acting will contact."""
    bundle, manifest = summary.bundle, summary.manifest
    nodes = ", ".join(
        f"{len(found)} {word}"
        for source, word in _SHORT_SOURCES.items()
        if (found := manifest.nodes_by_source(source))
    )
    total = len(manifest.nodes)
    when = f" (exported {export_time(bundle)})" if bundle.timestamp else ""
    hosts = [*capped([*map(escape_part, summary.hosts)], indent=""), "the Python package index"]
    renamed = summary.environment != summary.requested_name
    return [
        "📦 Import Summary:",
        "",
        f"Source: {escape_part(bundle.environment_name + when)}",
        f"ComfyUI: {manifest.comfyui_version}",
        f"Python: {manifest.python_version}",
        f"Exported by: {escape_part(exporter(bundle))}",
        "",
        "Contents:",
        f"  • {counted(len(manifest.workflows), 'workflow')}",
        f"  • {counted(total, 'custom node')}" + (f" ({nodes})" if nodes else ""),
        f"  • {counted(len(summary.aggregates), 'unique model')} "
        f"({size_text(summary.total_size)} total)",
        "",
        f"Target environment: {summary.environment}",
        *(
            [f"⚠ Environment '{summary.requested_name}' exists, using '{summary.environment}'"]
            if renamed
            else []
        ),
        f"Will contact: {', '.join(hosts)}",
        *capped([f"⚠ {escape_part(warning)}" for warning in summary.warnings]),
        *capped(dropped_lines(bundle, summary.dropped), SHOWN + 1),
        "",
    ]


def capped(lines: Sequence[str], most: int = SHOWN, indent: str = "    ") -> list[str]:
    """Return the first ``most`` lines, and how many there are besides."""
    return [*lines[:most], *left_out(len(lines), most, indent)]


def left_out(count: int, most: int = SHOWN, indent: str = "    ") -> list[str]:
    """Say how many of ``count`` things are beyond the first ``most``, if any."""
    return [f"{indent}… and {count - most} more (--json has all)"] if count > most else []


def exporter(bundle: BundleManifest) -> str:
    """Name what wrote a bundle, with its version where it says one."""
    return bundle.tool or f"comfydock v{bundle.comfydock_version}"


def export_time(bundle: BundleManifest) -> str:
    """Return to the minute when a bundle was written."""
    return f"{bundle.timestamp[:16].replace('T', ' ')} UTC"


def dropped_lines(bundle: BundleManifest, dropped: Sequence[str]) -> list[str]:
    """List what of another tool's bundle is not taken over as it is."""
    if not dropped:
        return []
    title = f"⚠ Left out or changed of what {escape_part(exporter(bundle))} wrote:"
    return [title, *(f"    • {escape_part(each)}" for each in dropped)]


def sizes(aggregates: Iterable[ModelAggregate]) -> str:
    """Add up sizes for people."""
    return size_text(sum(aggregate.total_size for aggregate in aggregates))


def code_lines(
    code: Sequence[CodeOrigin], title: str = "Code that will run on this machine"
) -> list[str]:
    """Draw all code that an import puts on this machine, marked where nobody vouches for it."""
    unvouched = any(not origin.pinned for origin in code)
    legend = " (⚠ nobody vouches for it: look at it first)" if unvouched else ""
    return [f"{title}{legend}:", *(f"  {code_line(origin)}" for origin in code), ""]


def code_line(origin: CodeOrigin) -> str:
    """Draw where one piece of code comes from."""
    mark = "•" if origin.pinned else "⚠"
    what = WHAT_RUNS.get(origin.kind, origin.kind)
    return f"{mark} {what} {escape_part(origin.name)}: {escape_part(origin.detail)}"


def result_lines(result: ImportResult, log: str) -> list[str]:
    """Draw the last screen; it says what is true, in either of its two forms."""
    title = "✅ Import Complete!" if result.success else "⚠️  Import Complete with Issues"
    lines = [
        "",
        title,
        "",
        f"Environment: {result.environment_name}",
        "",
        f"Workflows: {counted(len(result.workflows), 'workflow')} imported",
        *_workflow_lines(result),
        "",
        *_node_result_lines(result),
        "",
        *_model_result_lines(result),
        "",
    ]
    if result.success:
        return [*lines, "Status: Ready to use", "", "Next steps:", *_numbered(next_steps(result))]
    fixes = (*next_steps(result), *map(escape_part, open_ends(result)))
    lines += ["Status: NOT ready: something that is required is missing", ""]
    lines += ["Fix issues after import:", *(f"  {fix}" for fix in fixes), ""] if fixes else []
    return [*lines, "Review logs for details:", f"  {log}"]


def result_errors(result: ImportResult) -> tuple[ErrorItem, ...]:
    """Return for programs what keeps the environment from being ready."""
    nodes = (
        ErrorItem(code="node", message=f"`{name}`: {why}", subject=name)
        for name, why in result.nodes_failed
    )
    issues = (
        ErrorItem(code=f"missing-{issue.kind}", message=issue.sentence, subject=issue.subject)
        for issue in result.issues
        if issue.blocking
    )
    return (*nodes, *issues)


def _numbered(steps: Sequence[str]) -> list[str]:
    return [f"  {number}. {step}" for number, step in enumerate(steps, start=1)]


def _workflow_lines(result: ImportResult) -> list[str]:
    of_all = [issue for issue in result.issues if not issue.workflow]
    lines = [f"  ✗ {escape_part(issue.sentence)}" for issue in of_all]
    unproved = any(issue.kind == "comfyui" for issue in of_all)
    for name in result.workflows:
        issues = [issue for issue in result.issues if issue.workflow == name]
        shown = escape_part(f"{name}.json")
        if issues:
            lines.append(f"  ⚠ {shown} ({counted(len(issues), 'issue')})")
            lines += [f"      {escape_part(issue.sentence)}" for issue in issues]
        elif unproved:
            lines.append(f"  • {shown} (its files are here)")
        else:
            lines.append(f"  ✓ {shown} (all dependencies satisfied)")
    return lines


def _node_result_lines(result: ImportResult) -> list[str]:
    total = result.nodes_installed + len(result.nodes_failed) + len(result.nodes_skipped)
    lines = [f"Custom Nodes: {result.nodes_installed}/{total} installed"]
    how = {"development": "bundled", "registry": "installed", "git": "cloned"}
    for source, word in how.items():
        count = result.node_counts.get(source, 0)
        if count:
            lines.append(f"  • {counted(count, f'{source} node')} ({word})")
    if result.nodes_skipped:
        lines.append(f"  ⊗ skipped: {', '.join(result.nodes_skipped)}")
        lines += _unasked(result)
    if result.nodes_failed:
        lines += ["", "  Failed nodes:"]
        lines += [f"    ✗ {name} ({escape_part(why)})" for name, why in result.nodes_failed]
    return lines


def _unasked(result: ImportResult) -> list[str]:
    """Say why nodes were skipped that somebody may have wanted."""
    skipped = result.plan.nodes_for("skip") if result.plan else ()
    return [f"    ⚠ {d.node.name}: {escape_part(d.reason)}" for d in skipped if d.reason]


def _model_result_lines(result: ImportResult) -> list[str]:
    available = (
        result.models_found_local
        + result.models_downloaded
        + result.models_unpacked
        + result.models_substituted
    )
    total = available + result.models_skipped + len(result.models_failed)
    rows = (
        ("✓", result.models_found_local, f"found locally ({size_text(result.local_size)})"),
        ("⬇", result.models_downloaded, f"downloaded ({size_text(result.downloaded_size)})"),
        ("📦", result.models_unpacked, f"unpacked ({size_text(result.unpacked_size)})"),
        ("↔", result.models_substituted, "substituted"),
        ("⊗", result.models_skipped, "skipped"),
    )
    lines = [f"Models: {available}/{total} available"]
    lines += [f"  {glyph} {count} {what}" for glyph, count, what in rows if count]
    lines += [f"  ✗ {escape_part(name)}: {escape_part(why)}" for name, why in result.models_failed]
    return lines

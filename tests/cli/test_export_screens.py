"""What an export shows, held against values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from comfydock_cli.export_screens import (
    finding_lines,
    hashing_lines,
    result_lines,
    settled_line,
    source_lines,
    validation_lines,
)
from comfydock_core.domain.acquisition import WorkflowIssue
from comfydock_core.domain.exporting import CheckedWorkflow, ExportResult, ExportValidation
from comfydock_core.domain.manifest import ManifestModel
from comfydock_core.domain.secret_findings import Trace, finding

GIB = 1024**3
MODEL = ManifestModel(
    hash="1" * 16,
    filename="sd15.safetensors",
    size=4 * GIB,
    relative_path="checkpoints/sd15.safetensors",
    category="checkpoints",
    sha256_hash="ab" * 32,
)
RESULT = ExportResult(
    path=Path("/x/my.tar.gz"), size=2048, workflows=3, nodes=12, development_nodes=2, models=5
)


def issue(kind: Any, sentence: str = "it is open") -> WorkflowIssue:
    return WorkflowIssue(workflow="w", kind=kind, subject="x", sentence=sentence, blocking=True)


def checked(*issues: WorkflowIssue, nodes: int = 3, models: int = 2) -> CheckedWorkflow:
    return CheckedWorkflow(name="w", nodes=nodes, models=models, issues=issues)


@pytest.mark.parametrize(
    ("workflow", "line"),
    [
        (checked(), "  ✓ w.json (3 nodes, 2 models - all resolved)"),
        (checked(nodes=1, models=1), "  ✓ w.json (1 node, 1 model - all resolved)"),
        (checked(issue("model")), "  ⚠ w.json (3 nodes, 2 models - 1 unresolved model)"),
        (
            checked(issue("node"), issue("model"), issue("node")),
            "  ⚠ w.json (3 nodes, 2 models - 1 unresolved model, 2 missing nodes)",
        ),
        (
            checked(issue("file"), nodes=0, models=0),
            "  ⚠ w.json (0 nodes, 0 models - 1 unreadable file)",
        ),
    ],
)
def test_a_workflow_is_one_line(workflow: CheckedWorkflow, line: str) -> None:
    shown = validation_lines(ExportValidation(workflows=(workflow,)))
    assert shown[:4] == ["📋 Export Validation Summary:", "", "Workflows:", line]


@pytest.mark.parametrize(
    ("workflows", "rest"),
    [
        ((), ["  none"]),
        ((checked(issue("model", "a\x1b[2J")),), ["", "Issues Found:", "  • w.json: a\\x1b[2J"]),
    ],
)
def test_the_summary_ends_with_what_is_open(
    workflows: tuple[CheckedWorkflow, ...], rest: list[str]
) -> None:
    assert validation_lines(ExportValidation(workflows=workflows))[-len(rest) :] == rest


def test_nothing_open_any_more_is_one_line() -> None:
    assert settled_line(ExportValidation(workflows=(checked(),) * 2)) == (
        "  ✓ all resolved in 2 workflows"
    )


@pytest.mark.parametrize(
    ("count", "seconds", "counted", "estimated"),
    [
        (1, 0.2, "1 model (4.0 GB) does not have", "~1 s at"),
        (5, 200, "5 models (20.0 GB) do not have", "~3 min 20 s at"),
    ],
)
def test_the_question_about_digests(
    count: int, seconds: float, counted: str, estimated: str
) -> None:
    lines = hashing_lines([MODEL] * count, seconds)
    assert lines[0] == "📊 Hash Enrichment Check:"
    assert lines[2] == f"{counted} full hash information calculated."
    assert estimated in lines[7]
    assert lines[-1] == "[Y] Calculate now  [s] Skip (models marked as local-only)"


@pytest.mark.parametrize(
    ("sha256", "shown"), [("ab" * 32, "abababababababab..."), ("", "not calculated")]
)
def test_a_model_without_a_source(sha256: str, shown: str) -> None:
    assert source_lines(replace(MODEL, sha256_hash=sha256)) == [
        "",
        "📦 Model: sd15.safetensors (checkpoints/sd15.safetensors)",
        "   Size: 4.0 GB",
        f"   Hash (SHA256): {shown}",
        "",
        "   No download source found.",
        "   [u] Enter URL",
        "   [s] Skip (mark as 'unknown source')",
    ]


def test_secrets_are_masked_and_named() -> None:
    found = finding(Trace(rule_id="assignment", start=0, value=b"0123456789abcdef"), "n/a.py", 3)
    lines = finding_lines([found, found])
    assert lines[:2] == ["", "⚠ 2 secrets would leave with this bundle:"]
    assert lines[2].startswith(f"  • {found.identity}  ")
    assert lines[2].endswith("0123… (16 characters) in n/a.py:3")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "✓ Export complete: /x/my.tar.gz (2.0 KB)"),
        ({}, "  • 3 workflows"),
        ({}, "  • 12 custom nodes (2 development, 10 registry/git)"),
        ({}, "  • 5 models (5 with download URLs)"),
        ({"unknown_sources": ("a",)}, "  • 5 models (4 with download URLs, 1 unknown source)"),
        ({"unknown_sources": ("a", "b")}, "  • 5 models (3 with download URLs, 2 unknown sources)"),
        ({"unknown_sources": ("a\n",)}, "    ⚠ no download URL: a\\n"),
        ({"inputs": 1}, "  • 1 input file inside"),
        ({"model_files": 2}, "  • 2 model files inside"),
        ({}, "Share this file to distribute your complete environment!"),
    ],
)
def test_the_result_says_what_the_other_side_gets(changes: dict[str, Any], line: str) -> None:
    assert line in result_lines(replace(RESULT, **changes))

"""What `inspect` shows, held against values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from comfydock_cli.inspect_screens import inspection_lines
from comfydock_core.domain.bundle import BundleFile, DevelopmentOrigin, KnownIssue
from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.importing.inspection import (
    EnvironmentState,
    InspectedWorkflow,
    Inspection,
    compare,
)
from comfydock_core.importing.summary import DevelopmentSource, OpenedBundle

from tests.core.importing.summaries import aggregate, bundle, manifest, summary

MIB = 1 << 20
ORIGIN = DevelopmentOrigin(
    remote="https://h.org/dev", commit="f" * 40, dirty=True, unpushed=True
)  # fmt: skip
NODES = {
    "dev": NodeInfo(name="dev", source="development", version="dev"),
    "gone": NodeInfo(name="gone", source="development", version="dev"),
    "git": NodeInfo(name="git", source="git", version="a" * 40, repository="https://h.org/g"),
}
FLOWS = (
    InspectedWorkflow(name="x", nodes=3, models=1, packs=("git", "other")),
    InspectedWorkflow(name="broken\x1b[31m", problem="`broken` is not a ComfyUI workflow"),
)
AGGREGATES = {
    "1" * 16: aggregate(key="1" * 16, sources=("https://h.org/a",), size=2 * MIB, filename="had"),
    "2" * 16: aggregate(key="2" * 16, size=MIB, filename="inside"),
    "3" * 16: aggregate("optional", key="3" * 16, size=MIB, filename="nowhere"),
}


def inspection() -> Inspection:
    issue = KnownIssue(workflow="x", kind="node", subject="N", sentence="`N` is not installed")
    told = bundle(
        profile="full", issues=(issue,), missing_inputs=("big.mp4",), development={"dev": ORIGIN}
    )
    one = replace(
        summary(NODES, AGGREGATES),
        bundle=told,
        inside=frozenset({"2" * 16}),
        hosts=("h.org",),
        warnings=("mind this", "the sender left this open: x: `N` is not installed"),
    )
    source = DevelopmentSource(
        name="dev", files=4, digest="d" * 64, size=2048, scripts=("install.py", "native code")
    )
    opened = OpenedBundle(
        bundle=told,
        manifest=one.manifest,
        lock=(),
        development=(source,),
        digest="d" * 64,
        inputs={"face.png": BundleFile(size=MIB, sha256="0" * 64)},
    )
    return Inspection(
        path=Path("/tmp/s.tar.gz"),
        size=5 * MIB,
        opened=opened,
        summary=one,
        workflows=FLOWS,
        environment_size=40 * MIB,
    )


LINES = inspection_lines(inspection())


@pytest.mark.parametrize(
    "line",
    [
        "📦 s.tar.gz (5.0 MB)",
        "Profile:  full (with model files)",
        "  • x.json (3 nodes, 1 model; needs git, other)",
        "      ⚠ needs other, which is not in the bundle",
        "  • dev: development, its source is in the bundle (4 files, 2.0 KB)",
        "      ⚠ brings install.py, native code",
        "      git: https://h.org/dev at ffffffff",
        "      ⚠ with changes that are not committed there",
        "      ⚠ with commits that were not pushed",
        "  ⚠ gone: development, and its source is not in the bundle",
        "  • git: git aaaaaaaa from https://h.org/g",
        "Models: 3 (4.0 MB, 1 inside with 1.0 MB, 1 without a source)",
        "    • had (2.0 MB, 1 source)",
        "    • inside (1.0 MB, inside)",
        "    ⚠ nowhere (1.0 MB, no source known)",
        "Input files: 1 inside (1.0 MB)",
        "  ⚠ big.mp4 is loaded and not in the bundle",
        "  ⚠ x.json: `N` is not installed",
        "An import would contact: h.org, the Python package index",
        "Disk needed: about 45.0 MB (models 4.0 MB, ComfyUI and Python packages up to 40.0 MB)",
        "⚠ mind this",
    ],
)
def test_it_says(line: str) -> None:
    assert line in LINES


def test_what_comes_from_the_bundle_is_escaped_and_said_once() -> None:
    text = "\n".join(LINES)
    assert "\x1b" not in text
    assert text.count("`N` is not installed") == 1


def test_the_difference_is_shown_or_said_to_be_none() -> None:
    one = inspection()
    equal = EnvironmentState(
        name="env",
        manifest=one.summary.manifest,
        workflows=dict.fromkeys(["x"], False),
        models=frozenset(AGGREGATES),
    )
    other = replace(equal, manifest=replace(manifest(), python_version="3.12"), models=frozenset())
    same = inspection_lines(replace(one, difference=compare(one.summary, ("x",), equal)))
    assert "  • models that are here already: had, inside, nowhere" in same
    lines = inspection_lines(replace(one, difference=compare(one.summary, ("x", "y"), other)))
    start = lines.index("Against env:")
    assert lines[start + 1 : start + 5] == [
        "  ↔ Python: 3.11 in the bundle, 3.12 here",
        "  • node packs only in the bundle: dev, git, gone",
        "  • workflows only in the bundle: y",
        "  • models not known here: had, inside, nowhere",
    ]
    empty = replace(one, summary=replace(one.summary, aggregates={}))
    nothing = inspection_lines(replace(empty, difference=compare(empty.summary, ("x",), equal)))
    assert "  no difference" in nothing

from __future__ import annotations

import datetime
import re
from dataclasses import replace
from pathlib import Path

import pytest
from comfydock_core.domain.acquisition import WorkflowIssue
from comfydock_core.domain.bundle import DevelopmentOrigin, KnownIssue
from comfydock_core.domain.manifest import ManifestModel, ManifestWorkflow, NodeInfo
from comfydock_core.errors import UsageError
from comfydock_core.exporting.description import describe, export_time, free_name
from comfydock_core.exporting.gathering import GatheredFiles

from tests.core.workspace.workspaces import SMALL

ORIGIN = DevelopmentOrigin(remote="https://github.com/a/b", commit="1" * 40, dirty=True)
FULL = replace(
    SMALL,
    nodes={"dev": NodeInfo(name="dev", source="development", version="dev")},
    workflows={
        name: ManifestWorkflow(name=name, path=f"workflows/{name}.json") for name in ("z", "a/b")
    },
    models={
        "1" * 16: ManifestModel(
            hash="1" * 16, filename="a.sft", size=1, relative_path="loras/a.sft", category="loras"
        )
    },
)


def test_it_says_what_is_inside_and_what_is_not() -> None:
    issue = WorkflowIssue(workflow="z", kind="node", subject="X", sentence="no X", blocking=True)
    gathered = GatheredFiles(files={}, missing_inputs=("cat.png",), development={"dev": ORIGIN})
    told = describe(FULL, gathered, "full", [issue])
    assert told.workflows == ("a/b.json", "z.json")
    assert (told.total_models, told.total_nodes) == (1, 1)
    assert (told.environment_name, told.comfyui_version) == ("studio", "v0.3.75")
    assert told.issues == (KnownIssue(workflow="z", kind="node", subject="X", sentence="no X"),)
    assert told.missing_inputs == ("cat.png",)
    assert told.development == {"dev": ORIGIN}
    assert told.profile == "full"
    assert (told.timestamp, told.exported_commit) == ("", "")


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [("0", "1970-01-01T00:00:00Z"), ("1736937000", "2025-01-15T10:30:00Z")],
)
def test_the_time_may_be_given(epoch: str, expected: str) -> None:
    assert export_time({"SOURCE_DATE_EPOCH": epoch}) == expected


@pytest.mark.parametrize("environment", [{}, {"SOURCE_DATE_EPOCH": ""}])
def test_the_time_is_now_in_utc(environment: dict[str, str]) -> None:
    said = datetime.datetime.fromisoformat(export_time(environment))
    assert abs((datetime.datetime.now(datetime.UTC) - said).total_seconds()) < 60


@pytest.mark.parametrize("epoch", ["yesterday", "-1", "1.5", "²", "9" * 30])
def test_a_time_that_is_none_is_refused(epoch: str) -> None:
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
        export_time({"SOURCE_DATE_EPOCH": epoch})


def test_a_name_that_is_taken_gets_the_next_number(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        place = free_name(tmp_path, "my-env")
        place.write_bytes(b"")
        names.append(place.name)
    plain, second, third = names
    assert re.fullmatch(r"my-env_export_\d{4}-\d\d-\d\d\.tar\.gz", plain)
    assert [second, third] == [plain.replace(".tar", f"-{n}.tar") for n in (2, 3)]

from __future__ import annotations

import os
from pathlib import Path

import pytest
from comfydock_core.domain.model_loaders import LOADERS, LoaderWidget
from comfydock_core.errors import WorkflowError
from comfydock_core.storage.workflow_readings import WorkflowReadings

from tests.core.domain.workflow_samples import node, ui


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    path = tmp_path / "flow.json"
    path.write_bytes(ui(node(1, "VAELoader", widgets_values=["one.safetensors"])))
    return path


def named(readings: WorkflowReadings, path: Path) -> list[str]:
    needs = readings.needs("flow", path)
    return [reference.reference.widget_value for reference in needs.references]


def fresh(folder: Path) -> WorkflowReadings:
    return WorkflowReadings(folder / "kept.json", LOADERS)


def test_an_unchanged_file_is_not_read_again(workflow: Path, tmp_path: Path) -> None:
    first = fresh(tmp_path)
    found = first.needs("flow", workflow)
    assert first.misses == 1
    first.keep()
    status = workflow.stat()
    workflow.write_bytes(b"x" * status.st_size)
    os.utime(workflow, ns=(status.st_atime_ns, status.st_mtime_ns))
    second = fresh(tmp_path)
    assert second.needs("flow", workflow) == found
    assert second.misses == 0


def test_a_changed_file_is_read_again(workflow: Path, tmp_path: Path) -> None:
    readings = fresh(tmp_path)
    assert named(readings, workflow) == ["one.safetensors"]
    readings.keep()
    workflow.write_bytes(ui(node(1, "VAELoader", widgets_values=["other.safetensors"])))
    assert named(fresh(tmp_path), workflow) == ["other.safetensors"]


def test_other_loaders_read_everything_anew(workflow: Path, tmp_path: Path) -> None:
    readings = fresh(tmp_path)
    readings.needs("flow", workflow)
    readings.keep()
    more = {**LOADERS, "New": (LoaderWidget(name="file", index=0, folder="loras"),)}
    again = WorkflowReadings(tmp_path / "kept.json", more)
    again.needs("flow", workflow)
    assert again.misses == 1


@pytest.mark.parametrize("content", [b"", b"no json", b'{"basis": 7}', b"[" * 100_000])
def test_a_broken_cache_costs_nothing_but_time(
    content: bytes, workflow: Path, tmp_path: Path
) -> None:
    (tmp_path / "kept.json").write_bytes(content)
    assert named(fresh(tmp_path), workflow) == ["one.safetensors"]


def test_what_is_no_workflow_is_refused_every_time(workflow: Path, tmp_path: Path) -> None:
    workflow.write_bytes(b"no workflow")
    for _ in range(2):
        readings = fresh(tmp_path)
        with pytest.raises(WorkflowError):
            readings.needs("flow", workflow)
        readings.keep()

from __future__ import annotations

from pathlib import Path

import pytest
from comfydock_core.domain.import_summary import LocalModels
from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.errors import StorageError
from comfydock_core.importing.plan import PlanChoices, make_plan
from comfydock_core.workspace.journal import Journal, close_journal, journal_of, write_journal

from tests.core.importing.summaries import KEY, aggregate, local_file, summary

NODES = {"n": NodeInfo(name="n", source="registry", version="1", torch_requirements=("torch",))}
PLAN = make_plan(
    summary(nodes=NODES, aggregates={KEY: aggregate(), "x": aggregate(key="x", content="")}),
    LocalModels(probable={KEY: local_file("loras/a.sft")}),
    PlanChoices(skip_nodes=True),
)
WHOLE = Journal(
    work="import",
    bundle="d" * 64,
    requested="studio",
    plan=PLAN,
    failed_nodes={"n": "gone"},
    failed_models={KEY: "404"},
)


@pytest.mark.parametrize("journal", [Journal(work="create"), WHOLE, WHOLE.with_done("node:n")])
def test_what_is_written_is_read_back(tmp_path: Path, journal: Journal) -> None:
    write_journal(tmp_path, journal)
    assert journal_of(tmp_path) == journal


def test_steps_are_added_in_their_order() -> None:
    assert WHOLE.with_done("a").with_done("b").done == ("a", "b")
    assert WHOLE.done == ()


def test_a_closed_journal_is_none(tmp_path: Path) -> None:
    assert journal_of(tmp_path) is None
    write_journal(tmp_path, WHOLE)
    close_journal(tmp_path)
    close_journal(tmp_path)
    assert journal_of(tmp_path) is None


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"{}", b'{"work": "steal"}', b'{"work": "import", "plan": 3}', b"\xff"],
)
def test_a_journal_that_cannot_be_read_says_what_helps(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "studio").mkdir()
    (tmp_path / "studio" / "import.json").write_bytes(data)
    with pytest.raises(StorageError, match=r"import\.json` cannot be read") as caught:
        journal_of(tmp_path / "studio")
    assert caught.value.hint == "comfydock delete studio"

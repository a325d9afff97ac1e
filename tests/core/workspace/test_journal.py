from __future__ import annotations

from dataclasses import replace
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


def test_no_hint_deletes_what_was_whole_once(tmp_path: Path) -> None:
    (tmp_path / ".cec" / ".git").mkdir(parents=True)
    (tmp_path / "import.json").write_text("{")
    with pytest.raises(StorageError) as caught:
        journal_of(tmp_path)
    assert "delete" not in caught.value.hint
    assert "move that file away" in caught.value.hint


BEGUN = WHOLE.with_done("environment").with_done("node:a")
LATER = BEGUN.with_done("manifest").with_done("python").with_done("workflows").with_done("inputs")


def nothing_failed(journal: Journal) -> Journal:
    return replace(journal, failed_nodes={}, failed_models={})


@pytest.mark.parametrize(
    ("journal", "expected"),
    [
        (LATER, nothing_failed(BEGUN)),
        (BEGUN, nothing_failed(BEGUN)),
        (LATER.with_done("commit"), LATER.with_done("commit")),
        (nothing_failed(LATER), nothing_failed(LATER)),
        (replace(LATER, failed_nodes={}), nothing_failed(BEGUN)),
    ],
)
def test_what_was_given_up_is_tried_again_until_the_commit(
    journal: Journal, expected: Journal
) -> None:
    assert journal.trying_again() == expected


def test_closing_takes_away_what_killed_writes_left(tmp_path: Path) -> None:
    write_journal(tmp_path, WHOLE)
    (tmp_path / ".cec").mkdir()
    ours = (".import.json.x1.unfinished", ".cec/.pyproject.toml.x2.unfinished")
    theirs = (".other.unfinished", ".cec/mine.unfinished")
    for name in (*ours, *theirs):
        (tmp_path / name).touch()
    close_journal(tmp_path)
    assert [(tmp_path / name).exists() for name in (*ours, *theirs)] == [False] * 2 + [True] * 2

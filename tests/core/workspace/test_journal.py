from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from comfydock_core.domain.import_summary import LocalModels
from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.errors import StorageError
from comfydock_core.importing.plan import PlanChoices, make_plan
from comfydock_core.workspace.journal import Journal, close_journal, journal_of, write_journal

from tests.core.importing.summaries import KEY, aggregate, local_file, summary

OTHER = "c" * 16
NODES = {"n": NodeInfo(name="n", source="registry", version="1", torch_requirements=("torch",))}
PLAN = make_plan(
    summary(nodes=NODES, aggregates={KEY: aggregate(), OTHER: aggregate(key=OTHER, content="")}),
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
    write_journal(tmp_path / "studio", journal)
    assert journal_of(tmp_path / "studio") == journal


def test_only_its_owner_reads_and_writes_it(tmp_path: Path) -> None:
    write_journal(tmp_path, WHOLE)
    assert (tmp_path / "import.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "journal",
    [
        replace(WHOLE, plan=replace(PLAN, environment="x; touch pwn #")),
        replace(WHOLE, plan=replace(PLAN, environment="other")),
        replace(WHOLE, failed_models={"d" * 16: "404"}),
        Journal(work="update", before="--exec=x"),
    ],
)
def test_what_comfydock_would_not_write_is_not_gone_by(tmp_path: Path, journal: Journal) -> None:
    write_journal(tmp_path / "studio", journal)
    with pytest.raises(StorageError, match=r"import\.json` is not what comfydock wrote") as caught:
        journal_of(tmp_path / "studio")
    assert caught.value.hint == "comfydock delete studio"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders here")
def test_a_pipe_or_a_folder_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    for name, make in (("pipe", os.mkfifo), ("folder", os.mkdir)):
        (tmp_path / name).mkdir()
        make(tmp_path / name / "import.json")
        with pytest.raises(StorageError, match="cannot be read"):
            journal_of(tmp_path / name)


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

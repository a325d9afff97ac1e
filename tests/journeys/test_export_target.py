"""Phase 3 of an export: a bundle appears whole where it was wanted, or not at all."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

import pytest

from tests.core.exporting.secret_corpus import hexed
from tests.journeys.desks import Desk
from tests.journeys.terminal import exit_code


def test_no_at_the_estimate_writes_nothing(desk: Desk) -> None:
    child = desk.ask()
    child.expect(r"\r\n\r\n📦 Bundle size estimate: \d+\.\d KB\r\n   Continue\? \[Y/n\]: ")
    child.sendline("n")
    child.expect("error: export cancelled; nothing was written")
    assert exit_code(child) == 1
    assert desk.left() == []


def test_a_file_that_exists_stays_unless_forced(desk: Desk) -> None:
    desk.bundle.write_bytes(b"precious")
    ran = desk.export("--json")
    [error] = ran.envelope["errors"]
    assert ran.exit_code == 1
    assert "is already there and is not overwritten" in error["message"]
    assert "--force" in error["hint"]
    assert desk.bundle.read_bytes() == b"precious"
    ran = desk.export("--json", "--force")
    assert ran.exit_code == 0
    assert ran.envelope["data"]["path"] == str(desk.bundle)
    assert "manifest.json" in desk.members()
    assert desk.left() == ["x.tar.gz"]


def test_a_file_that_appears_while_it_asks_stays(desk: Desk) -> None:
    child = desk.ask()
    child.expect(r"Continue\? ")
    desk.bundle.write_bytes(b"precious")
    child.sendline("y")
    child.expect("x.tar.gz` exists already")
    assert exit_code(child) == 1
    assert desk.bundle.read_bytes() == b"precious"
    assert desk.left() == ["x.tar.gz"]


def test_the_name_is_the_environments_with_the_date(desk: Desk) -> None:
    for _ in range(2):
        desk.one.ok("export", desk.name, folder=desk.out)
    first, second = sorted(desk.left(), key=len)
    assert first.startswith(f"{desk.name}_export_20")
    assert second == first.replace(".tar.gz", "-2.tar.gz")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("missing/x.tar.gz", "missing` is not there, or is no folder"),
        ("file/x.tar.gz", "file` is not there, or is no folder"),
        ("folder", "folder` is a folder"),
        ("/sys/x.tar.gz", "/sys`: "),
    ],
)
def test_a_place_that_cannot_hold_it_is_named(
    desk: Desk, tmp_path: Path, output: str, said: str
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    ran = desk.one.run("export", desk.name, "--output", str(tmp_path / output), "--json")
    [error] = ran.envelope["errors"]
    assert ran.exit_code == 1
    assert said in error["message"]
    assert error["hint"]
    assert desk.left() == []
    assert not any(tmp_path.glob("**/*.part"))


def test_a_pipe_or_device_is_never_replaced(desk: Desk) -> None:
    os.mkfifo(desk.bundle)
    ran = desk.export("--json", "--force")
    [error] = ran.envelope["errors"]
    assert ran.exit_code == 1
    assert "is no regular file" in error["message"]
    assert desk.bundle.is_fifo()
    assert desk.left() == ["x.tar.gz"]


@pytest.mark.parametrize(
    ("output", "code", "said"),
    [
        ("~nobody-has-this-name/x.tar.gz", "storage", "is not there, or is no folder"),
        ("x" * 300, "storage", "File name too long"),
        ("{cec}/x.tar.gz", "storage", "lies among the files that are exported"),
        ("{node}/x.tar.gz", "storage", "lies among the files that are exported"),
    ],
)
def test_a_place_that_makes_no_sense_is_named(
    desk: Desk, output: str, code: str, said: str
) -> None:
    place = output.format(cec=desk.cec, node=desk.node)
    ran = desk.one.run("export", desk.name, "--output", place, "--json", folder=desk.out)
    [error] = ran.envelope["errors"]
    assert (ran.exit_code, error["code"]) == (1, code)
    assert said in error["message"]
    assert desk.left() == []


@pytest.mark.parametrize("words", [("--workflows", ""), ("--workflows", " ,"), ("--inputs", "")])
def test_an_empty_list_does_not_mean_everything(desk: Desk, words: tuple[str, str]) -> None:
    assert desk.refused(*words)["code"] == "usage"


def test_the_next_command_can_be_pasted(desk: Desk) -> None:
    ran = desk.one.ok("export", desk.name, "--output", "my bundle.tar.gz", folder=desk.out)
    assert "next: comfydock import 'my bundle.tar.gz'\n" in ran.err


def test_a_full_disk_is_one_sentence_and_more_space_helps(desk: Desk) -> None:
    (desk.node / "noise.bin").write_bytes(os.urandom(3_000_000))
    words = ["export", desk.name, "--output", str(desk.bundle), "--json"]
    done = subprocess.run(
        desk.one.command(words),
        env=desk.one.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000)),
    )
    assert done.returncode == 1, done.stderr
    assert '"code": "disk-full"' in done.stdout
    assert "free some disk space" in done.stdout
    assert "Traceback" not in done.stderr
    assert desk.left() == []
    assert desk.export().exit_code == 0


QUESTIONS = (
    (r"Choice \[r\]/c: ", "r"),
    (r"📦 nowhere.safetensors.*Choice .*: ", "o"),
    (r"Choice \[Y\]/s: ", "Y"),
    (r"Choice \[u\]/s: ", "u"),
    (r"Enter download URL.*: ", ""),
    (r"Let them travel\? \[y/N\]: ", "y"),
    (r"Continue\? \[Y/n\]: ", "y"),
)

RESOLVED, ENRICHED = "Pre-export resolution", "Pre-export: model digests and sources"
COMMITS = ([], [], [RESOLVED], [RESOLVED], [RESOLVED], *[[ENRICHED, RESOLVED]] * 2)
"""What was committed, and said, when a question is asked; newest first."""


@pytest.fixture
def much(desk: Desk) -> Desk:
    """An environment whose export asks every question."""
    desk.save("much", desk.model().name, "nowhere.safetensors")
    desk.commit()
    (desk.node / "key.py").write_text(f"API_KEY = '{hexed(40)}'\n")
    return desk


@pytest.mark.parametrize("stop", range(len(QUESTIONS)))
def test_ctrl_c_at_every_question(much: Desk, stop: int) -> None:
    before, shown = much.messages(), ""
    child = much.ask()
    for question, answer in QUESTIONS[:stop]:
        child.expect(question)
        shown += child.before
        child.sendline(answer)
    child.expect(QUESTIONS[stop][0])
    shown += child.before
    child.sendintr()
    child.expect("error: `comfydock export` was interrupted")
    child.expect("hint: the same command asks again, and goes on with what was begun")
    assert exit_code(child) == 130
    assert much.left() == []
    new = much.messages()[: len(much.messages()) - len(before)]
    assert new == COMMITS[stop]
    assert all(f"✓ committed: {message}\r\n" in shown for message in new)


def test_every_question_answered(much: Desk) -> None:
    child = much.ask()
    for question, answer in QUESTIONS:
        child.expect(question)
        child.sendline(answer)
    child.expect("Export complete")
    child.expect("no download URL: mine.safetensors")
    assert exit_code(child) == 0
    assert much.messages()[:2] == [ENRICHED, RESOLVED]


def test_the_end_of_the_input_names_the_flag(much: Desk) -> None:
    child = much.ask()
    child.expect(QUESTIONS[0][0])
    child.sendeof()
    child.expect("--allow-issues")
    assert exit_code(child) == 4
    assert much.left() == []

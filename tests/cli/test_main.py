from __future__ import annotations

import json
from pathlib import Path

import pytest
from comfydock_cli.command_table import COMMANDS as REAL_COMMANDS
from comfydock_cli.main import main

from tests.cli.shells import ended, toy_process, toy_terminal
from tests.cli.toy_commands import COMMANDS


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"], ["help", "--help"]])
def test_the_overview_names_every_command(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    shown = capsys.readouterr()
    assert all(f"  {command[0]} " in shown.out for command in REAL_COMMANDS)
    assert shown.out.isascii()
    assert shown.err == ""


@pytest.mark.parametrize(
    ("words", "named", "unnamed"),
    [
        (["box"], "  box open ", "greet"),
        (["box", "--help"], "  box lid fit ", "greet"),
        (["help", "box"], "  box open ", "greet"),
        (["box", "lid", "-h"], "  box lid fit ", "box open"),
        (["greet", "--help"], "--tone {kind,plain}", "box"),
        (["help", "greet"], "usage: comfydock greet", "box"),
        (["-h", "greet", "--json-stream"], "usage: comfydock greet", "box open"),
        (["--version"], "comfydock 2.", "greet"),
    ],
)
def test_pages(
    words: list[str], named: str, unnamed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words, COMMANDS) == 0
    shown = capsys.readouterr()
    assert named in shown.out
    assert unnamed not in shown.out
    assert shown.err == ""


@pytest.mark.parametrize(
    "words",
    [
        ["-e", "home", "--json", "greet", "me", "--", "--json", "-h"],
        ["greet", "--env=home", "me", "--json", "--", "--json", "-h"],
        ["greet", "me", "--json", "--env", "home", "--", "--json", "-h"],
    ],
)
def test_global_options_stand_anywhere_before_the_dashes(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words, COMMANDS) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    assert data == {"who": "me", "passed_on": ["--json", "-h"], "env": "home"}


@pytest.mark.parametrize(
    ("words", "sentence", "hint"),
    [
        (["gret"], "`gret` is no command of comfydock", "did you mean `comfydock greet`?"),
        (["box", "opne", "x"], "`box opne` is no command", "did you mean `comfydock box open`?"),
        (["box", "zzz"], "`box zzz` is no command of comfydock", "comfydock box --help"),
        (["zzz", "x"], "`zzz` is no command of comfydock", "comfydock --help"),
        (["--jsn"], "`--jsn` is no option of comfydock", "did you mean `--json`?"),
        (["greet"], "`comfydock greet` needs `who`", "comfydock greet --help"),
        (["greet", "a", "--ton", "kind"], "`--ton` is no option of", "did you mean `--tone`?"),
        (["fail", "a"], "`comfydock fail` takes no further word `a`", "comfydock fail --help"),
        (
            ["greet", "a", "--tone", "x"],
            "argument --tone: invalid choice",
            "comfydock greet --help",
        ),
        (["greet", "a", "-e"], "`--env` needs the name of an environment", "comfydock list"),
        (["--env", "--yes", "greet"], "`--env` needs the name", "comfydock list"),
    ],
)
def test_wrong_words(
    words: list[str], sentence: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words, COMMANDS) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert sentence in shown.err.splitlines()[0]
    assert shown.err.endswith(f"\n\nhint: {hint}\n")
    assert main([*words, "--json"], COMMANDS) == 2
    shown = capsys.readouterr()
    assert shown.err == ""
    assert json.loads(shown.out)["errors"][0]["hint"] == hint


@pytest.mark.parametrize(("words", "code"), [(["fail"], 1), (["fail", "--partly"], 3)])
def test_a_failure_has_the_exit_code_of_its_kind(words: list[str], code: int) -> None:
    assert main(words, COMMANDS) == code


def test_a_bug_is_one_sentence_and_a_traceback_in_the_log(tmp_path: Path) -> None:
    done = toy_process("crash", "--secret", "hunter2", COMFYDOCK_HOME=str(tmp_path))
    log = tmp_path / "logs" / "comfydock.log"
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert (
        f"`comfydock crash` hit a bug in comfydock (ZeroDivisionError); the details are in `{log}`"
        in done.stderr
    )
    assert "Traceback" in log.read_text()
    assert "hunter2" not in log.read_text() + done.stderr


def test_a_bug_under_json_is_an_envelope(tmp_path: Path) -> None:
    done = toy_process("crash", "--json", COMFYDOCK_HOME=str(tmp_path))
    answer = json.loads(done.stdout)
    assert (answer["command"], answer["status"], answer["exit_code"]) == ("crash", "error", 1)
    assert answer["errors"][0]["code"] == "bug"


def test_a_bug_shows_its_traceback_to_who_asks(tmp_path: Path) -> None:
    done = toy_process("crash", COMFYDOCK_DEBUG="1", COMFYDOCK_HOME=str(tmp_path))
    assert "Traceback" in done.stderr


def test_a_bug_is_told_even_if_no_log_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = toy_process("crash", COMFYDOCK_HOME=str(tmp_path / "file"))
    assert "no log could be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_is_a_sentence_and_130() -> None:
    child = toy_terminal("wait")
    child.expect("waiting")
    child.sendintr()
    shown, code = ended(child)
    assert code == 130
    assert "`comfydock wait` was interrupted" in shown
    assert "Traceback" not in shown


def test_ctrl_c_while_it_loads_is_a_sentence_and_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("comfydock_cli.dispatch.run_command_line", interrupted)
    assert main(["fail"], COMMANDS) == 130
    assert "was interrupted" in capsys.readouterr().err

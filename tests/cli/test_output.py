from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import PurePosixPath
from typing import Any

import pytest
from comfydock_cli.output import Form, Output
from comfydock_cli.result import CommandResult, ErrorItem, error_result
from comfydock_cli.screen import Screen
from comfydock_core.errors import GitError

from tests.cli.shells import ROOT, ended, toy_process, toy_terminal

FAILURE = error_result(
    "node add",
    GitError("`box` is shut", cause="said git\ntwice", hint="comfydock box", subject="box"),
)


class Stream(io.StringIO):
    """A text stream that is a terminal or not and has an encoding."""

    def __init__(self, encoding: str = "utf-8", terminal: bool = False) -> None:
        super().__init__()
        self._encoding = encoding
        self._terminal = terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self._terminal


def shown(result: CommandResult, form: Form = "text") -> tuple[int, str, str]:
    stdout, stderr = Stream(), Stream()
    code = Output(form, stdout, stderr, {}).show(result)
    return code, stdout.getvalue(), stderr.getvalue()


def test_the_answer_is_on_stdout_and_the_next_command_comes_last() -> None:
    result = CommandResult(
        command="list", text="a\nb", notes=("warning: old",), next_command="comfydock use a"
    )
    assert shown(result) == (0, "a\nb\n", "warning: old\nnext: comfydock use a\n")


def test_an_error_is_a_sentence_its_cause_and_a_hint() -> None:
    expected = "error: `box` is shut\n  said git\n  twice\n\nhint: comfydock box\n"
    assert shown(FAILURE) == (1, "", expected)


def test_several_errors_are_told_apart() -> None:
    items = (ErrorItem(code="a", message="`a` broke"), ErrorItem(code="b", message="`b` broke"))
    result = CommandResult(command="x", status="error", exit_code=1, errors=items)
    assert shown(result)[2] == "error: `a` broke\n\nerror: `b` broke\n"


def test_a_partial_result_tells_its_errors_in_its_text() -> None:
    item = ErrorItem(code="a", message="`a` is missing")
    result = CommandResult(
        command="x", text="1 of 2", status="partial", exit_code=3, errors=(item,)
    )
    assert shown(result) == (3, "1 of 2\n", "")


def test_the_envelope() -> None:
    code, out, err = shown(FAILURE, "json")
    assert (code, err) == (1, "")
    assert json.loads(out) == {
        "schema": "comfydock/1",
        "command": "node add",
        "status": "error",
        "exit_code": 1,
        "data": {},
        "errors": [
            {
                "code": "git",
                "message": "`box` is shut\nsaid git\ntwice",
                "hint": "comfydock box",
                "subject": "box",
            }
        ],
    }


def test_the_envelope_holds_paths_as_text_and_no_secrets_nor_control_characters() -> None:
    data = {
        "path": PurePosixPath("/a"),
        "urls": ("https://me:pw@host/?token=abc", "\x7f\x1b\u202e"),
    }
    _, out, _ = shown(CommandResult(command="x", data=data), "json")
    assert json.loads(out)["data"] == {
        "path": "/a",
        "urls": ["https://***@host/?token=***", "\x7f\x1b\u202e"],
    }
    assert out.rstrip("\n").isprintable()


def test_text_is_escaped_and_without_secrets() -> None:
    _, out, _ = shown(CommandResult(command="x", text="a\x1b[2Jb\nhttps://me:pw@host/"))
    assert out == "a\\x1b[2Jb\nhttps://***@host/\n"


@pytest.mark.parametrize(
    ("encoding", "given", "expected"),
    [
        ("utf-8", "✓ ⚠️ ✗ 📦 é", "✓ ⚠️ ✗ 📦 é"),
        ("ascii", "  ✓ 2 found", "  [ok] 2 found"),
        ("ascii", "⚠️  With issues", "[warning]  With issues"),
        ("ascii", "✗ a ⬇ b ↔ c ⊗ d", "[failed] a [download] b [substitute] c [skip] d"),
        ("ascii", "  • a → b…", "  - a -> b..."),
        ("ascii", "📦 A\n📋 B\n🔍 C\n✅ D\n📥 E\n🔧 F\n🔄 G", "A\nB\nC\nD\nE\nF\nG"),
        ("ascii", "é", "\\xe9"),
        ("cp1252", "✓ é •", "[ok] é -"),
    ],
)
def test_glyphs_fall_back_to_words(encoding: str, given: str, expected: str) -> None:
    assert Screen(Stream(encoding), {}).render(given) == expected


@pytest.mark.parametrize(
    ("terminal", "environment", "coloured"),
    [
        (True, {"TERM": "xterm"}, True),
        (False, {"TERM": "xterm"}, False),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (True, {"TERM": "xterm", "NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (True, {"TERM": "dumb", "FORCE_COLOR": "1"}, True),
        (True, {"TERM": "xterm", "FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour(terminal: bool, environment: dict[str, str], coloured: bool) -> None:
    screen = Screen(Stream(terminal=terminal), environment)
    expected = "\x1b[1;31merror:\x1b[0m no" if coloured else "error: no"
    assert screen.render("error: no") == expected
    assert ("\x1b" in screen.render("✓ ⚠️")) == coloured


def test_a_terminal_sees_colour_and_a_pipe_does_not() -> None:
    child = toy_terminal("greet", "you")
    seen, code = ended(child)
    assert code == 0
    assert "\x1b[32m✓\x1b[0m hello you" in seen
    piped = toy_process("greet", "you")
    assert (piped.stdout, piped.returncode) == ("✓ hello you\n", 0)


def test_a_stdout_that_knows_no_glyphs_gets_words() -> None:
    done = toy_process("greet", "you", PYTHONIOENCODING="ascii")
    assert done.stdout == "[ok] hello you\n"


def test_a_stream_is_one_event_a_line_and_the_envelope_last() -> None:
    done = toy_process("box", "lid", "fit", "--json-stream")
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line.get("event") for line in lines] == [
        *("step-started", "item-started", "item-finished", "step-finished") * 2,
        None,
    ]
    assert lines[1] == {"event": "item-started", "step": "nodes", "item": "acme", "size": None}
    assert lines[-1]["schema"] == "comfydock/1"
    assert done.stderr == ""


@pytest.mark.skipif(os.name == "nt", reason="pipes close in another way")
@pytest.mark.parametrize("words", [["greet", "you"], ["--help"], ["greet", "you", "--json"]])
def test_a_reader_that_has_gone_away_is_no_noise(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.toy_commands", *words],
        cwd=ROOT,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert done.returncode == 0
    assert "roken" not in done.stderr
    assert "Traceback" not in done.stderr

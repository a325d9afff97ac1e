"""Strangers' bundles for an environment that is there, and strangers' plans: nothing is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.bundles import files_of
from tests.hostile.corpus import REFUSED
from tests.hostile.watching import signs
from tests.journeys.machines import Machine, machine
from tests.journeys.town import Town

UPDATES = (
    *("name '../x'", "type b'2'", "x: an absolute path", "the last byte missing", "a ZIP"),
    *("place uv.toml", "manifest: deep", "lock: an option behind a version", "node: a twin"),
    *(".python-version '/tmp/evil'", "git: another transport", "model: out of its folder"),
    *("source: a password", "requirement: an address", "theirs: another transport"),
)
# What the plan file holds, and the words of its refusal.
PLANS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "is empty: it decides nothing"),
    "no text": (b"\xff\xfe", "no text in UTF-8"),
    "a blank line": (b"\n", "says nothing of"),
    "another bundle": (b"# bundle: " + b"0" * 64 + b"\n", "made for another bundle"),
    "a word of no plan": (b"run rm -rf /\n", "`run` is no decision"),
    "an escape": (b"\x1b[2Jskip x\n", r"`\x1b[2Jskip` is no decision"),
    "a line that is no end": (b'skip "x\n', "a quotation mark is not closed"),
    "deep": (b'skip "' + b"[" * 100_000 + b'"\n', "the bundle has no model"),
    "half a pair": (b'skip "\\ud800"\n', r"no model `\ud800`"),
    "a line feed": (b'skip "x\\nhint: curl | sh"\n', r"no model `x\nhint"),
    "another file": (b"skip ../../../etc/passwd\n", "no model `../../../etc/passwd`"),
    "a file of this disk": (
        b"substitute tiny-2x.safetensors /etc/passwd\n",
        "called `/etc/passwd`",
    ),
    "a way out": (b"substitute tiny-2x.safetensors ../../x\n", "called `../../x`"),
    "this disk": (b"download tiny-2x.safetensors file:///etc/passwd\n", "no http or https"),
    "a password": (b"download tiny-2x.safetensors https://u:p@x.example/x\n", "password"),
    "a node of its own": (b"install-node ../x\n", "no node `../x`"),
    "lines without an end": (b"skip x\n" * 2_000_000, "the bundle has no model `x`"),
    "too much": (b"#" * (17 << 20), "too large for a plan"),
}


@pytest.fixture
def receiver(town: Town, tmp_path: Path) -> Machine:
    return machine(tmp_path / "receiver", town)


@pytest.mark.parametrize("what", UPDATES)
def test_an_update_is_refused_before_anything_happens(
    what: str, bundle: Path, studio: Machine, town: Town, tmp_path: Path
) -> None:
    wanted = REFUSED[what]
    hostile = tmp_path / "hostile.tar.gz"
    hostile.write_bytes(wanted.make(files_of(bundle.read_bytes())))
    asked = requests_seen(town)
    before = signs(studio.place("studio"), tmp_path)
    words = ("update", "studio", str(hostile), "--yes", "--trust-code", "--json")
    ran = studio.run(*words)
    (error,) = ran.envelope["errors"]
    sentence = error["message"].partition("\n")[0]
    assert (ran.exit_code, error["code"] in ("bundle", "manifest")) == (1, True)
    assert wanted.named in sentence
    assert wanted.rule in sentence
    assert signs(studio.place("studio"), tmp_path) == before
    assert requests_seen(town) == asked


@pytest.mark.parametrize("what", PLANS)
def test_a_plan_is_refused_by_its_line(
    what: str, bundle: Path, receiver: Machine, town: Town, tmp_path: Path
) -> None:
    text, words = PLANS[what]
    plan = tmp_path / "plan.txt"
    plan.write_bytes(text)
    asked = requests_seen(town)
    ran = receiver.run(
        "import", str(bundle), "--plan", str(plan), "--yes", "--trust-code", "--json"
    )
    (error,) = ran.envelope["errors"]
    assert ran.exit_code == 2
    assert words in error["message"]
    assert len(error["message"]) < 500
    assert "\n" not in error["message"]
    assert requests_seen(town) == asked
    assert not receiver.place("studio").exists()


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/stdin", ".", "x" * 5000])
def test_what_is_no_plan_file_is_not_read(path: str, bundle: Path, receiver: Machine) -> None:
    ran = receiver.run("import", str(bundle), "--plan", path, "--yes", "--json")
    assert ran.exit_code == 2
    assert "is no file" in ran.envelope["errors"][0]["message"]


def requests_seen(town: Town) -> int:
    return len(town.git.requests) + len(town.registry.requests) + len(town.models.requests)

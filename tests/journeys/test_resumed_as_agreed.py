"""What goes on after a cut is what was agreed to: nothing else, and nothing is done by a look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.machines import Machine, machine
from tests.journeys.terminal import exit_code, terminal
from tests.journeys.test_resume_an_import import IMPORT, kill_after
from tests.journeys.town import Town
from tests.journeys.updates import AGREED, Receiver, later_bundle

IN_THE_NODES = ("item-finished", "nodes", 1)
SOURCE = "bundle/dev_nodes/my-dev/__init__.py"
AGAIN = ("--yes", "--trust-code", "--no-verify")


@pytest.fixture
def cut(bundle: Path, town: Town, tmp_path: Path) -> Machine:
    one = machine(tmp_path, town)
    assert kill_after(one, ("import", str(bundle), "--models", "all", *IMPORT), IN_THE_NODES)
    return one


def files(folder: Path) -> Mapping[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def test_a_dry_run_shows_what_was_agreed_to_and_does_nothing(cut: Machine, bundle: Path) -> None:
    before = files(cut.place("studio"))
    for words in (("--resume", "studio"), (str(bundle), "--models", "all"), (str(bundle),)):
        data = cut.ok("import", *words, "--dry-run", "--json").envelope["data"]
        assert (data["dry_run"], data["environment"]) == (True, "studio")
    assert files(cut.place("studio")) == before
    assert not list((cut.home / "models").rglob("*.safetensors"))


def test_other_decisions_are_refused_and_the_same_ones_go_on(
    cut: Machine, bundle: Path, tmp_path: Path
) -> None:
    """Also by name: nothing that was typed is passed over."""
    saved = tmp_path / "plan.txt"
    for words, refused in (
        ((str(bundle), "--skip-models", "--skip-nodes"), "--models skip"),
        ((str(bundle), "--python", "3.12"), "--python 3.12"),
        ((str(bundle), "--skip-node", "acme-git"), "--skip-node acme-git"),
        ((str(bundle), "--save-plan", str(saved)), "--save-plan"),
        ((str(bundle), "--resume", "studio"), "BUNDLE"),
        (("--resume", "studio", "--name", "x"), "--name x"),
        (("--resume", "studio", "--existing", "use"), "--existing use"),
    ):
        ran = cut.run("import", *words, *AGAIN, "--json")
        (error,) = ran.envelope["errors"]
        assert (ran.exit_code, error["code"]) == (2, "usage"), words
        assert f"`{refused}" in error["message"]
        assert "studio" in error["hint"]
    ran = cut.ok("import", str(bundle), "--models", "all", *AGAIN)
    assert "Going on with the import of studio that was cut" in (ran.out + ran.err).replace("`", "")


def test_a_bundle_that_was_changed_after_the_yes_is_not_used(cut: Machine, bundle: Path) -> None:
    source = cut.place("studio") / SOURCE
    agreed = source.read_bytes()
    source.write_text("raise SystemExit")
    ran = cut.run("import", "--resume", "studio", *AGAIN, "--json")
    (error,) = ran.envelope["errors"]
    assert (ran.exit_code, error["code"]) == (1, "bundle")
    assert "is not what it was when the plan was made" in error["message"]
    assert error["hint"] == "run the same `comfydock import BUNDLE` command again"
    cut.ok("import", str(bundle), *AGAIN)
    custom_nodes = cut.place("studio") / "ComfyUI/custom_nodes"
    assert (custom_nodes / "my-dev/__init__.py").read_bytes() == agreed


def test_a_journal_that_was_changed_reaches_nothing_outside(cut: Machine) -> None:
    journal = cut.place("studio") / "import.json"
    victim = cut.home.parent / "victim"
    victim.mkdir()
    (victim / "mine.txt").touch()
    content: dict[str, Any] = json.loads(journal.read_bytes())
    for decision in content["plan"]["nodes"]:
        decision["node"]["name"] = f"../../../../../{victim.name}"
    journal.write_text(json.dumps(content))
    ran = cut.run("import", "--resume", "studio", *AGAIN, "--json")
    (error,) = ran.envelope["errors"]
    assert ran.exit_code == 1
    assert "import.json` is not what comfydock wrote" in error["message"]
    assert (victim / "mine.txt").exists()
    cut.ok("delete", "studio", "--yes")


def test_a_name_that_is_taken_while_the_plan_waits_gets_a_suffix(
    bundle: Path, town: Town, tmp_path: Path
) -> None:
    one = machine(tmp_path, town)
    child = terminal(one, "import", str(bundle), "--no-verify")
    child.expect(r"Choice \[Y\]/c: ")
    child.sendline("")
    child.expect(r"\[Y\] Execute plan")
    one.place("studio").mkdir()
    child.sendline("")
    child.expect("studio.* was taken meanwhile")
    assert exit_code(child) == 0
    assert (one.place("studio-1") / ".cec/pyproject.toml").exists()
    assert not list(one.place("studio").iterdir())


def test_looking_at_a_cut_update_changes_nothing(bundle: Path, town: Town, tmp_path: Path) -> None:
    receiver = Receiver(one=machine(tmp_path / "receiver", town))
    receiver.one.ok("import", str(bundle), *AGREED)
    later = later_bundle(tmp_path / "author", town, bundle)
    words = ("update", "studio", str(later), *AGREED[:3], "--json-stream")
    assert kill_after(receiver.one, words, IN_THE_NODES)
    place = receiver.one.place("studio")
    before = files(place)
    for command in (("update", "--resume", "studio"), ("rollback", "studio")):
        shown = receiver.one.ok(*command, "--dry-run", "--json").envelope["data"]
        assert (shown["dry_run"], shown["environment"]) == (True, "studio")
    ran = receiver.one.run("update", "--resume", "studio", "--models", "skip", "--json")
    assert (ran.exit_code, ran.envelope["errors"][0]["code"]) == (2, "usage")
    assert files(place) == before
    (place / "update/bundle/dev_nodes/my-dev/later.py").write_text("raise SystemExit")
    refused = receiver.one.run("update", "--resume", "studio", *AGREED)
    assert "is not what it was" in refused.envelope["errors"][0]["message"]
    receiver.one.ok("rollback", "studio", "--json")
    assert not (receiver.nodes / "my-dev/later.py").exists()

"""An environment follows its bundle's author, around what its user did, and comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.machines import machine
from tests.journeys.terminal import exit_code, terminal
from tests.journeys.test_resume_an_import import kill_after
from tests.journeys.town import MODELS, TWIN, Town, git, tensor_file
from tests.journeys.updates import AGREED, MINE, MY_STYLE, Receiver, later_bundle


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory, town: Town, bundle: Path) -> Path:
    return later_bundle(tmp_path_factory.mktemp("author"), town, bundle)


@pytest.fixture
def receiver(town: Town, bundle: Path, tmp_path: Path) -> Receiver:
    one = machine(tmp_path, town)
    one.ok("import", str(bundle), *AGREED)
    return Receiver(one=one)


def test_it_becomes_what_the_later_bundle_says_and_comes_back(
    receiver: Receiver, later: Path
) -> None:
    before, packages, first = receiver.state(), receiver.packages(), receiver.head()
    ran = receiver.one.ok("update", "studio", str(later), *AGREED)
    data = ran.envelope["data"]
    assert {v["name"]: (v["before"], v["after"]) for v in data["difference"]["versions"]} == {
        "acme-text": ("registry 1.2.0", "registry 1.1.0")
    }
    assert data["nodes_removed"] == ["acme-git"]
    assert data["nodes_installed"] == ["acme-text", "extra-dev", "my-dev"]
    assert sorted(p.name for p in receiver.nodes.iterdir() if p.is_dir()) == [
        "acme-text",
        "extra-dev",
        "my-dev",
    ]
    assert "colorama" in packages
    assert "colorama" not in receiver.packages()
    assert "packaging" in receiver.packages()
    assert (receiver.nodes / "my-dev/later.py").exists()
    assert receiver.classes("upscale")[-1] == "AcmeText"
    assert (receiver.one.home / "models" / TWIN).exists()
    known = receiver.one.ok("model", "info", TWIN, "--json").envelope["data"]
    assert (len(known["sha256"]), len(known["blake3"])) == (64, 64)
    assert git(receiver.cec, "status", "--porcelain") == ""
    assert receiver.messages()[0].startswith("Update from bundle")
    again = receiver.one.ok("update", "studio", str(later), *AGREED).envelope["data"]
    assert again["changed"] is False

    ran = receiver.one.ok("rollback", "studio", "--yes", "--json")
    assert ran.envelope["data"]["commit"] == first
    assert git(receiver.cec, "diff", first, "HEAD") == ""
    assert receiver.state() == before
    assert receiver.packages() == packages
    assert receiver.messages()[0] == f"Rollback to {first[:7]}"
    assert (receiver.one.home / "models" / TWIN).exists()
    for path in MODELS:
        assert (receiver.one.home / "models" / path).read_bytes() == tensor_file(path)


def test_what_the_user_did_stays(receiver: Receiver, later: Path) -> None:
    receiver.save("upscale", MINE)
    receiver.save("my own", MINE)
    receiver.save("sub/style", MY_STYLE)
    own = receiver.nodes / "by-hand"
    own.mkdir()
    ran = receiver.one.ok("update", "studio", str(later), *AGREED)
    steps = {step["name"]: step for step in ran.envelope["data"]["workflows"]}
    assert {name: (step["action"], step["conflict"]) for name, step in steps.items()} == {
        "fresh": ("take", False),
        "my own": ("keep", False),
        "sub/style": ("keep", True),
        "upscale": ("keep", True),
    }
    assert receiver.classes("upscale")[-1] == "SaveImage"
    assert "AcmeGit" in receiver.classes("sub/style")
    assert ran.envelope["data"]["nodes_kept"] == ["acme-git"]
    assert (receiver.nodes / "acme-git").is_dir()
    assert own.is_dir()
    assert receiver.messages()[:2][1] == "Before update"
    again = receiver.one.ok("update", "studio", str(later), *AGREED).envelope["data"]
    assert again["changed"] is False
    take = ("--workflows-conflict", "take")
    receiver.one.ok("update", "studio", str(later), *take, *AGREED)
    assert receiver.classes("upscale")[-1] == "SaveImage"


def test_theirs_are_taken_and_mine_are_kept_beside(receiver: Receiver, later: Path) -> None:
    receiver.save("upscale", MINE)
    words = ("update", "studio", str(later), "--workflows-conflict", "take")
    planned = receiver.one.ok(*words, "--dry-run", *AGREED).envelope["data"]
    assert planned["commits_first"] is True
    assert receiver.messages() == ["Initial import from bundle"]
    receiver.one.ok(*words, *AGREED)
    assert receiver.classes("upscale")[-1] == "AcmeText"
    assert receiver.classes("upscale.mine")[-1] == "SaveImage"
    again = receiver.one.ok("update", "studio", str(later), *AGREED).envelope["data"]
    assert again["changed"] is False
    assert (receiver.workflows / "upscale.mine.json").exists()
    receiver.one.ok("rollback", "studio", "--yes", "--no-verify")
    assert receiver.classes("upscale")[-1] == "SaveImage"
    assert not (receiver.workflows / "upscale.mine.json").exists()


def test_a_development_node_that_was_worked_on_is_kept_aside(
    receiver: Receiver, later: Path
) -> None:
    (receiver.nodes / "my-dev/mine.py").write_text("MINE = True\n")
    ran = receiver.one.ok("update", "studio", str(later), *AGREED)
    (kept,) = (Path(path) for path in ran.envelope["data"]["kept_aside"])
    assert (kept / "mine.py").exists()
    assert not (receiver.nodes / "my-dev/mine.py").exists()
    updated = receiver.head()
    receiver.one.ok("rollback", "studio", "--yes", "--no-verify")
    assert (receiver.nodes / "my-dev/mine.py").exists()
    assert not (receiver.nodes / "my-dev/later.py").exists()
    receiver.one.ok("rollback", "studio", updated[:10], "--yes")
    assert (receiver.nodes / "my-dev/later.py").exists()
    assert not (receiver.nodes / "my-dev/mine.py").exists()


def test_packs_that_were_changed_by_hand_are_named_and_come_back(
    receiver: Receiver, later: Path
) -> None:
    for name in ("acme-git", "acme-text"):
        module = receiver.nodes / name / "__init__.py"
        module.write_text(f"{module.read_text()}# mine\n")
    (receiver.nodes / "acme-text/mine.txt").write_text("mine")
    before = receiver.state()
    planned = receiver.one.ok("update", "studio", str(later), "--dry-run", *AGREED[:-1])
    for name in ("acme-git", "acme-text"):
        assert f"node {name} was changed by hand" in planned.out
    ran = receiver.one.ok("update", "studio", str(later), *AGREED).envelope["data"]
    assert sorted(ran["nodes_edited"]) == ["acme-git", "acme-text"]
    aside = {Path(path).name: Path(path) for path in ran["kept_aside"]}
    (aside["my-dev"] / "later.txt").write_text("not what it was")
    (receiver.nodes / "acme-text/later.txt").write_text("of the later version")
    back = receiver.one.ok("rollback", "studio", "--yes", "--no-verify")
    assert "node acme-text comes back as you changed it" in back.err + back.out
    (receiver.nodes / "my-dev/later.txt").unlink()
    assert receiver.state() == before
    assert [path.name for path in receiver.one.home.rglob("later.txt") if "replaced" in path.parts]
    assert "acme-text" in back.out.partition("kept at:")[2]


def test_a_pack_of_another_version_stays_aside_and_is_pointed_to(
    receiver: Receiver, later: Path
) -> None:
    first = receiver.head()
    receiver.one.ok("node", "remove", "acme-text", "--yes")
    receiver.one.ok("node", "add", "acme-text@1.1.0")
    receiver.one.ok("node", "remove", "my-dev", "--yes")
    receiver.one.ok("commit", "-m", "mine")
    (receiver.nodes / "acme-text/mine.txt").write_text("mine")
    mine = receiver.head()
    receiver.one.ok("rollback", "studio", first, "--yes", "--no-verify")
    assert not (receiver.nodes / "acme-text/mine.txt").exists()
    receiver.one.ok("rollback", "studio", mine, "--yes", "--no-verify")
    assert (receiver.nodes / "acme-text/mine.txt").exists()
    (receiver.nodes / "acme-text/mine.txt").unlink()
    back = receiver.one.ok("rollback", "studio", first, "--yes", "--json", "--no-verify")
    assert not (receiver.nodes / "acme-text/mine.txt").exists()
    kept = [Path(path) for path in back.envelope["data"]["kept_aside"]]
    assert any((path / "mine.txt").exists() for path in kept)


def test_code_needs_consent_and_a_no_changes_nothing(receiver: Receiver, later: Path) -> None:
    before = receiver.state()
    ran = receiver.one.run("update", "studio", str(later), "--yes", "--json")
    assert ran.exit_code == 4
    assert "development extra-dev" in ran.envelope["errors"][0]["message"]
    assert "acme-git" not in ran.envelope["errors"][0]["message"]
    child = terminal(receiver.one, "update", "studio", str(later))
    child.expect("acme-text: registry 1.2.0 → registry 1.1.0")
    child.expect(r"Choice \[Y\]/c: ")
    child.sendline("c")
    child.expect("nothing was changed")
    assert exit_code(child) == 1
    assert receiver.state() == before
    assert receiver.messages() == ["Initial import from bundle"]


def test_a_person_is_asked_about_what_both_changed(receiver: Receiver, later: Path) -> None:
    receiver.save("upscale", MINE)
    child = terminal(receiver.one, "update", "studio", str(later))
    child.expect("upscale was changed by you and in the bundle")
    child.expect(r"Choice \[k\]/t/c: ")
    child.sendline("t")
    child.expect("yours is kept as upscale.mine")
    child.expect(r"Choice \[Y\]/c: ")
    child.sendline("")
    child.expect("studio was updated")
    assert exit_code(child) == 0
    assert receiver.classes("upscale.mine")[-1] == "SaveImage"


KILL_AFTER = (
    ("item-finished", "nodes", 1),
    ("step-finished", "nodes", 1),
    ("item-finished", "models", 1),
    ("step-started", "resolving", 1),
    ("step-started", "python", 1),
    ("item-finished", "python", 1),
    ("step-started", "workflows", 1),
    ("step-finished", "workflows", 1),
)


@pytest.mark.parametrize("moment", KILL_AFTER, ids=lambda moment: "-".join(map(str, moment)))
def test_a_killed_update_goes_on_or_back(
    moment: tuple[str, str, int], receiver: Receiver, later: Path
) -> None:
    before, packages, first = receiver.state(), receiver.packages(), receiver.head()
    words = ("update", "studio", str(later), *AGREED[:3], "--json-stream")
    assert kill_after(receiver.one, words, moment)
    (row,) = receiver.one.ok("list", "--json").envelope["data"]["environments"]
    assert row["state"] == "updating"
    refused = receiver.one.run("status", "-e", "studio", "--json").envelope["errors"][0]
    assert refused["hint"] == "comfydock update --resume studio"
    resumed = receiver.one.run("import", "--resume", "studio", "--json").envelope["errors"][0]
    assert (resumed["code"], resumed["hint"]) == ("not-ready", refused["hint"])
    receiver.one.ok("rollback", "studio", "--json")
    assert (receiver.state(), receiver.packages(), receiver.head()) == (before, packages, first)
    assert git(receiver.cec, "status", "--porcelain") == ""

    (receiver.one.home / "models" / TWIN).unlink(missing_ok=True)
    assert kill_after(receiver.one, words, moment)
    resume = ("--resume", "studio") if moment[2] % 2 else ("studio", str(later))
    receiver.one.ok("update", *resume, *AGREED)
    assert receiver.messages() == [receiver.messages()[0], "Initial import from bundle"]
    assert receiver.messages()[0].startswith("Update from bundle")
    assert git(receiver.cec, "status", "--porcelain") == ""
    assert (receiver.nodes / "my-dev/later.py").exists()
    assert not (receiver.nodes / "acme-git").exists()
    assert not (receiver.one.place("studio") / "update").exists()


def test_what_fails_in_the_middle_is_put_back(receiver: Receiver, later: Path) -> None:
    before, packages, first = receiver.state(), receiver.packages(), receiver.head()
    (receiver.workflows / "fresh.json").mkdir()
    ran = receiver.one.run("update", "studio", str(later), *AGREED)
    assert ran.exit_code == 1
    assert "fresh.json" in ran.envelope["errors"][0]["message"]
    (row,) = receiver.one.ok("list", "--json").envelope["data"]["environments"]
    assert row["state"] == "ready"
    assert (receiver.state(), receiver.packages(), receiver.head()) == (before, packages, first)
    assert git(receiver.cec, "status", "--porcelain") == ""


def test_a_pack_that_the_user_exchanged_stays_exchanged(receiver: Receiver, later: Path) -> None:
    receiver.one.ok("node", "remove", "my-dev", "--yes")
    receiver.one.ok("node", "add", "acme-clash")
    receiver.one.ok("commit", "-m", "mine")
    before, packages = receiver.state(), receiver.packages()
    ran = receiver.one.ok("update", "studio", str(later), *AGREED)
    assert ran.envelope["data"]["nodes_kept"] == ["acme-clash", "my-dev"]
    receiver.one.ok("rollback", "studio", "--yes", "--no-verify")
    assert (receiver.state(), receiver.packages()) == (before, packages)

"""What workflows lack is settled before the bundle is written, or travels as a named issue."""

from __future__ import annotations

import pytest

from tests.journeys.desks import Desk
from tests.journeys.machines import machine, workflow
from tests.journeys.terminal import exit_code
from tests.journeys.town import Town, tensor_file

RESOLVED = ["Pre-export resolution", "more"]
LOST = "lost-forever.safetensors"


@pytest.fixture
def needy(desk: Desk) -> Desk:
    """A committed workflow whose model is nowhere."""
    desk.save("needy", LOST)
    desk.commit()
    return desk


def test_an_optional_model_settles_it(needy: Desk) -> None:
    child = needy.ask()
    child.expect(r"⚠ needy.json \(1 node, 1 model - 1 unresolved model\)")
    child.expect(f"Issues Found:\r\n  • needy.json: required model `{LOST}` is not here\r\n")
    child.expect(r"\r\nOptions:\r\n  \[r\] Resolve issues interactively\r\n")
    child.expect(r"  \[c\] Cancel export\r\n  Choice \[r\]/c: ")
    child.sendline("r")
    child.expect(f"📦 {LOST}")
    child.expect(r"\[o\] Mark optional")
    child.expect("Choice .*: ")
    child.sendline("o")
    child.expect("✓ committed: Pre-export resolution\r\n")
    child.expect("✓ all resolved in 3 workflows\r\n")
    child.expect(r"Continue\? \[Y/n\]: ")
    child.sendline("y")
    child.expect("Export complete")
    assert exit_code(child) == 0
    assert "Pre-export resolution" in needy.messages()[:2]
    assert "issues" not in needy.manifest()
    assert b'criticality = "optional"' in needy.members()["pyproject.toml"]


def test_a_file_of_the_library_settles_it(desk: Desk) -> None:
    desk.model("portrait-vae-v2.safetensors")
    saved = desk.save("needy", "portrait-vae-v1.safetensors")
    desk.commit()
    child = desk.ask()
    child.expect("Choice .*: ")
    child.sendline("r")
    child.expect(r"\[1\] vae/.*/portrait-vae-v2.safetensors")
    child.expect("Choice .*: ")
    child.sendline("1")
    child.expect("✓ committed: Pre-export resolution")
    child.expect("Hash Enrichment Check")
    child.expect("Choice .*: ")
    child.sendline("Y")
    child.expect("No download source found")
    child.expect("Choice .*: ")
    child.sendline("s")
    child.expect(r"Continue\? \[Y/n\]: ")
    child.sendline("")
    assert exit_code(child) == 0
    assert "portrait-vae-v2" in saved.read_text()
    assert b"portrait-vae-v2" in desk.members()["workflows/needy.json"]


def test_an_address_settles_it(desk: Desk, town: Town) -> None:
    path = "vae/tiny-vae.safetensors"
    flow = workflow([("VAELoader", f"{desk.name}/fetched.safetensors", "vae")], [])
    desk.save_content("needy", flow)
    desk.commit()
    child = desk.ask()
    child.expect("Choice .*: ")
    child.sendline("r")
    child.expect("fetched.safetensors")
    child.expect("Choice .*: ")
    child.sendline("u")
    child.expect("Enter download URL: ")
    child.sendline(town.model_url(path))
    child.expect("✓ committed: Pre-export resolution")
    child.expect(r"Continue\? \[Y/n\]: ")
    child.sendline("")
    assert exit_code(child) == 0
    fetched = desk.library / "vae" / desk.name / "fetched.safetensors"
    assert fetched.read_bytes() == tensor_file(path)


def test_what_is_still_open_stops_it(needy: Desk) -> None:
    child = needy.ask()
    child.expect("Choice .*: ")
    child.sendline("r")
    child.expect(LOST)
    child.expect("Choice .*: ")
    child.sendline("s")
    child.expect(f"error: `{needy.name}` has 1 open issue in its workflows")
    child.expect(f"needy: required model `{LOST}` is not here")
    child.expect(f"hint: comfydock -e {needy.name} workflow resolve needy")
    assert exit_code(child) == 1
    assert needy.left() == []
    assert needy.messages()[0] == "more"


def test_cancelling_changes_nothing(needy: Desk) -> None:
    child = needy.ask()
    child.expect("Choice .*: ")
    child.sendline("c")
    child.expect("export cancelled; nothing was written")
    assert exit_code(child) == 1
    assert needy.left() == []
    assert needy.messages()[0] == "more"


def test_without_a_person_the_list_is_exact(needy: Desk) -> None:
    needy.save("other", LOST, classes=("NobodyHasThis",))
    needy.commit()
    error = needy.refused()
    assert (error["exit_code"], error["code"]) == ("4", "answer-needed")
    said, *listed = error["message"].splitlines()
    assert said.endswith("has 3 open issues in its workflows; `--allow-issues` exports them too")
    assert listed == [
        f"needy: required model `{LOST}` is not here",
        "other: node class `NobodyHasThis` is not installed",
        f"other: required model `{LOST}` is not here",
    ]
    assert needy.messages()[0] == "more"


def test_allowed_issues_reach_the_receiver(needy: Desk, town: Town) -> None:
    ran = needy.export("--allow-issues", "--json")
    assert ran.exit_code == 0
    [issue] = needy.manifest()["issues"]
    assert issue == {
        "workflow": "needy",
        "kind": "model",
        "subject": LOST,
        "sentence": f"required model `{LOST}` is not here",
    }
    receiver = machine(needy.out.parent / "receiver", town)
    plan = receiver.run("import", str(needy.bundle), "--yes", "--dry-run")
    assert LOST in plan.out + plan.err
    assert plan.exit_code == 0


def test_a_subset_is_asked_about_its_own_issues_alone(needy: Desk) -> None:
    ran = needy.export("--workflows", "upscale", "--json")
    assert ran.exit_code == 0, ran.out
    assert needy.manifest()["workflows"] == ["upscale.json"]

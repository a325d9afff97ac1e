"""Phase 1 of an export: only what is committed and whole leaves."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.desks import Desk
from tests.journeys.machines import UPSCALE
from tests.journeys.terminal import exit_code


def _new(desk: Desk) -> None:
    desk.save_content("draft", UPSCALE)


def _modified(desk: Desk) -> None:
    desk.save_content("upscale", {**UPSCALE, "nodes": UPSCALE["nodes"][:1]})


def _deleted(desk: Desk) -> None:
    (desk.one.place(desk.name) / "ComfyUI/user/default/workflows/upscale.json").unlink()


def _changed_state(desk: Desk) -> None:
    with (desk.cec / "pyproject.toml").open("a") as file:
        file.write("# mine\n")


UNCOMMITTED: dict[str, tuple[Callable[[Desk], None], str]] = {
    "new": (_new, "workflow new       draft"),
    "modified": (_modified, "workflow modified  upscale"),
    "deleted": (_deleted, "workflow deleted   upscale"),
    "changed state": (_changed_state, ".cec/pyproject.toml"),
}


@pytest.mark.parametrize("what", UNCOMMITTED)
def test_uncommitted_changes_stop_it(desk: Desk, what: str) -> None:
    change, line = UNCOMMITTED[what]
    change(desk)
    error = desk.refused()
    assert error["exit_code"] == "1"
    said, *listed = error["message"].splitlines()
    assert said == "Cannot export with uncommitted changes. Commit first."
    assert line in listed
    assert error["hint"] == f'comfydock -e {desk.name} commit -m "Pre-export checkpoint"'
    child = desk.ask()
    child.expect("Cannot export with uncommitted changes. Commit first.")
    child.expect(f'hint: comfydock -e {desk.name} commit -m "Pre-export checkpoint"')
    assert exit_code(child) == 1
    assert desk.left() == []


def test_a_cosmetic_change_does_not_stop_it(desk: Desk) -> None:
    moved = [{**node, "pos": [7, 7]} for node in UPSCALE["nodes"]]
    desk.save_content("upscale", {**UPSCALE, "nodes": moved})
    assert desk.export().exit_code == 0


def test_the_summary_counts_as_specified(desk: Desk) -> None:
    child = desk.ask()
    child.expect(
        "📋 Export Validation Summary:\r\n\r\nWorkflows:\r\n"
        r"  ✓ sub/style.json \(5 nodes, 3 models - all resolved\)\r\n"
        r"  ✓ upscale.json \(3 nodes, 1 model - all resolved\)\r\n"
    )
    child.expect("📦 Bundle size estimate: .* KB\r\n")
    child.expect(r"Continue\? \[Y/n\]: ")
    child.sendline("")
    child.expect(r"✓ Export complete: .*x.tar.gz \(.* KB\)")
    child.expect(r"• 3 custom nodes \(1 development, 2 registry/git\)")
    child.expect(r"• 3 models \(3 with download URLs\)")
    child.expect("Share this file to distribute your complete environment!")
    assert exit_code(child) == 0


def test_a_model_that_is_gone_from_disk_is_named(desk: Desk) -> None:
    place = desk.model()
    desk.save("gone", place.name)
    desk.commit()
    place.unlink()
    error = desk.refused()
    assert error["exit_code"] == "4"
    assert "Model mine.safetensors referenced but not found in index" in error["message"]
    assert error["hint"] == f"comfydock -e {desk.name} workflow resolve gone"
    child = desk.ask()
    child.expect(r"⚠ gone.json \(1 node, 1 model - 1 unresolved model\)")
    child.expect("Issues Found:\r\n  • gone.json: Model mine.safetensors referenced but not found")
    child.expect("Choice .*: ")
    child.sendline("c")
    child.expect("export cancelled; nothing was written")
    assert exit_code(child) == 1


def test_a_model_that_is_gone_may_be_exported_as_an_issue(desk: Desk) -> None:
    place = desk.model()
    desk.save("gone", place.name)
    desk.commit()
    place.unlink()
    ran = desk.export("--allow-issues", "--json")
    assert ran.exit_code == 0, ran.out
    [issue] = desk.manifest()["issues"]
    assert issue["subject"] == "mine.safetensors"


def test_a_workflow_that_is_no_json_is_named(desk: Desk) -> None:
    folder = desk.one.place(desk.name) / "ComfyUI/user/default/workflows"
    (folder / "broken.json").write_text('{"nodes": [')
    error = desk.refused()
    assert error["exit_code"] == "1"
    assert "broken" in error["message"]
    desk.one.run("-e", desk.name, "commit", "-m", "broken too")
    error = desk.refused()
    assert "`broken` cannot be read as JSON" in error["message"]
    ran = desk.export("--json", "--allow-issues")
    assert ran.exit_code == 0, ran.out
    assert desk.members()["workflows/broken.json"] == b'{"nodes": ['
    assert [issue["workflow"] for issue in desk.manifest()["issues"]] == ["broken"]


def _missing(node: Path) -> None:
    shutil.rmtree(node)


def _link(node: Path) -> None:
    node.rename(node.parents[3] / "elsewhere")
    node.symlink_to(node.parents[3] / "elsewhere")


def _file(node: Path) -> None:
    shutil.rmtree(node)
    node.write_text("")


def _link_inside(node: Path) -> None:
    (node / "hosts").symlink_to("/etc/hosts")


NODES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "missing": (_missing, "node `my-dev` is missing", "comfydock node remove my-dev"),
    "a link": (_link, "the development node `my-dev` is a link to", "move the folder itself"),
    "a file": (_file, "node `my-dev` is a single file", "a folder of its own"),
    "a link inside": (_link_inside, "`my-dev/hosts` is a link", ".gitignore"),
}


@pytest.mark.parametrize("what", NODES)
def test_a_node_that_cannot_travel_is_named(desk: Desk, what: str) -> None:
    change, sentence, hint = NODES[what]
    change(desk.node)
    error = desk.refused("--allow-issues")
    assert error["exit_code"] == "1"
    assert sentence in error["message"]
    assert hint in error["hint"]


def test_what_changes_after_it_was_searched_does_not_leave(desk: Desk) -> None:
    child = desk.ask()
    child.expect(r"Continue\? \[Y/n\]: ")
    (desk.node / "__init__.py").write_text("changed = 1\n")
    child.sendline("")
    child.expect("__init__.py` (changed while it was read|is not what it was)")
    child.expect("hint: wait until nothing writes to it")
    assert exit_code(child) == 1
    assert desk.left() == []


def test_a_broken_state_is_named(desk: Desk) -> None:
    (desk.cec / "pyproject.toml").write_text("[tool")
    error = desk.refused()
    assert error["code"] == "manifest"
    assert "pyproject.toml" in error["message"]

"""Development nodes travel as git sees them, with where they come from, without credentials."""

from __future__ import annotations

import os
from pathlib import Path

from tests.journeys.desks import Desk
from tests.journeys.town import git, make_repository, write_files

MEGABYTE = 1024 * 1024


def sparse(path: Path, size: int) -> None:
    """Make a file of zeros that takes no room."""
    with path.open("wb") as file:
        file.truncate(size)


def test_a_large_node_is_warned_about_with_its_largest_files(desk: Desk) -> None:
    for number in range(1, 7):
        sparse(desk.node / f"weights{number}.bin", (6 + number) * MEGABYTE)
    (desk.node / ".gitignore").write_text("scratch/\nignored.bin\n")
    sparse(desk.node / "ignored.bin", 40 * MEGABYTE)
    ran = desk.export("--json")
    assert ran.exit_code == 0, ran.out
    [warning] = ran.envelope["data"]["warnings"]
    assert warning == (
        "Development node 'my-dev' is 57.0 MB; largest files: weights6.bin (12.0 MB), "
        "weights5.bin (11.0 MB), weights4.bin (10.0 MB), weights3.bin (9.0 MB), "
        "weights2.bin (8.0 MB)"
    )
    assert "dev_nodes/my-dev/ignored.bin" not in desk.members()
    assert f"⚠ {warning}" in desk.export("--force").err


def test_where_it_comes_from_is_recorded_without_its_password(desk: Desk) -> None:
    commit = make_repository(desk.node, "v1")
    git(desk.node, "remote", "add", "origin", "https://me:hunter2hunter2@github.com/acme/my-dev")
    assert desk.export().exit_code == 0
    assert desk.manifest()["development"]["my-dev"] == {
        "remote": "https://github.com/acme/my-dev",
        "commit": commit,
        "dirty": False,
        "unpushed": True,
    }
    git(desk.node, "update-ref", "refs/remotes/origin/main", commit)
    (desk.node / "new.py").write_text("")
    assert desk.export("--force").exit_code == 0
    told = desk.manifest()["development"]["my-dev"]
    assert (told["dirty"], told["unpushed"]) == (True, False)
    assert not any("/.git/" in name for name in desk.members())
    assert b"hunter2" not in b"".join(desk.members().values())


def test_nested_ignore_files_and_fall_back_patterns_hold(desk: Desk) -> None:
    write_files(
        desk.node,
        {
            "sub/.gitignore": "*.log\n!keep.log\n",
            "sub/a.log": "",
            "sub/keep.log": "",
            "sub/__pycache__/x.py": "",
            "x.egg-info/PKG-INFO": "",
            "node_modules/a.js": "",
            "data/ok.txt": "",
        },
    )
    assert desk.export().exit_code == 0
    members = {name for name in desk.members() if name.startswith("dev_nodes/")}
    assert members == {
        f"dev_nodes/my-dev/{name}"
        for name in (
            *(".gitignore", "__init__.py", "requirements.txt"),
            *("sub/.gitignore", "sub/keep.log", "data/ok.txt"),
        )
    }


def test_files_that_hold_credentials_never_travel(desk: Desk) -> None:
    denied = (".env", "id_rsa", "sub/.env.local", ".aws/config", "credentials.json", ".netrc")
    write_files(desk.node, dict.fromkeys((*denied, ".env.example"), "PASSWORD=Tr0ub4dorAnd3\n"))
    (desk.node / ".env.example").write_text("PASSWORD=\n")
    ran = desk.export("--json")
    assert ran.exit_code == 0, ran.out
    warnings = ran.envelope["data"]["warnings"]
    assert len(warnings) == len(denied)
    for name in denied:
        assert any(w.startswith(f"my-dev/{name} does not travel: ") for w in warnings)
        assert f"dev_nodes/my-dev/{name}" not in desk.members()
    assert "dev_nodes/my-dev/.env.example" in desk.members()


def test_what_it_asks_for_by_path_or_address_is_named(desk: Desk) -> None:
    (desk.node / "requirements.txt").write_text(
        "humanize>=4\n../mylib\ngit+https://github.com/a/b\n--extra-index-url https://h.org/x\n"
    )
    warnings = desk.export("--json").envelope["data"]["warnings"]
    assert [w for w in warnings if w.startswith("my-dev ")] == [
        "my-dev asks for `../mylib`",
        "my-dev asks for `git+https://github.com/a/b`",
        "my-dev has the pip option `--extra-index-url https://h.org/x`",
    ]


def test_a_pipe_in_a_node_is_no_source(desk: Desk) -> None:
    os.mkfifo(desk.node / "pipe")
    assert desk.export().exit_code == 0
    assert "dev_nodes/my-dev/pipe" not in desk.members()


def test_a_profile_without_sources_says_what_stays_behind(desk: Desk) -> None:
    ran = desk.export("--json", "--profile", "workflow-only")
    assert ran.exit_code == 0
    assert "node my-dev stays behind" in ran.envelope["data"]["warnings"]
    assert not any(name.startswith("dev_nodes/") for name in desk.members())


def test_a_file_that_no_bundle_can_hold_is_named_with_what_to_do(desk: Desk) -> None:
    for name in ("CON.txt", "a:b", "e\u0301.txt"):
        (desk.node / name).write_text("")
        error = desk.refused()
        assert f"member `dev_nodes/my-dev/{name}` " in error["message"]
        assert error["hint"] == "rename or shorten it, or list it in the node's .gitignore"
        (desk.node / ".gitignore").write_text(f"{name}\n")
        assert desk.export("--force").exit_code == 0
        desk.bundle.unlink()
        (desk.node / name).unlink()

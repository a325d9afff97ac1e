"""Sixty kinds of secrets and private data: none leaves unnamed, none is shown in the clear."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.core.exporting.secret_corpus import OWNER, Planted, hexed, mixed, planted_files
from tests.journeys.desks import Desk
from tests.journeys.machines import Ran, workflow
from tests.journeys.terminal import exit_code

PRIVATE = {"home-folder", "user-name", "e-mail-address", "private-address"}
WIDGET, URL_TOKEN, PASSWORD, REMOTE = "h" + "f_" + mixed(34), hexed(40), mixed(20), mixed(24)
EXTRA = "sk" + "-" + mixed(48)
ME = {"HOME": OWNER.home, "USER": OWNER.user_name}


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaky:
    """A desk with every case of the corpus in its development node, and by which member."""

    desk: Desk
    cases: dict[str, Planted]
    workflow: Path

    @property
    def values(self) -> tuple[str, ...]:
        """All that must not be shown."""
        return (
            *(case.value for case in self.cases.values() if case.rule not in PRIVATE),
            *(WIDGET, URL_TOKEN, PASSWORD, REMOTE, EXTRA),
        )


def leaky_workflow() -> dict[str, Any]:
    flow = workflow([("VAELoader", "tiny-vae.safetensors", "vae")], ["MyDev"])
    model = {"name": "tiny-vae.safetensors", "directory": "vae"}
    flow["nodes"][0]["properties"]["models"] = [
        {**model, "url": f"https://me:{PASSWORD}@models.invalid/d/1"},
        {**model, "url": f"https://models.invalid/d/1?token={URL_TOKEN}"},
    ]
    flow["nodes"][1]["widgets_values"] = [f"a cat\n{WIDGET}"]
    flow["extra"] = {"info": {"key": EXTRA}}
    return flow


@pytest.fixture
def leaky(desk: Desk) -> Leaky:
    cases: dict[str, Planted] = {}
    for number, case in enumerate(planted_files()):
        place = f"planted/{number}/{case.place}"
        (desk.node / place).parent.mkdir(parents=True)
        (desk.node / place).write_bytes(case.content)
        cases[f"dev_nodes/my-dev/{place}"] = case
    repository = desk.node / ".git"
    (repository / "refs").mkdir(parents=True)
    (repository / "objects").mkdir()
    (repository / "HEAD").write_text("ref: refs/heads/main\n")
    (repository / "config").write_text(
        f'[remote "origin"]\n\turl = https://me:{REMOTE}@github.com/acme/my-dev\n'
    )
    saved = desk.save_content("leaky", leaky_workflow())
    desk.commit()
    return Leaky(desk=desk, cases=cases, workflow=saved)


def nothing_shown(leaky: Leaky, *shown: str) -> None:
    logs = leaky.desk.one.home / "logs"
    text = "\n".join([*shown, *(log.read_text() for log in logs.iterdir())])
    assert [value for value in leaky.values if value in text] == []


def refused(leaky: Leaky, *words: str) -> tuple[Ran, list[str]]:
    """Export; return what was run and the lines of the findings."""
    ran = leaky.desk.export("--json", *words, **ME)
    [error] = ran.envelope["errors"]
    assert ran.exit_code == 4
    said, *listed = error["message"].splitlines()
    secrets = "secret" if len(listed) == 1 else "secrets"
    assert said == f"{len(listed)} {secrets} would leave with the bundle"
    assert leaky.desk.left() == []
    return ran, listed


def test_every_secret_is_named_and_none_is_shown(leaky: Leaky) -> None:
    ran, listed = refused(leaky)
    nothing_shown(leaky, ran.out, ran.err)
    plain = leaky.desk.export(**ME)
    assert plain.exit_code == 4
    nothing_shown(leaky, plain.out, plain.err)
    secrets = {place for place, case in leaky.cases.items() if case.rule not in PRIVATE}
    assert len({leaky.cases[place].rule for place in secrets}) >= 50
    text = "\n".join(listed)
    unnamed = {p for p in secrets if f" in {re.sub('hf_.*', 'hf_', p)}" not in text}
    assert unnamed == set()
    assert 'in workflow leaky.json, node 2 "MyDev", widget 0' in text
    assert text.count('in workflow leaky.json, node 1 "VAELoader", properties.models') == 2
    assert "in workflow leaky.json, extra.info.key" in text


def test_what_is_accepted_by_name_travels_and_the_rest_stays_named(leaky: Leaky) -> None:
    _, listed = refused(leaky)
    first, *others = (line.split()[0] for line in listed)
    words = [word for identity in others for word in ("--accept-finding", identity)]
    _, left = refused(leaky, *words)
    assert [line.split()[0] for line in left] == [first]
    ran = leaky.desk.export("--json", *words, "--accept-finding", first, **ME)
    assert ran.exit_code == 0, ran.out
    nothing_shown(leaky, ran.out, ran.err)
    warnings = "\n".join(ran.envelope["data"]["warnings"])
    private = {place for place, case in leaky.cases.items() if case.rule in PRIVATE}
    assert {place for place in private if place not in warnings} == set()
    assert warnings.count("private: ") >= len(private)
    members = leaky.desk.members()
    own = b"".join(members[n] for n in ("manifest.json", "pyproject.toml", "uv.lock"))
    kept = (WIDGET, URL_TOKEN, PASSWORD, REMOTE, EXTRA)
    assert [value for value in kept if value.encode() in own] == []
    assert b"https://models.invalid/d/1" in own
    assert REMOTE.encode() not in b"".join(members.values())


def test_nothing_is_said_once_all_of_it_is_gone(leaky: Leaky) -> None:
    planted = leaky.desk.node / "planted"
    for file in sorted(planted.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    leaky.workflow.unlink()
    leaky.desk.commit()
    ran = leaky.desk.export("--json", **ME)
    assert ran.exit_code == 0, ran.out
    assert ran.envelope["data"]["warnings"] == []


def test_a_person_sees_them_masked_and_no_is_the_default(desk: Desk) -> None:
    (desk.node / "n.py").write_text(f"go({WIDGET!r})\n")
    child = desk.ask()
    child.expect("⚠ 1 secret would leave with this bundle:\r\n")
    child.expect(r"  • [0-9a-f]{8}  .* \(37 characters\) in dev_nodes/my-dev/n.py:1\r\n")
    assert WIDGET not in child.before + child.after
    child.expect(r"Let them travel\? \[y/N\]: ")
    child.sendline("")
    child.expect("export cancelled; nothing was written")
    assert exit_code(child) == 1
    assert desk.left() == []

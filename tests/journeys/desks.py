"""A desk: a committed environment of its own on the sender's machine, ready to be exported."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pexpect

from tests.journeys.machines import Machine, Ran, save_workflow, workflow
from tests.journeys.terminal import terminal
from tests.journeys.town import git, tensor_file


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """The environment ``name`` of ``one``, the models that only it has, and where bundles go."""

    one: Machine
    name: str
    library: Path
    out: Path

    @property
    def bundle(self) -> Path:
        """Where exports of this desk go."""
        return self.out / "x.tar.gz"

    @property
    def cec(self) -> Path:
        """The tracked state."""
        return self.one.place(self.name) / ".cec"

    @property
    def node(self) -> Path:
        """The development node's folder."""
        return self.one.place(self.name) / "ComfyUI/custom_nodes/my-dev"

    def model(self, name: str = "mine.safetensors") -> Path:
        """Put a VAE into the library that no other desk has, and return its file."""
        place = self.library / "vae" / self.name / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(tensor_file(f"{self.name} {name}"))
        return place

    def save(self, name: str, *models: str, classes: tuple[str, ...] = ()) -> Path:
        """Save a workflow that loads these VAEs; what is there of ``model`` is found by name."""
        loaders = [("VAELoader", model, "vae") for model in models]
        return self.save_content(name, workflow(loaders, classes))

    def save_content(self, name: str, content: Mapping[str, Any]) -> Path:
        """Save a workflow as it is given."""
        return save_workflow(self.one, self.name, name, content)

    def commit(self) -> None:
        """Commit everything."""
        self.one.ok("-e", self.name, "commit", "-m", "more")

    def export(self, *words: str, **more: str) -> Ran:
        """Export to ``bundle`` with nobody at the terminal and some more variables."""
        one = replace(self.one, variables={**self.one.variables, **more})
        return one.run("export", self.name, "--output", str(self.bundle), *words)

    def refused(self, *words: str) -> dict[str, str]:
        """Export and return the one error of the envelope; nothing may be left behind."""
        ran = self.export("--json", *words)
        (error,) = ran.envelope["errors"]
        assert ran.exit_code == ran.envelope["exit_code"] != 0
        assert self.left() == []
        return {**error, "exit_code": str(ran.exit_code)}

    def ask(self, *words: str) -> pexpect.spawn[str]:
        """Export to ``bundle`` at a terminal."""
        plain = replace(self.one, variables={**self.one.variables, "NO_COLOR": "1"})
        return terminal(plain, "export", self.name, "--output", str(self.bundle), *words)

    def left(self) -> list[str]:
        """Return what lies where the bundle goes, and what the workspace keeps aside."""
        staging = self.one.home / "environments/.staging"
        aside = sorted(staging.iterdir()) if staging.is_dir() else []
        return [path.name for path in (*sorted(self.out.iterdir()), *aside)]

    def messages(self) -> list[str]:
        """Return the messages of all commits, newest first."""
        return git(self.cec, "log", "--format=%s").splitlines()

    def members(self) -> dict[str, bytes]:
        """Return what the bundle holds."""
        return members(self.bundle)

    def manifest(self) -> dict[str, Any]:
        """Return the bundle's manifest.json."""
        told: dict[str, Any] = json.loads(self.members()["manifest.json"])
        return told


def members(bundle: Path) -> dict[str, bytes]:
    """Return the files of a bundle."""
    with tarfile.open(bundle) as archive:
        files = ((member.name, archive.extractfile(member)) for member in archive)
        return {name: file.read() for name, file in files if file}


def desk_of(studio: Machine, out: Path) -> Desk:
    """Make a desk from a copy of the studio's environment."""
    name = f"desk-{out.parent.name[-40:]}"
    shutil.copytree(studio.place("studio"), studio.place(name), symlinks=True)
    out.mkdir()
    return Desk(one=studio, name=name, library=studio.home.parent / "library", out=out)


def clear(desk: Desk) -> None:
    """Take a desk away, its models too."""
    shutil.rmtree(desk.one.place(desk.name))
    shutil.rmtree(desk.library / "vae" / desk.name, ignore_errors=True)

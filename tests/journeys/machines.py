"""One user's machine: a home, a workspace, and the real comfydock command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.journeys.town import MODELS, Town, pack_files, tensor_file, write_files

COMFYDOCK = Path(sys.executable).with_name("comfydock")
NOT_INHERITED = ("COMFYDOCK_", "CI", "HF_")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """What a command answered."""

    exit_code: int
    out: str
    err: str

    @property
    def envelope(self) -> dict[str, Any]:
        """The JSON envelope of a command that was run with ``--json``."""
        answer: dict[str, Any] = json.loads(self.out)
        return answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """A machine whose comfydock has its workspace at ``home``."""

    home: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def environment(self, **more: str) -> dict[str, str]:
        """The variables of this machine's processes."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(NOT_INHERITED)}
        ours = {"COMFYDOCK_HOME": str(self.home), "GIT_CONFIG_GLOBAL": os.devnull}
        return inherited | ours | dict(self.variables) | more

    def command(self, words: Sequence[str]) -> list[str]:
        """The command line for some words."""
        return [str(COMFYDOCK), *words]

    def run(self, *words: str, folder: Path | None = None, **more: str) -> Ran:
        """Run comfydock to its end, with nobody at the terminal."""
        done = subprocess.run(
            self.command(words),
            env=self.environment(**more),
            cwd=folder or self.home.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(exit_code=done.returncode, out=done.stdout, err=done.stderr)

    def ok(self, *words: str, folder: Path | None = None, **more: str) -> Ran:
        """Run comfydock and insist on exit 0."""
        ran = self.run(*words, folder=folder, **more)
        assert ran.exit_code == 0, f"{words}: {ran.exit_code}\n{ran.out}\n{ran.err}"
        return ran

    def place(self, name: str) -> Path:
        """The folder of an environment."""
        return self.home / "environments" / name


def machine(folder: Path, town: Town) -> Machine:
    """Make a machine whose home is below ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    return Machine(home=folder / "home", variables=town.variables)


def workflow(models: Sequence[tuple[str, str, str]], classes: Sequence[str]) -> dict[str, Any]:
    """Return a UI-form workflow: a loader for each (class, widget value, folder), then others."""
    nodes = [
        {
            "id": number,
            "type": loader,
            "pos": [0, 0],
            "mode": 0,
            "inputs": [],
            "outputs": [],
            "properties": {},
            "widgets_values": [value, *([1.0] if loader == "LoraLoaderModelOnly" else [])],
        }
        for number, (loader, value, _) in enumerate(models, start=1)
    ]
    nodes += [
        {"id": number, "type": name, "pos": [0, 0], "mode": 0, "inputs": [], "outputs": [],
         "properties": {}, "widgets_values": []}
        for number, name in enumerate(classes, start=len(models) + 1)
    ]  # fmt: skip
    return {"nodes": nodes, "links": [], "groups": [], "config": {}, "extra": {}, "version": 0.4}


UPSCALE = workflow(
    [("UpscaleModelLoader", "tiny-2x.safetensors", "upscale_models")], ["AcmeText", "SaveImage"]
)
STYLE = workflow(
    [
        ("LoraLoaderModelOnly", "styles/tiny-style.safetensors", "loras"),
        ("VAELoader", "tiny-vae.safetensors", "vae"),
        ("UpscaleModelLoader", "tiny-2x.safetensors", "upscale_models"),
    ],
    ["AcmeGit", "MyDev"],
)


def save_workflow(one: Machine, environment: str, name: str, content: Mapping[str, Any]) -> Path:
    """Save a workflow as ComfyUI's frontend would."""
    path = one.place(environment) / "ComfyUI/user/default/workflows" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")
    return path


def sender(folder: Path, town: Town) -> Machine:
    """Make a machine with a complete, committed environment `studio` on it."""
    one = machine(folder, town)
    models = folder / "library"
    for path in MODELS:
        place = models / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(tensor_file(path))
    one.ok("create", "studio", "--torch-backend", "none")
    one.ok("model", "index", "dir", str(models))
    for path in MODELS:
        one.ok("model", "add-source", path, town.model_url(path))
    one.ok("node", "add", "acme-text@1.2.0")
    one.ok("node", "add", "https://github.com/acme/acme-git")
    development = write_files(
        folder / "my-dev",
        pack_files("MyDev", "humanize>=4", **{".gitignore": "scratch/\n", "scratch/x.txt": "no"}),
    )
    one.ok("node", "add", "--dev", str(development))
    save_workflow(one, "studio", "upscale", UPSCALE)
    save_workflow(one, "studio", "sub/style", STYLE)
    one.ok("workflow", "resolve", "upscale")
    for path, criticality in MODELS.items():
        name = "upscale" if criticality == "required" else "sub/style"
        file = path.rpartition("/")[2]
        one.ok("workflow", "model", name, file, "--criticality", criticality)
    one.ok("commit", "-m", "all of it")
    return one

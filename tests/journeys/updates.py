"""A bundle, a later bundle of the same author, and somebody who has the first one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.journeys.machines import STYLE, UPSCALE, Machine, machine, save_workflow, workflow
from tests.journeys.town import TWIN, Town, git, pack_files, write_files

AGREED = ("--yes", "--trust-code", "--no-verify", "--json")
FRESH = workflow([("UpscaleModelLoader", "twin.safetensors", "upscale_models")], ["ExtraDev"])
STYLE_LATER = workflow([("VAELoader", "tiny-vae.safetensors", "vae")], ["MyDev", "SaveImage"])
UPSCALE_LATER = workflow(
    [("UpscaleModelLoader", "tiny-2x.safetensors", "upscale_models")],
    ["AcmeText", "SaveImage", "AcmeText"],
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Receiver:
    """Somebody's machine with the environment `studio` out of the first bundle."""

    one: Machine

    @property
    def cec(self) -> Path:
        """The tracked state."""
        return self.one.place("studio") / ".cec"

    @property
    def nodes(self) -> Path:
        """Where the node packs lie."""
        return self.one.place("studio") / "ComfyUI/custom_nodes"

    @property
    def workflows(self) -> Path:
        """Where ComfyUI has the workflows."""
        return self.one.place("studio") / "ComfyUI/user/default/workflows"

    def classes(self, name: str) -> list[str]:
        """Return the node classes of a workflow in ComfyUI."""
        found = json.loads((self.workflows / f"{name}.json").read_bytes())
        return [node["type"] for node in found["nodes"]]

    def save(self, name: str, content: Mapping[str, Any]) -> None:
        """Save a workflow as ComfyUI would."""
        save_workflow(self.one, "studio", name, content)

    def packages(self) -> str:
        """Return what is installed, without our own."""
        site = self.one.place("studio") / ".venv/lib"
        return "\n".join(sorted(path.name for path in site.glob("*/site-packages/*.dist-info")))

    def state(self) -> dict[str, bytes]:
        """Return all files that an update could change and that are somebody's."""
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for folder in (self.cec, self.nodes, self.workflows)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not {".git", "__pycache__"} & set(path.parts)
        }

    def head(self) -> str:
        """Return the current commit."""
        return git(self.cec, "rev-parse", "HEAD")

    def messages(self) -> list[str]:
        """Return the first lines of all commits, newest first."""
        return git(self.cec, "log", "--format=%s").splitlines()


def later_bundle(folder: Path, town: Town, first: Path) -> Path:
    """Let an author go on from the first bundle and export again."""
    author = machine(folder, town)
    author.ok("import", str(first), "--name", "studio", *AGREED)
    author.ok("use", "studio")
    author.ok("node", "remove", "acme-text", "--yes")
    author.ok("node", "add", "acme-text@1.1.0")
    author.ok("node", "remove", "acme-git", "--yes")
    extra = write_files(folder / "extra-dev", pack_files("ExtraDev", "packaging"))
    author.ok("node", "add", "--dev", str(extra))
    write_files(
        author.place("studio") / "ComfyUI/custom_nodes/my-dev", {"later.py": "LATER = True\n"}
    )
    author.ok("model", "download", town.model_url(TWIN), "--category", "upscale_models")
    save_workflow(author, "studio", "upscale", UPSCALE_LATER)
    save_workflow(author, "studio", "sub/style", STYLE_LATER)
    save_workflow(author, "studio", "fresh", FRESH)
    author.ok("commit", "-m", "later")
    bundle = folder / "later.tar.gz"
    author.ok("export", "studio", "--output", str(bundle))
    return bundle


def changed(base: Mapping[str, Any], extra: str) -> dict[str, Any]:
    """Return a workflow with one more node."""
    content: dict[str, Any] = json.loads(json.dumps(base))
    content["nodes"].append({**content["nodes"][-1], "id": 90, "type": extra})
    return content


MINE = changed(UPSCALE, "SaveImage")
MY_STYLE = changed(STYLE, "SaveImage")

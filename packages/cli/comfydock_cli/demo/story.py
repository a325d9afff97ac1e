"""The demo itself: what the sender does, what the receiver does, and that both see the same."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from comfydock_core.errors import ComfydockError

from comfydock_cli.demo import content
from comfydock_cli.demo.narration import Narration
from comfydock_cli.demo.running_comfyui import Picture
from comfydock_cli.demo.side import Side
from comfydock_cli.measures import size_text

ENVIRONMENT = "posters"
BUNDLE = f"{ENVIRONMENT}.tar.gz"
LIBRARY = "models"
_SAVED_WORKFLOWS = Path("ComfyUI/user/default/workflows")


class DifferentPicturesError(ComfydockError):
    """The receiver's ComfyUI made other pictures than the sender's."""

    code = "demo"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """What the demo came to: the receiver's pictures, which are the sender's too, byte for byte.

    ``sha256`` is the first one's.
    """

    pictures: tuple[Path, ...]
    sha256: str
    bundle_size: int


def tell(sender: Side, receiver: Side, narration: Narration, *, real: bool) -> Ending:
    """Play the whole demo."""
    narration.heading("on the sender's machine")
    _build(sender, narration)
    _use(sender, narration)
    sent = _pictures(sender, narration, real=real)
    _share(sender, narration)
    shutil.copyfile(sender.folder / BUNDLE, receiver.folder / BUNDLE)
    size = (receiver.folder / BUNDLE).stat().st_size
    narration.heading("on the receiver's machine")
    _take(receiver, narration, size)
    made = _pictures(receiver, narration, real=real)
    output = receiver.environment_path(ENVIRONMENT) / "ComfyUI/output"
    files = _same(sent, made, output)
    digest = hashlib.sha256(files[0].read_bytes()).hexdigest()
    return Ending(pictures=files, sha256=digest, bundle_size=size)


def _build(sender: Side, narration: Narration) -> None:
    narration.remark("An environment: a ComfyUI with Python packages of its own.")
    sender.run("create", ENVIRONMENT, progress=True)
    narration.remark("Three node packs: from the registry, from git, from a folder.")
    sender.run("node", "add", content.REGISTRY_NODE)
    sender.run("node", "add", content.GIT_NODE)
    content.write_development_node(sender.folder / content.DEVELOPMENT_NODE)
    sender.run("node", "add", "--dev", content.DEVELOPMENT_NODE)


def _use(sender: Side, narration: Narration) -> None:
    content.write_models(sender.folder / LIBRARY)
    narration.remark("A folder of models, used where it lies.")
    sender.run("model", "index", "dir", LIBRARY)
    poster, variants = content.WORKFLOWS
    content.write_workflows(sender.environment_path(ENVIRONMENT) / _SAVED_WORKFLOWS)
    narration.remark("Two workflows were saved in ComfyUI. What do they need, and how much?")
    sender.run("workflow", "resolve", poster)
    require = ("workflow", "model", poster, "plain-2x.safetensors", "--criticality", "required")
    sender.run(*require)
    spare = ("workflow", "model", variants, "cool-2x.safetensors", "--criticality", "optional")
    sender.run(*spare)
    sender.run("commit", "-m", "Two posters")


def _share(sender: Side, narration: Narration) -> None:
    narration.remark("All of it in one file.")
    sender.run("export", ENVIRONMENT, "--output", BUNDLE, progress=True)


def _take(receiver: Side, narration: Narration, size: int) -> None:
    narration.remark(
        f"Nothing is here but {BUNDLE} ({size_text(size)}): no ComfyUI, no node, no model.\n"
        "Without --yes you are asked; --trust-code agrees to the code that the plan lists."
    )
    receiver.run("import", BUNDLE, "--yes", "--trust-code", progress=True)
    receiver.run("use", ENVIRONMENT)
    receiver.run("status")


def _pictures(side: Side, narration: Narration, *, real: bool) -> list[Picture]:
    """Run both workflows, as they lie on this side, in a ComfyUI that is started for it."""
    saved = side.environment_path(ENVIRONMENT) / _SAVED_WORKFLOWS
    workflows = [_workflow(saved / f"{name}.json") for name in content.WORKFLOWS]
    narration.remark("ComfyUI starts, runs both workflows and is stopped by Ctrl-C.")
    with side.running_comfyui(*(("--cpu",) if real else ())) as comfyui:
        made = [picture for workflow in workflows for picture in comfyui.pictures(workflow)]
    for picture in made:
        narration.answer([f"made {picture.path} ({size_text(len(picture.content))})"])
    return made


def _workflow(path: Path) -> Mapping[str, object]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _same(sent: list[Picture], made: list[Picture], output: Path) -> tuple[Path, ...]:
    """Return the receiver's files after comparing them with what the sender's ComfyUI made."""
    files = tuple(output / picture.path for picture in made)
    different = [file for file, picture in zip(files, sent, strict=True) if not _is(file, picture)]
    if different:
        raise DifferentPicturesError(
            f"`{different[0].name}` is another picture than on the sender's side",
            subject=str(different[0]),
        )
    return files


def _is(file: Path, picture: Picture) -> bool:
    return file.read_bytes() == picture.content

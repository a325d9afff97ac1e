"""demo: the whole loop in a temporary folder, told to a newcomer."""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, Namespace
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from comfydock_core.errors import ComfydockError
from comfydock_core.storage.durable_files import remove_folder

from comfydock_cli.context import Context
from comfydock_cli.demo import content, hub
from comfydock_cli.demo.narration import Narration, ToldStep
from comfydock_cli.demo.side import Side
from comfydock_cli.demo.story import Ending, tell
from comfydock_cli.demo.variables import side_variables
from comfydock_cli.result import CommandResult, error_item

_NOW_YOURS = (
    ("comfydock create my-env", "an environment with the newest ComfyUI"),
    ("comfydock run", "start it"),
    ("comfydock export my-env", "one file for somebody else, or for yourself"),
)


def run_demo_arguments(parser: ArgumentParser) -> None:
    """--real, --keep."""
    parser.add_argument(
        "--real", action="store_true", help="with the real ComfyUI: several GB are downloaded"
    )
    parser.add_argument("--keep", action="store_true", help="leave the demo's folder for a look")


def run_demo(arguments: Namespace, context: Context) -> CommandResult:
    """Show everything; the folder is removed unless something failed or the user wants it."""
    folder = Path(tempfile.mkdtemp(prefix="comfydock-demo-")).resolve()
    told = context.output.form == "text"
    narration = Narration(context.output.answer if told else None, context.reporter)
    try:
        ending = _perform(folder, context, narration, real=arguments.real)
    except ComfydockError as error:
        return _failed(error, folder, narration.steps)
    except BaseException:
        _remove(folder)
        raise
    result = _ended(ending, folder, narration.steps, kept=arguments.keep)
    if not arguments.keep:
        _remove(folder)
    return result


def _perform(folder: Path, context: Context, narration: Narration, *, real: bool) -> Ending:
    offered = folder / "internet"
    content.publish(offered, comfyui=not real)
    with hub.serving(offered) as address:
        variables = side_variables(context.environment, address, real=real)
        sides = [Side(name, folder / name, variables, narration) for name in ("sender", "receiver")]
        _introduce(narration, folder, real=real)
        return tell(sides[0], sides[1], narration, real=real)


def _introduce(narration: Narration, folder: Path, *, real: bool) -> None:
    narration.say(
        "A working ComfyUI goes from one machine to another in one file.\n"
        f"Both machines are folders in {folder}."
    )
    if not real:
        narration.say(
            "To be quick, ComfyUI is a small one without torch, and its nodes and models come\n"
            "from this computer; `comfydock demo --real` takes the real ComfyUI."
        )


def _ended(ending: Ending, folder: Path, steps: list[ToldStep], *, kept: bool) -> CommandResult:
    seconds = sum(step.seconds for step in steps)
    return CommandResult(
        command="demo",
        data={
            "steps": [asdict(step) for step in steps],
            "seconds": seconds,
            "bundle_size": ending.bundle_size,
            "pictures": [str(path) for path in ending.pictures],
            "picture_sha256": ending.sha256,
            "same_bytes": True,
            "folder": str(folder) if kept else "",
        },
        text="\n".join(_last_words(ending, folder, seconds, kept=kept)),
    )


def _last_words(ending: Ending, folder: Path, seconds: float, *, kept: bool) -> list[str]:
    width = max(len(command) for command, _ in _NOW_YOURS)
    look = f"rm -r {folder} removes it" if kept else "`comfydock demo --keep` leaves it"
    return [
        "",
        "✅ The same picture on both sides, byte for byte:",
        f"  {ending.pictures[0]}",
        f"  sha256 {ending.sha256}",
        "",
        f"{seconds:.0f} s. The demo's folder {'was kept' if kept else 'is gone'}: {look}.",
        "",
        "now yours:",
        *(f"  {command.ljust(width)}   {purpose}" for command, purpose in _NOW_YOURS),
    ]


def _failed(error: ComfydockError, folder: Path, steps: list[ToldStep]) -> CommandResult:
    look = f"everything was kept for a look: {folder}"
    failure = replace(error_item(error), hint=f"{error.hint}; {look}" if error.hint else look)
    return CommandResult(
        command="demo",
        data={"steps": [asdict(step) for step in steps], "folder": str(folder)},
        status="error",
        exit_code=1,
        errors=(failure,),
    )


def _remove(folder: Path) -> None:
    trash = folder.with_name(f"{folder.name}-gone")
    remove_folder(folder, trash)
    with suppress(OSError):
        trash.rmdir()

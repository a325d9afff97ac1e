"""Running ComfyUI in the foreground, with the model library through ComfyUI's own options."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from comfydock_core.domain.models import ModelRoot
from comfydock_core.errors import NotReadyError
from comfydock_core.storage.durable_files import write_durably
from comfydock_core.storage.extra_model_paths import EXTRA_MODEL_PATHS
from comfydock_core.storage.model_layouts import takes_new_models
from comfydock_core.storage.processes import bin_folder, scrubbed_environment
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.workspace import Workspace

MODEL_FOLDERS = (
    "audio_encoders",
    "checkpoints",
    "classifiers",
    "clip_vision",
    "configs",
    "controlnet",
    "diffusers",
    "diffusion_models",
    "embeddings",
    "gligen",
    "hypernetworks",
    "latent_upscale_models",
    "loras",
    "model_patches",
    "photomaker",
    "style_models",
    "text_encoders",
    "upscale_models",
    "vae",
    "vae_approx",
)
_ALSO = {"diffusion_models": "unet", "text_encoders": "clip", "controlnet": "t2i_adapter"}
_YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NOT_PASSED_ON = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


def run_environment(
    workspace: Workspace,
    environment: Environment,
    options: Sequence[str],
    output: TextIO | None = None,
) -> int:
    """Run ComfyUI until it ends and return its exit code; Ctrl-C reaches it alone.

    ``output`` takes what it writes to stdout, which is otherwise this process's own.
    """
    command = comfyui_command(workspace, environment, options)
    variables = comfyui_variables(workspace, environment)
    with _signals_passed_on() as passing:
        process = subprocess.Popen(
            command, cwd=environment.comfyui_path, env=variables, stdout=output
        )
        passing.append(process)
        return _exit_code(process.wait())


def comfyui_command(
    workspace: Workspace, environment: Environment, options: Sequence[str] = ()
) -> list[str]:
    """Return the command that starts ComfyUI with the workspace's models."""
    if not environment.python.exists():
        raise NotReadyError(
            f"`{environment.name}` has no Python any more",
            hint=f"comfydock delete {environment.name}, then import or create it again",
            subject=environment.name,
        )
    paths = environment.path / EXTRA_MODEL_PATHS
    text = extra_model_paths(workspace.download_directory, workspace.model_roots)
    write_durably(paths, text.encode())
    return [
        *(str(environment.python), "main.py", "--extra-model-paths-config", str(paths)),
        *options,
    ]


def comfyui_variables(workspace: Workspace, environment: Environment) -> dict[str, str]:
    """Return ComfyUI's environment: the user's own, with the venv's programs first.

    ``PYTHONDONTWRITEBYTECODE`` would make every start take a minute.
    """
    variables = scrubbed_environment(workspace.process_environment, (), _NOT_PASSED_ON)
    programs = str(bin_folder(environment.venv_path))
    variables["PATH"] = os.pathsep.join(filter(None, (programs, variables.get("PATH", ""))))
    return variables | {"VIRTUAL_ENV": str(environment.venv_path)}


def extra_model_paths(default: Path, roots: Iterable[ModelRoot]) -> str:
    """Return ComfyUI's extra_model_paths.yaml for the model library, with ``default`` before all.

    In a folder with categories every one is listed whether it is there or not, and under all its
    names. A Hugging Face cache has no categories; what is used of it is linked.
    """
    lines: list[str] = []
    first = ModelRoot(path=str(default))
    for number, root in enumerate(dict.fromkeys((first, *roots))):
        if root.category:
            lines += [f"comfydock_{number}:", f"    {_text(root.category)}: {_text(root.path)}"]
        elif root == first or takes_new_models(root):
            lines += [f"comfydock_{number}:", f"    base_path: {_text(root.path)}"]
            lines += ["    is_default: true"] if root == first else []
            lines += _categories_in(Path(root.path))
    return "\n".join(lines) + "\n"


def _categories_in(folder: Path) -> Iterator[str]:
    for name in sorted({*MODEL_FOLDERS, *_folders_in(folder)} - set(_ALSO.values())):
        yield from (f"    {name}: |", f"        {name}")
        if name in _ALSO:
            yield f"        {_ALSO[name]}"


def _text(text: str) -> str:
    """Return a text as YAML takes it for one: a word as it is, all else as a JSON text."""
    is_word = _PLAIN_NAME.fullmatch(text) and text.lower() not in _YAML_WORDS
    return text if is_word else json.dumps(text, ensure_ascii=False)


def _folders_in(folder: Path) -> set[str]:
    """Return sub-folders that YAML reads as plain words; node packs bring folders of their own."""
    if not folder.is_dir():
        return set()
    names = {entry.name for entry in folder.iterdir() if entry.is_dir()}
    plain = {name for name in names if _PLAIN_NAME.fullmatch(name)}
    return {name for name in plain if name.lower() not in _YAML_WORDS} - {"custom_nodes"}


@contextmanager
def _signals_passed_on() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Pass signals on to the processes in the list; a terminal's Ctrl-C reaches them by itself.

    A process that is started inside begins with the usual reaction to a signal, also where this
    one was started to ignore it (in the background of a script).
    """
    processes: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, _: object) -> None:
        if number != signal.SIGINT or not os.isatty(0):
            for process in processes:
                process.send_signal(number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    before = {number: signal.signal(number, pass_on) for number in numbers}
    try:
        yield processes
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit_code(code: int) -> int:
    """Give a program that was ended by signal N the code 128 + N, as shells do."""
    return 128 - code if code < 0 else code

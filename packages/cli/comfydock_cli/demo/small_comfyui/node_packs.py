"""Custom node packs: which entries of custom_nodes are loaded, how, and what is printed of it."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
import traceback

import folder_paths
import nodes

# The pack that each custom class is from, as /object_info tells it.
pack_of_class: dict[str, str] = {}


def load_all(*, tells_each: bool) -> None:
    """Runs every pack's prestartup script, then imports every pack; a failure is printed only.

    ``tells_each`` prints a line before each. A custom_nodes folder that is not there ends the program, as it does the real one.
    """
    packs = [
        os.path.join(folder, name)
        for folder in folder_paths.get_folder_paths("custom_nodes")
        for name in sorted(os.listdir(os.path.realpath(folder)))
        if _is_pack(os.path.join(folder, name))
    ]
    for pack in packs:
        _run_prestartup_script(pack)
    timed = [(*_timed_load(pack, tells_each), pack) for pack in packs]
    print("\nImport times for custom nodes:")
    for seconds, loaded, pack in sorted(timed):
        print(f"{seconds:6.1f} seconds{'' if loaded else ' (IMPORT FAILED)'}: {pack}")
    print(flush=True)


def _is_pack(path: str) -> bool:
    name = os.path.basename(path)
    if name == "__pycache__" or name.endswith(".disabled"):
        return False
    return os.path.isdir(path) or name.endswith(".py")


def _run_prestartup_script(pack: str) -> None:
    script = os.path.join(pack, "prestartup_script.py")
    if not os.path.isfile(script):
        return
    try:
        _imported(script, "prestartup_" + _module_name(pack))
    except Exception as failure:  # whatever a stranger's script raises
        traceback.print_exc()
        print(f"Failed to execute startup-script: {script} / {failure}")


def _timed_load(pack: str, tells: bool) -> tuple[float, bool]:
    if tells:
        print(f"Trying to load custom node {pack}", flush=True)
    started = time.perf_counter()
    try:
        loaded = _load(pack)
    except Exception as failure:  # whatever a stranger's module raises
        traceback.print_exc()
        print(f"Cannot import {pack} module for custom nodes: {failure}")
        loaded = False
    return time.perf_counter() - started, loaded


def _load(pack: str) -> bool:
    source = os.path.join(pack, "__init__.py") if os.path.isdir(pack) else pack
    module = _imported(source, _module_name(pack))
    classes = getattr(module, "NODE_CLASS_MAPPINGS", None)
    if classes is None:
        print(f"Skip {pack} module for custom nodes due to the lack of NODE_CLASS_MAPPINGS.")
        return False
    name = os.path.splitext(os.path.basename(pack))[0] if source == pack else os.path.basename(pack)
    for class_name, node_class in classes.items():
        if nodes.NODE_CLASS_MAPPINGS.setdefault(class_name, node_class) is node_class:
            pack_of_class[class_name] = f"custom_nodes.{name}"
    nodes.NODE_DISPLAY_NAME_MAPPINGS.update(getattr(module, "NODE_DISPLAY_NAME_MAPPINGS", {}))
    return True


def _module_name(pack: str) -> str:
    return pack.replace(".", "_x_")


def _imported(source: str, module_name: str):
    spec = importlib.util.spec_from_file_location(module_name, source)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module

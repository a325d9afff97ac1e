"""Logs as ComfyUI 0.3.75 writes them."""

from __future__ import annotations

import pytest
from comfydock_core.domain.comfyui_log import FailedPack, blamed_pack, failed_packs, log_lines

PACKS = "/home/u/ComfyUI/custom_nodes"
LOADER = """Traceback (most recent call last):
  File "/home/u/ComfyUI/nodes.py", line 2131, in load_custom_node
    module_spec.loader.exec_module(module)
  File "<frozen importlib._bootstrap_external>", line 940, in exec_module
"""
RAISED = f"""{LOADER}  File "{PACKS}/bad/__init__.py", line 3, in <module>
    from .deep.code import x
  File "{PACKS}/bad/deep/code.py", line 7, in <module>
    import torchsomething
  File "/home/u/.venv/lib/site-packages/torchsomething/__init__.py", line 1, in <module>
    import missing
ModuleNotFoundError: No module named 'missing'

Cannot import {PACKS}/bad module for custom nodes: No module named 'missing'
"""
WITHOUT_TRACEBACK = f"""
Skip {PACKS}/empty module for custom nodes due to the lack of NODE_CLASS_MAPPINGS or NODES_LIST.
Error while calling comfy_entrypoint in {PACKS}/new: boom
"""
CHAINED = f"""{LOADER}  File "{PACKS}/bad/__init__.py", line 3, in <module>
KeyError: 'a'

During handling of the above exception, another exception occurred:

{LOADER}  File "{PACKS}/bad/__init__.py", line 5, in <module>
    raise ImportError
ImportError: install it
second line: no

Cannot import {PACKS}/bad module for custom nodes: install it
second line: no
"""
TIMES = f"""
Import times for custom nodes:
   0.0 seconds: {PACKS}/good
   0.1 seconds (IMPORT FAILED): {PACKS}/bad
   0.1 seconds (IMPORT FAILED): {PACKS}/empty
   0.1 seconds (IMPORT FAILED): {PACKS}/new
   0.1 seconds (IMPORT FAILED): {PACKS}/silent
"""
DUMP = f"""Fatal Python error: {{what}}

Thread 0x00007f (most recent call first):
  File "{PACKS}/innocent/worker.py", line 1 in run

Current thread 0x00007e (most recent call first):
  File "/usr/lib/python3.11/socket.py", line 706 in readinto
  File "{PACKS}/bad/web.py", line 9 in fetch
  File "{PACKS}/bad/__init__.py", line 2 in <module>
"""


def reasons(text: str) -> dict[str, str]:
    return {each.pack: each.reason for each in failed_packs(log_lines(text.encode()))}


def blamed(text: str) -> FailedPack | None:
    return blamed_pack(log_lines(text.encode()))


@pytest.mark.parametrize(
    ("text", "pack", "reason"),
    [
        (
            RAISED,
            "bad",
            "ModuleNotFoundError: No module named 'missing' (deep/code.py, line 7)",
        ),
        (CHAINED, "bad", "ImportError: install it (__init__.py, line 5)"),
        (
            WITHOUT_TRACEBACK,
            "empty",
            "the lack of NODE_CLASS_MAPPINGS or NODES_LIST.",
        ),
        (WITHOUT_TRACEBACK, "new", "boom"),
        (RAISED, "silent", "the log does not say why"),
    ],
)
def test_why_a_pack_was_not_imported(text: str, pack: str, reason: str) -> None:
    assert reasons(text + TIMES)[pack] == reason


def test_only_packs_that_comfyui_gave_up_are_named() -> None:
    assert reasons(RAISED + TIMES).keys() == {"bad", "empty", "new", "silent"}
    assert reasons(RAISED) == {}


def test_a_pack_is_named_as_windows_writes_its_path() -> None:
    text = TIMES.replace("/", "\\") + RAISED.replace(PACKS, r"C:\ComfyUI\custom_nodes")
    assert reasons(text)["bad"].startswith("ModuleNotFoundError: No module named 'missing' (")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            DUMP.format(what="Segmentation fault"),
            ("bad", "Fatal Python error: Segmentation fault (web.py, line 9)"),
        ),
        (DUMP.format(what="Aborted"), ("bad", "it stands still (web.py, line 9)")),
        (
            f'{LOADER}  File "{PACKS}/bad/__init__.py", line 3, in <module>\nOdd: way\n',
            ("bad", "Odd: way (__init__.py, line 3)"),
        ),
        (
            f"Trying to load custom node {PACKS}/good\nTrying to load custom node {PACKS}/bad\n",
            ("bad", "it ended ComfyUI while it was imported"),
        ),
        (
            f"Trying to load custom node {PACKS}/bad\n{RAISED}"
            f"Trying to load custom node {PACKS}/worse\n",
            ("worse", "it ended ComfyUI while it was imported"),
        ),
        (f"Trying to load custom node {PACKS}/good\n{TIMES}OSError: address in use", None),
        (RAISED, None),
        (f"{LOADER}OSError: address in use\n", None),
        ("", None),
    ],
)
def test_who_ended_comfyui(text: str, expected: tuple[str, str] | None) -> None:
    found = blamed(text)
    assert (found and (found.pack, found.reason)) == expected


def test_lines_are_harmless() -> None:
    text = "a\x1b[31m\r\nb\u202e\n\n \nhttps://u:p@h.org/\n" + "x" * 1000
    assert log_lines(text.encode()) == (
        r"a\x1b[31m",
        r"b\u202e",
        "https://***@h.org/",
        "x" * 400 + "…",
    )
    assert log_lines(b"\xff\n") == ("\ufffd",)

"""The command line: the real ComfyUI's options that a manager passes."""

from __future__ import annotations

import argparse
import os

FOLDERS = (
    "--base-directory",
    "--output-directory",
    "--input-directory",
    "--user-directory",
    "--temp-directory",
)
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
ACCEPTED_WITHOUT_EFFECT = (
    "--cpu",
    "--disable-auto-launch",
    "--disable-api-nodes",
    "--dont-print-server",
    "--enable-manager",
)


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A small ComfyUI without torch.")
    parser.add_argument("--listen", default="127.0.0.1", nargs="?", const="0.0.0.0,::")
    parser.add_argument("--port", type=int, default=8188)
    for folder in FOLDERS:
        parser.add_argument(folder, type=os.path.abspath)
    parser.add_argument(
        "--extra-model-paths-config", nargs="+", action="append", default=[], metavar="FILE"
    )
    parser.add_argument("--verbose", default="INFO", const="DEBUG", nargs="?", choices=LEVELS)
    parser.add_argument("--quick-test-for-ci", action="store_true")
    parser.add_argument("--disable-all-custom-nodes", action="store_true")
    for option in ACCEPTED_WITHOUT_EFFECT:
        parser.add_argument(option, action="store_true")
    return parser.parse_args(words)


def extra_model_path_files(arguments: argparse.Namespace) -> list[str]:
    """extra_model_paths.yaml beside main.py when there is one, then the files named in order."""
    beside = os.path.join(os.path.dirname(os.path.realpath(__file__)), "extra_model_paths.yaml")
    named = [file for group in arguments.extra_model_paths_config for file in group]
    return ([beside] if os.path.isfile(beside) else []) + named

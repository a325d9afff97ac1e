from __future__ import annotations

import time

import pytest
from comfydock_core.domain.untrusted import escape_lines, escape_part, escape_text, redact_secrets


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("plain text", "plain text"),
        ("naïve 日本語 📦 ⚠️ a\u3000b\u00a0c", "naïve 日本語 📦 ⚠️ a\u3000b\u00a0c"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x7f\x85\x9b31m", "\\x7f\\x85\\x9b31m"),
        ("gpj\u202e.exe", "gpj\\u202e.exe"),
        ("\u2066\u200b\ufeff\u00ad", "\\u2066\\u200b\\ufeff\\xad"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\udc80\ud800", "\\udc80\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("a\u2800\u3164\u115f", "a\\u2800\\u3164\\u115f"),
        ("C:\\x1b", "C:\\x1b"),
        ("", ""),
    ],
)
def test_hidden_characters_become_visible(given: str, expected: str) -> None:
    assert escape_text(given) == expected
    assert escape_text(expected) == expected
    expected.encode()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("my  own model", "my  own model"),
        ("a   b", "a\\x20\\x20\\x20b"),
        ("a \u3000\xa0b\x1b", "a\\x20\\u3000\\xa0b\\x1b"),
        (" ", "\\x20"),
        ("", ""),
    ],
)
def test_a_part_of_a_line_makes_no_gap(given: str, expected: str) -> None:
    assert escape_part(given) == expected
    assert escape_part(expected) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a\nb\r\n\tc", "a\nb\n\tc"),
        ("a\rb\x1b\n", "a\\rb\\x1b\n"),
        ("a\u2028b\x0bc", "a\\u2028b\\x0bc"),
    ],
)
def test_lines_stay_lines(given: str, expected: str) -> None:
    assert escape_lines(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("see https://me:pw@host/a b@c", "see https://***@host/a b@c"),
        ("https://token@host:80/x", "https://***@host:80/x"),
        ("https://me:p@ss@host/x", "https://***@host/x"),
        ("HTTP://u:p@h", "HTTP://***@h"),
        ("ssh://git@github.com/a/b", "ssh://git@github.com/a/b"),
        ("ssh://git:pw@host/b", "ssh://***@host/b"),
        ("https://host/a@b?c=d@e", "https://host/a@b?c=d@e"),
        ("https://h/m?token=abc&type=Model", "https://h/m?token=***&type=Model"),
        ("https://h/m?type=Model&api_key=x#y", "https://h/m?type=Model&api_key=***#y"),
        ("'https://h/?X-Amz-Signature=ab%2F' then", "'https://h/?X-Amz-Signature=***' then"),
        (
            "?X-Amz-Credential=a&Key-Pair-Id=b&Policy=c",
            "?X-Amz-Credential=***&Key-Pair-Id=***&Policy=***",
        ),
        ("https://h/#access_token=abc", "https://h/#access_token=***"),
        ("https://h/?fileId=12&hash=ab&keyword=cat", "https://h/?fileId=12&hash=ab&keyword=cat"),
        ("token hf_" + "a" * 34 + " there", "token hf_*** there"),
        ("ghp_" + "A1" * 18, "ghp_***"),
        ("half_a_dozen hf_short", "half_a_dozen hf_short"),
    ],
)
def test_secrets_are_masked(given: str, expected: str) -> None:
    assert redact_secrets(given) == expected
    assert redact_secrets(expected) == expected


@pytest.mark.parametrize("piece", ["a.", "://", "a://b", "?a", "?token=", "hf_", "@", "a@"])
def test_masking_takes_linear_time(piece: str) -> None:
    begun = time.process_time()
    redact_secrets(piece * 100_000)
    assert time.process_time() - begun < 5

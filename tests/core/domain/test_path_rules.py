from __future__ import annotations

import pytest
from comfydock_core.domain.path_rules import broken_rule, folded, is_made_anew


@pytest.mark.parametrize(
    "path",
    [
        "a",
        ".python-version",
        ".gitignore",
        "workflows/my flow (2).json",
        "dev_nodes/node/a~b/c-d.py",
        "工作流/放大？.json",
        "é",
        "🎨.json",
        "com/com10.txt/console",
        ".github/x",
        f"{'a' * 255}/{'a' * 254}/a",
        "/".join("d" * 32),
    ],
)
def test_names_that_are_fine_everywhere(path: str) -> None:
    assert broken_rule(path) == ""


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ([""], "no name"),
        (["/a", "//a"], "absolute path"),
        (["a//b", "a/"], "empty part"),
        ([".", "..", "a/../b", "a/.", "./a"], "`.` or `..`"),
        ([f"{'a' * 255}/{'a' * 254}/aa", "é/" * 170 + "éé"], "512 bytes"),
        (["a" * 256, "é" * 128], "a part of more than 255 bytes"),
        (["/".join("d" * 33)], "32 levels"),
        (["\udcff", "a/\ud800"], "not UTF-8"),
        (["e\u0301", "a/\u212b"], "NFC"),
        (["a\0b", "a\nb", "\x7f", "\x85", "\u202ea", "a\u200b", "\u2028", "\u2029"], "control"),
        ([f"a/{letter}b" for letter in '\\:*?"<>|'], "one of"),
        (["~", "~root/a", "a/~b", "-rf", "a/-b"], "`~` or `-`"),
        (["a.", "a ", "a./b", "a/... "], "dot or a space"),
        (
            ["con", "a/NUL", "Aux.txt", "com1", "LPT9.tar.gz", "COM¹", "con .txt", "conin$"],
            "Windows",
        ),
        ([".git", "a/.GIT/config", "git~1", "\uff0egit"], "git repository"),
    ],
)
def test_each_rule_says_its_name(paths: list[str], words: str) -> None:
    assert [path for path in paths if words not in broken_rule(path)] == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".venv/a", True),
        ("a/.Venv", True),
        ("a/__pycache__/b", True),
        ("a.pyc", True),
        ("a/B.PYC", True),
        ("a.py", False),
        ("venv/a", False),
        ("a.pyc.txt", False),
    ],
)
def test_what_every_machine_makes_for_itself(path: str, expected: bool) -> None:
    assert is_made_anew(path) is expected


@pytest.mark.parametrize(
    ("one", "other"), [("A", "a"), ("ﬁ", "fi"), ("ſ", "s"), ("É", "é"), ("Å", "å"), ("ß", "SS")]
)
def test_folding_makes_equal_what_some_system_takes_for_equal(one: str, other: str) -> None:
    assert folded(one) == folded(other)

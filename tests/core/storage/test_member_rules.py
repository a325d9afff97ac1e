from __future__ import annotations

import pytest
from comfydock_core.errors import BundleError
from comfydock_core.storage.archive import ArchiveLimits
from comfydock_core.storage.member_rules import MemberGate, refused_member, shown


def admit(*paths: str) -> None:
    """Let ``paths`` in; a folder ends with a slash."""
    gate = MemberGate("x.tar.gz", ArchiveLimits())
    for path in paths:
        if path.endswith("/"):
            gate.admit_folder(path.removesuffix("/"))
        else:
            gate.admit_file(path, 1)


@pytest.mark.parametrize(
    "paths",
    [
        ("a", "b/a", "b/c/a"),
        ("b/", "b/a", "b/c/"),
        ("b/c/a", "b/", "b/c/"),
        ("a.txt", "a/b"),
    ],
)
def test_paths_that_get_along(paths: tuple[str, ...]) -> None:
    admit(*paths)


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (("a", "a"), "`a` is there twice"),
        (("a/", "a/"), "`a` is there twice"),
        (("a", "a/"), "both a file and a folder"),
        (("a/", "a"), "both a file and a folder"),
        (("a/b/c", "a/b"), "both a file and a folder"),
        (("a/b", "a/b/c/d"), "has the file `a/b` as its folder"),
        (("a", "A"), "the same as `a`"),
        (("a/b", "A/c"), "the same as `a`"),
        (("a/b/c", "A/B/c"), "the same as `a/b`"),
        (("É/x", "é"), "the same as `É`"),
    ],
)
def test_paths_in_the_way_of_each_other(paths: tuple[str, ...], words: str) -> None:
    with pytest.raises(BundleError) as caught:
        admit(*paths)
    assert words in caught.value.sentence
    assert caught.value.sentence.startswith("`x.tar.gz`: member `")


def test_what_is_shown_is_one_short_harmless_line() -> None:
    error = refused_member("x\ny", "a\x1b[2J\udcff\u202e" + "n" * 9000, "is bad")
    assert error.sentence.startswith(r"`x\ny`: member `a\x1b[2J\udcff\u202ennn")
    assert error.sentence.endswith("n…` is bad")
    assert len(error.sentence) < 250
    assert error.sentence == f"`{shown('x' + chr(10) + 'y')}`: member `{error.subject}` is bad"


def test_members_of_the_large_folder_have_caps_of_their_own() -> None:
    limits = ArchiveLimits(
        members=4, member_size=5, total_size=5, large_folder="big/", large_total=100
    )
    gate = MemberGate("x.tar.gz", limits)
    gate.admit_file("big/a", 60)
    gate.admit_file("small", 5)
    gate.admit_file("big/b", 40)
    with pytest.raises(BundleError, match="brings `big/` over the 100 bytes"):
        gate.admit_file("big/c", 1)
    with pytest.raises(BundleError, match="has 6 bytes; 5 are allowed"):
        MemberGate("x.tar.gz", limits).admit_file("bigger", 6)


def test_folders_that_files_need_are_counted() -> None:
    gate = MemberGate("x.tar.gz", ArchiveLimits(members=3))
    gate.admit_file("a/b/c/x", 0)
    gate.admit_file("a/b/c/y", 0)
    with pytest.raises(BundleError, match="`d/x` needs one folder too many: 3 are allowed"):
        gate.admit_file("d/x", 0)

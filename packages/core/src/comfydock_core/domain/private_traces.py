"""Finds what tells about a person and their network: home folders, e-mail, private addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from comfydock_core.domain.byte_search import matches_at, positions
from comfydock_core.domain.secret_findings import Owner, Trace

_SEPARATOR = rb"(?:/|\\{1,4}|%2[fF]|%5[cC])"
_NAME = rb"[^\s/\\\"'`<>|:*?$%{}()\[\],;&=#]{1,64}"
_HOMES = (b"home", b"users", b"documents and settings")
_PERSON = re.compile(_SEPARATOR + rb"(?P<name>" + _NAME + rb")")
# What stands before `home` or `Users`: a drive, or the root (also of a mounted disk).
_ROOT = re.compile(
    rb"(?:(?<![A-Za-z0-9])[A-Za-z](?::|%3[aA])" + _SEPARATOR
    + rb"|(?<![\w.\-})%])(?:/(?:[a-z]/|mnt/[a-z]/|Volumes/[^/\s]{1,40}/)?|%2[fF]))\Z"
)  # fmt: skip
_LONGEST_ROOT = 56
_NOBODY = frozenset(
    (
        b"user users username user_name yourname your_name your-name yourusername your-username "
        b"your-user your_user you name me myname myuser myusername xxx xxxx example someone "
        b"somebody anyone foo bar john johndoe alice bob public default shared runner ubuntu root "
        b"admin administrator app appuser node vscode jovyan comfy comfyui codespace gitpod "
        b"circleci vagrant linuxbrew index page home login about profile settings user1 guest "
        b"test tester ... .. . ~"
    ).split()
)
_MAILBOX = re.compile(rb"(?<![\w.+\-/:@])[A-Za-z0-9][\w.+\-]{0,63}\Z")
_MAIL_HOST = re.compile(rb"@(?:[A-Za-z0-9\-]{1,63}\.){1,5}[A-Za-z]{2,24}(?![\w@(/:])")
_LONGEST_MAILBOX = 66
_NO_PERSON = re.compile(
    rb"@(?:[\w\-]+\.)*(?:example|test|invalid|localhost|domain|email|yourdomain|company)\b"
    rb"|noreply|no-reply|@users\.|^git@|^(?:user|you|name|email|someone|support|info|contact)@"
    rb"|\.(?:png|jpe?g|webp|svg|gif|js|css|py|json)$",
    re.IGNORECASE,
)
_PUBLISHED = re.compile(
    rb"copyright|\(c\)|author|maintainer|spdx|licen[sc]e|contact|signed-off", re.IGNORECASE
)
_HOST = re.compile(
    rb"(?:://|@)(?:(?:10\.\d{1,3}|172\.(?:1[6-9]|2\d|3[01])"
    rb"|100\.(?:6[4-9]|[789]\d|1[01]\d|12[0-7]))\.\d{1,3}\.\d{1,3}(?![\w.])"
    rb"|(?:[\w\-]{1,63}\.){1,4}"
    rb"(?:local|lan|internal|intranet|corp|home|localdomain|ts\.net|home\.arpa)(?![\w.\-]))"
)
_HOME_NETWORK = re.compile(rb"(?<![\w.\-])192\.168\.\d{1,3}\.\d{1,3}(?!\.?\d)")
_SAMPLE_ADDRESS = re.compile(rb"192\.168\.(?:0|1)\.(?:0|1|x)$|docker\.internal$|metadata\.google")
_DRIVE = re.compile(rb"(?<![\w])[A-Za-z]:\\{1,2}[^\s\"'`<>|*?:\\/][^\"'`<>|*?:\r\n\t]{2,200}")


def private_traces(data: bytes, owner: Owner, *, published: bool = False) -> Iterator[Trace]:
    """Yield home folders, e-mail addresses and private network addresses of ``data``.

    ``published`` leaves e-mail addresses alone: in a licence or a setup file they stand on purpose,
    as they do on a line about authors or copyright.
    """
    yield from _homes(data, owner)
    if b"@" in data and not published:
        yield from _emails(data)
    for pattern, word in ((_HOST, b"://"), (_HOST, b"@"), (_HOME_NETWORK, b"192.168.")):
        for address in matches_at(pattern, data, word):
            if not _SAMPLE_ADDRESS.search(address.group()):
                yield Trace(rule_id="private-address", start=address.start(), value=address.group())


def owner_traces(data: bytes, owner: Owner) -> Iterator[Trace]:
    """Yield where ``data`` names the owner's home folder or, in a path, the owner."""
    lowered = data.lower()
    parts = re.split(r"[/\\]", owner.home.lower().rstrip("/\\"))
    if len(parts) > 2 and parts[-1].encode() in lowered:
        pattern = _SEPARATOR.join(re.escape(part).encode() for part in parts) + rb"(?!\w)"
        yield from (_trace("home-folder", found) for found in re.finditer(pattern, data, re.I))
    name = owner.user_name.lower().encode()
    if len(name) > 2 and name in lowered and name not in _NOBODY:
        pattern = rb"(?<=[/\\])" + re.escape(name) + rb"(?=[/\\])"
        yield from (_trace("user-name", found) for found in re.finditer(pattern, data, re.I))


def drive_traces(data: bytes) -> Iterator[Trace]:
    """Yield Windows paths with a drive, which lead nowhere on another machine."""
    if b":\\" in data:
        for path in _DRIVE.finditer(data):
            yield _trace("absolute-path", path)


def _homes(data: bytes, owner: Owner) -> Iterator[Trace]:
    lowered = data.lower()
    for word in _HOMES:
        for position in positions(lowered, word):
            person = _PERSON.match(data, position + len(word))
            root = (
                _ROOT.search(data, max(0, position - _LONGEST_ROOT), position) if person else None
            )
            if (
                person
                and root
                and _is_home(data, root, position)
                and not _is_nobody(person["name"])
            ):
                start = root.start()
                yield Trace(rule_id="home-folder", start=start, value=data[start : person.end()])
    yield from owner_traces(data, owner)


def _is_home(data: bytes, root: re.Match[bytes], position: int) -> bool:
    """Tell macOS's `/Users/` from the route `/users/` that web servers like."""
    return data[position : position + 5] != b"users" or not root.group().startswith((b"/", b"%"))


def _is_nobody(name: bytes) -> bool:
    plain = name.rstrip(b".").lower()
    return plain in _NOBODY or plain.startswith((b"your", b"my", b"some"))


def _emails(data: bytes) -> Iterator[Trace]:
    for host in matches_at(_MAIL_HOST, data, b"@"):
        at = host.start()
        mailbox = _MAILBOX.search(data, max(0, at - _LONGEST_MAILBOX), at)
        if mailbox is None:
            continue
        value = mailbox.group() + host.group()
        before = data[max(0, mailbox.start() - 200) : mailbox.start()].rpartition(b"\n")[2]
        if not _NO_PERSON.search(value) and not _PUBLISHED.search(before):
            yield Trace(rule_id="e-mail-address", start=mailbox.start(), value=value)


def _trace(rule: str, match: re.Match[bytes]) -> Trace:
    return Trace(rule_id=rule, start=match.start(), value=match.group())

"""Finds secrets by what stands beside them: names of passwords, addresses, headers, PEM lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from comfydock_core.domain.byte_search import matches_at, positions
from comfydock_core.domain.secret_findings import Trace
from comfydock_core.domain.secret_values import is_key, is_password, is_placeholder, is_random

_VENDORS = (
    rb"fal|hf|civitai|openai|anthropic|gemini|google|stability|replicate|runpod|comfy|aws|azure"
    rb"|wandb|bfl|flux|luma|kling|minimax|deepseek|openrouter|mistral|cohere|groq|dashscope|zhipu"
    rb"|moonshot|ark|tripo|meshy|ideogram|recraft|runway|vast|elevenlabs|deepl|baidu|volc"
)
_PASSWORDS = frozenset((b"passw", b"passphrase", b"pwd"))
_NAMES = (*_PASSWORDS, b"secret", b"token", b"key", b"credential", b"_auth", b"cookie", b"session")
_KEY_BEFORE = re.compile(
    rb"(?:api|access|account|auth|private|subscription|secret|" + _VENDORS + rb")[_-]?\Z"
)
_LONGEST_VENDOR = 16
# What follows a name, in lower case: the rest of it, the end of a quoted name or an index, a type.
_ASSIGNED = re.compile(
    rb"(?:ord|d|s|[_-]?(?:access|secret|key|value|token|id|api|string|str|text|comfy_org|v?\d)){0,6}"
    rb"(?:\\?[\"'`]\]?)?(?:[ \t]{0,4}:[ \t]{0,2}str(?=[ \t]*=))?"
    rb"[ \t]{0,8}(?:=>|:=|==?|:|,(?=[ \t]?[\"']))[ \t]{0,8}(?:[rbfu](?=[\"']))?"
    rb"(?:\\?[\"'`](?P<quoted>[^\"'`\r\n\\]{6,512})|(?P<bare>[^\s\"'`,;<>(){}\[\]\\&=?]{6,512}={0,2}))"
)

_AUTHORIZATION = re.compile(
    rb"\b(?:bearer|basic|token|key)[ \t]{1,4}(?P<value>[a-z0-9_\-.~+/=:]{16,1024})"
)
_HEADERS = (b"bearer", b"authorization")
_USER_INFO = re.compile(
    rb"://(?P<user>[^\s/?#\"'`<>@:]{0,200})"
    rb"(?::(?P<password>[^\s/?#\"'`<>@]{1,400}))?@[\w.\-\[]"
)
_QUERY = re.compile(
    rb"[?&;](?:[\w.\-%]{0,40}?(?:token|secret|passw(?:or)?d|pwd|api[_-]?key|access[_-]?key"
    rb"|signature|credential|session)|key|auth|sig|code|hdnts)="
    rb"(?P<value>[^\s&;#\"'`<>\\{}()]{6,2000})"
)
_WEBHOOK = re.compile(
    rb"(?:hooks\.slack\.com/(?:services|workflows)/|discord(?:app)?\.com/api/webhooks/)"
    rb"[\w/\-]{30,200}"
)
_HOOKS = (b"hooks.slack.com", b"/api/webhooks/")
_PRIVATE_KEY = re.compile(
    rb"-----BEGIN[ A-Z0-9]{0,30} PRIVATE KEY(?: BLOCK)?-----(?:\\[rn]|\s){0,8}"
    rb"(?P<body>[A-Za-z0-9+/=:, \-]{16})|PuTTY-User-Key-File-\d: "
)


def context_traces(data: bytes, *, bare: bool) -> Iterator[Trace]:
    """Yield what names, addresses and headers give away.

    ``bare`` says that values may stand without quotes, as in ``.ini`` and YAML; in program code
    those are names.
    """
    lowered = data.lower()
    yield from certain_traces(data)
    for name in _NAMES:
        yield from _assigned(data, lowered, name, bare)
    if any(name in lowered for name in _HEADERS):
        yield from _authorized(data, lowered)


def certain_traces(data: bytes) -> Iterator[Trace]:
    """Yield private keys and secrets in addresses, which are what they are in any kind of file."""
    if b"PRIVATE KEY" in data or b"PuTTY-" in data:
        for key in _PRIVATE_KEY.finditer(data):
            if not is_placeholder((key["body"] or b"abcde").decode()):
                yield Trace(rule_id="private-key", start=key.start(), value=key.group())
    if b"://" in data:
        yield from address_traces(data)


def address_traces(data: bytes) -> Iterator[Trace]:
    """Yield passwords, tokens and webhooks in the addresses of ``data``."""
    if b"@" in data:
        yield from _signed_in(data)
    if b"=" in data:
        for query in _QUERY.finditer(data.lower()):
            start, end = query.span("value")
            value = data[start:end]
            if is_random(_text(value)) or (b"passw" in query[0] and not _is_stand_in(value)):
                yield Trace(rule_id="url-token", start=start, value=value)
    for webhook in _WEBHOOK.finditer(data) if any(part in data for part in _HOOKS) else ():
        if is_random(_text(webhook.group())):
            yield Trace(rule_id="webhook", start=webhook.start(), value=webhook.group())


def _signed_in(data: bytes) -> Iterator[Trace]:
    for address in matches_at(_USER_INFO, data, b"://"):
        user, password = address["user"], address["password"]
        if password and not _is_stand_in(password):
            yield Trace(rule_id="url-password", start=address.start("password"), value=password)
        elif is_random(_text(user)):
            yield Trace(rule_id="url-token", start=address.start("user"), value=user)


def _is_stand_in(password: bytes) -> bool:
    text = _text(password)
    plain = text.lower() in {
        "password",
        "pass",
        "passwd",
        "pwd",
        "secret",
        "token",
        "pw",
        "x-oauth-basic",
    }
    return plain or text[:1] in "{$<%[*" or (len(text) > 4 and is_placeholder(text))


def _assigned(data: bytes, lowered: bytes, name: bytes, bare: bool) -> Iterator[Trace]:
    is_right = is_password if name in _PASSWORDS else is_key
    for position in positions(lowered, name):
        match = _ASSIGNED.match(lowered, position + len(name))
        if match is None or (match["quoted"] is None and not bare):
            continue
        if name == b"key" and not _KEY_BEFORE.search(
            lowered, max(0, position - _LONGEST_VENDOR), position
        ):
            continue
        start, end = match.span("bare" if match["quoted"] is None else "quoted")
        if is_right(_text(data[start:end])):
            yield Trace(rule_id="assignment", start=start, value=data[start:end])


def _authorized(data: bytes, lowered: bytes) -> Iterator[Trace]:
    for match in _AUTHORIZATION.finditer(lowered):
        start, end = match.span("value")
        if is_key(_text(data[start:end])):
            yield Trace(rule_id="authorization", start=start, value=data[start:end])


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")

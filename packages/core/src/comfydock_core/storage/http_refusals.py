"""What a refusal means to the person who asked, and what to do about it."""

from __future__ import annotations

import re

from comfydock_core.storage.host_tokens import AT_HUGGING_FACE, SIGN_INS, SignIn
from comfydock_core.storage.http_addresses import redact
from comfydock_core.storage.http_answers import HttpAnswer, HttpStatusError

_GATED = "GatedRepo"
_REVISION = "RevisionNotFound"
_REPOSITORY = "RepoNotFound"
_ENTRY = "EntryNotFound"
_CIVITAI = frozenset({"civitai.com", "civitai.red"})
_MEANINGS = {
    401: "wants to know who asks for `{url}`",
    403: "does not give `{url}` to you",
    404: "has no `{url}`",
    410: "no longer has `{url}`",
    416: "does not have the rest of `{url}`",
    429: "asks for fewer requests",
    451: "may not give out `{url}` for legal reasons",
}
_HINTS = {
    404: "check the address; it may have been renamed, unpublished or made private",
    410: "look for another source of the same file",
    429: "wait a few minutes, then run the same command again",
    451: "look for another source of the same file",
}
_CIVITAI_MEANINGS = {
    404: "does not have `{url}`, or its creator unpublished it",
    410: "has archived `{url}`: it can no longer be downloaded there",
}
_CIVITAI_GRANT = (
    "it may be in early access, or kept for some accounts: look at its page whether yours may "
    "download it, or use another source"
)
_CODE_MEANINGS = {
    _GATED: "gives `{url}` only to people who accepted its licence",
    _REPOSITORY: "has no repository `{repository}`, or keeps it private",
    _REVISION: "has no such branch, tag or commit: `{url}`",
    _ENTRY: "has no such file in `{repository}`: `{url}`",
}
# A repository's own page is what comes before these; the API has it behind a prefix.
_IN_A_REPOSITORY = re.compile(r"/(resolve|tree|raw|blob)/.*")
_API = re.compile(r"/api/(?:models/)?")


def status_error(answer: HttpAnswer) -> HttpStatusError:
    """Make the failure for an answer of 400 or more: host, meaning, what to do."""
    status, code = answer.status, answer.headers.get("x-error-code", "")
    page = _page(answer)
    meaning = _meaning(answer, code).format(
        url=redact(answer.public), repository=page.partition("://")[2].partition("/")[2]
    )
    return HttpStatusError(
        answer,
        sentence=f"`{answer.service}` {meaning}",
        hint=_hint(answer, code, page),
        cause=f"HTTP {status}" + (f", {code[:60]}" if code else ""),
    )


def _meaning(answer: HttpAnswer, code: str) -> str:
    status = answer.status
    if status == 401 and answer.token_place:
        return "does not accept your token for `{url}`"
    if code in _CODE_MEANINGS:
        return _CODE_MEANINGS[code]
    if answer.service in _CIVITAI and status in _CIVITAI_MEANINGS:
        return _CIVITAI_MEANINGS[status]
    return _MEANINGS.get(status, "is in trouble" if status >= 500 else "refused `{url}`")


def _hint(answer: HttpAnswer, code: str, page: str) -> str:
    status, place = answer.status, answer.token_place
    sign_in = AT_HUGGING_FACE if code in _CODE_MEANINGS else SIGN_INS.get(answer.service)
    if status == 401 and place:
        made = f" at {sign_in.page}" if sign_in else ""
        return f"the token in `{place}` is wrong or has expired: make a new one{made}"
    if code == _GATED:
        return _gated_hint(place, page)
    if code == _REPOSITORY:
        seen = f"the token in `{place}` must be allowed to read it" if place else _setting(sign_in)
        return f"check the spelling; if it is private, {seen}"
    if code == _ENTRY:
        return f"it may have been renamed or removed: look at {page}"
    if status in (401, 403):
        return _grant_hint(answer, sign_in) if place else _setting(sign_in)
    return _HINTS.get(status, "try again later" if status >= 500 else "check the address")


def _gated_hint(place: str, page: str) -> str:
    if not place:
        return f"gated: accept the licence at {page}, then {_setting(AT_HUGGING_FACE)}"
    return (
        f"gated: accept the licence at {page} with the account of the token in `{place}` and wait "
        "until access is granted; a fine-grained token must be allowed to read gated repositories"
    )


def _grant_hint(answer: HttpAnswer, sign_in: SignIn | None) -> str:
    if answer.service in _CIVITAI:
        return _CIVITAI_GRANT
    made = f": see {sign_in.page}" if sign_in else ""
    return f"the token in `{answer.token_place}` may not read it{made}"


def _setting(sign_in: SignIn | None) -> str:
    if sign_in is None:
        return "it cannot be fetched without signing in: fetch it by hand, or use another source"
    return f"set {sign_in.variables[0]} to a token of yours ({sign_in.page})"


def _page(answer: HttpAnswer) -> str:
    """Return the address of the repository's own page, where licences are accepted."""
    shown = redact(answer.public).partition("?")[0]
    return _IN_A_REPOSITORY.sub("", _API.sub("/", shown, count=1))

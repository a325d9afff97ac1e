"""Tokens: where they are found, and the one host that each of them is for (trust.md 5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from comfydock_core.errors import NetworkError
from comfydock_core.storage.http_addresses import Origin


@dataclass(frozen=True, kw_only=True, slots=True)
class SignIn:
    """How one signs in at a host: the variables that may hold its token, the first one with a
    value counts, and the page where a token is made."""

    variables: tuple[str, ...]
    page: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """A secret, and the variable or file it comes from, which is all of it that may be shown."""

    value: str = field(repr=False)
    place: str


AT_HUGGING_FACE = SignIn(
    variables=("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"), page="https://huggingface.co/settings/tokens"
)
_AT_CIVITAI = SignIn(
    variables=("CIVITAI_API_KEY", "CIVITAI_API_TOKEN"), page="https://civitai.com/user/account"
)
_AT_GITHUB = SignIn(
    variables=("GITHUB_TOKEN", "GH_TOKEN"), page="https://github.com/settings/tokens"
)
SIGN_INS: Mapping[str, SignIn] = {
    "huggingface.co": AT_HUGGING_FACE,
    "civitai.com": _AT_CIVITAI,
    "civitai.red": _AT_CIVITAI,
    "github.com": _AT_GITHUB,
    "api.github.com": _AT_GITHUB,
}
_TOKEN_BYTES = 1024
_ONE_WORD = re.compile(rb"[!-~]+")


def token_variable(service: str) -> str:
    """Return the environment variable that holds the token of a public host, or nothing."""
    sign_in = SIGN_INS.get(service)
    return sign_in.variables[0] if sign_in else ""


def tokens(environment: Mapping[str, str], endpoint: Origin | None) -> dict[Origin, Token]:
    """Return the token of every host that has one; ``endpoint`` is whom ``HF_ENDPOINT`` names.

    The endpoint gets a token that stands in the environment beside it. The one in the file of
    ``hf auth login`` was given to huggingface.co and is for that host only.
    """
    found = {}
    for host, sign_in in SIGN_INS.items():
        if token := _from_variables(environment, sign_in):
            found[Origin(scheme="https", host=host, port=443)] = token
    hugging_face = Origin(scheme="https", host="huggingface.co", port=443)
    if endpoint and hugging_face in found:
        found[endpoint] = found[hugging_face]
    if hugging_face not in found and (token := _from_file(environment)):
        found[hugging_face] = token
    return found


def _from_variables(environment: Mapping[str, str], sign_in: SignIn) -> Token | None:
    name = next((name for name in sign_in.variables if environment.get(name)), "")
    value = environment.get(name, "").strip()
    if not value.isascii() or not value.isprintable():
        raise NetworkError(
            f"`{name}` holds characters that no token has", hint="copy the token again"
        )
    return Token(value=value, place=name) if value else None


def _from_file(environment: Mapping[str, str]) -> Token | None:
    """Read what ``hf auth login`` wrote; a file that cannot be a token counts as none."""
    path = _token_file(environment)
    try:
        # Reading a pipe would wait for ever.
        if path is None or not path.is_file():
            return None
        with path.open("rb") as file:
            data = file.read(_TOKEN_BYTES + 1).strip()
    except (OSError, ValueError):
        return None
    if len(data) > _TOKEN_BYTES or not _ONE_WORD.fullmatch(data):
        return None
    return Token(value=data.decode("ascii"), place=str(path))


def _token_file(environment: Mapping[str, str]) -> Path | None:
    """Find the file as the package huggingface_hub does."""
    home = environment.get("HOME") or environment.get("USERPROFILE", "")
    cache = environment.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else "")
    folder = environment.get("HF_HOME") or (f"{cache}/huggingface" if cache else "")
    path = environment.get("HF_TOKEN_PATH") or (f"{folder}/token" if folder else "")
    if path.startswith("~/"):
        path = home + path[1:] if home else ""
    return Path(path) if path else None

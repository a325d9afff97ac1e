"""The form in which an address of a model may be kept, shown and sent to others."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from comfydock_core.domain.names import url_problem
from comfydock_core.domain.untrusted import is_secret_name, redact_secrets

# The rest of a signed address: without its signature it opens nothing and only ages.
_SIGNED = re.compile(r"x-(amz|goog|ms)-.*|awsaccesskeyid|googleaccessid", re.IGNORECASE)


def storable_url(url: str) -> str:
    """Return ``url`` without what may not travel: user info, token-like query values, fragment.

    Every other part stays as it is written, ``fileId=``, ``type=`` or ``download=true`` among them.
    A token that stands elsewhere is masked, which leaves an address that opens nothing.
    """
    address, _, _ = url.strip().partition("#")
    base, _, query = address.partition("?")
    head, separator, rest = base.partition("://")
    if separator:
        authority, slash, path = rest.partition("/")
        base = f"{head}://{authority.rpartition('@')[2]}{slash}{path}"
    kept = "&".join(part for part in re.split("[&;]", query) if part and not _is_secret(part))
    return redact_secrets(f"{base}?{kept}" if kept else base)


def typed_url_problem(url: str) -> str:
    """Say why an address that a user gave may not be kept in a plan; ``""`` when it may."""
    if problem := url_problem(url):
        return problem
    parameters = filter(None, re.split("[?&;#]", url)[1:])
    if redact_secrets(url) != url or any(map(_is_secret, parameters)):
        return "carries a token, which would be kept: a token belongs in HF_TOKEN, CIVITAI_API_KEY"
    return ""


def _is_secret(parameter: str) -> bool:
    """Whether a parameter's name or value, read as a server reads them, could open something."""
    name, _, value = map(unquote_plus, parameter.partition("="))
    return bool(_SIGNED.fullmatch(name)) or is_secret_name(name) or redact_secrets(value) != value

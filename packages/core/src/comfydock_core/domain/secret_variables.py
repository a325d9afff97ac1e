"""Which variables of a process open doors, so that code of strangers is started without them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from comfydock_core.domain.untrusted import redact_secrets

_NAMES = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|AUTH|COOKIE|SESSION|SIGNATURE|NETRC|KUBECONFIG"
    r"|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|(^|_)(KEY|KEYS|PAT|PWD|JWT|DSN)$"
)
_OWNERS = (
    *("ANTHROPIC_", "AWS_", "AZURE_", "CIVITAI", "COMFYDOCK_", "DOCKER_", "GCP_", "GH_", "GITHUB_"),
    *("GITLAB_", "GIT_", "GOOGLE_", "GPG_", "NPM_", "OPENAI_", "PIP_", "SSH_", "UV_", "WANDB_"),
)
_HARMLESS = frozenset({"PWD", "OLDPWD"})


def without_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that are, or lead to, a token, a password or a key.

    Judged by the name, by whose tool it steers, and by a value that holds an access token or an
    address with user info. What is in doubt goes.
    """
    return {name: value for name, value in variables.items() if not _is_secret(name, value)}


def _is_secret(name: str, value: str) -> bool:
    upper = name.upper()
    if upper in _HARMLESS:
        return False
    return bool(upper.startswith(_OWNERS) or _NAMES.search(upper) or redact_secrets(value) != value)

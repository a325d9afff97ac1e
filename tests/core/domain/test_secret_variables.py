from __future__ import annotations

import pytest
from comfydock_core.domain.secret_variables import without_secrets


@pytest.mark.parametrize(
    "name",
    [
        *("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "CIVITAI_API_KEY", "CIVITAI_KEY", "GITHUB_PAT"),
        *("GH_TOKEN", "AWS_PROFILE", "AWS_SECRET_ACCESS_KEY", "AZURE_CLIENT_ID", "GOOGLE_X"),
        *("OPENAI_API_KEY", "my_password", "MYSQL_PWD", "DB_PASSPHRASE", "SENTRY_DSN", "NETRC"),
        *("SSH_AUTH_SOCK", "GPG_AGENT_INFO", "DBUS_SESSION_BUS_ADDRESS", "KUBECONFIG", "apikey"),
        *("COMFYDOCK_MIRRORS", "UV_INDEX_URL", "PIP_INDEX_URL", "GIT_ASKPASS", "SERVICE_KEY"),
    ],
)
def test_what_opens_doors_is_left_out(name: str) -> None:
    assert without_secrets({name: "x"}) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("https_proxy", "http://me:word@proxy:80"),
        ("MIRROR", "https://h.org/?token=abc"),
        ("OTHER", "hf_" + "a" * 20),
    ],
)
def test_a_value_that_opens_doors_is_left_out(name: str, value: str) -> None:
    assert without_secrets({name: value}) == {}


def test_what_a_program_needs_stays() -> None:
    needed = {
        "PATH": "/bin",
        "HOME": "/root",
        "PWD": "/x",
        "LANG": "C.UTF-8",
        "HF_HOME": "/hf",
        "HTTP_PROXY": "http://proxy:80",
        "CUDA_VISIBLE_DEVICES": "0",
        "LD_LIBRARY_PATH": "/lib",
        "VIRTUAL_ENV": "/v",
        "SystemRoot": "C:\\Windows",
        "KEYBOARD": "de",
        "PATTERN": "x",
    }
    assert without_secrets(needed) == needed

from __future__ import annotations

import pytest
from comfydock_core.domain.denied_files import denied_reason


@pytest.mark.parametrize(
    "path",
    [
        ".env", "sub/.env.local", ".ENV", "prod.env", ".envrc", ".netrc", "_netrc", ".pypirc",
        ".git-credentials", "credentials.json", "client_secret_12.json", "id_rsa", "k/id_ed25519",
        ".aws/credentials", ".ssh/config", ".huggingface/token", "token", "hf_token.txt",
        "cookies.txt", "youtube_cookies.txt", "vault.kdbx", "my.pfx", ".kube/config",
        ".bash_history", "secrets.toml", "kaggle.json", "a/b/Secrets.YAML", "terraform.tfstate",
        "a/secret.key",
    ],
)  # fmt: skip
def test_files_for_credentials_never_travel(path: str) -> None:
    assert denied_reason(path)


@pytest.mark.parametrize(
    "path",
    [
        ".env.example", ".env.sample", ".env.template", "token.py", "tokens.json", "tokenizer.json",
        "cacert.pem", "secrets.py", "environment.yml", "nodes/credentials.py", "env/nodes.py",
        ".github/workflows/publish.yml", ".gitignore", ".npmrc", "id_rsa.pub", "cookies.py",
    ],
)  # fmt: skip
def test_other_files_travel(path: str) -> None:
    assert denied_reason(path) == ""

"""Files of a development node that hold credentials by purpose: they never travel."""

from __future__ import annotations

import fnmatch

_ENVIRONMENT = "it holds environment variables, which is where keys are kept"
_CREDENTIALS = "it is where a program keeps its credentials"
_KEY = "it holds a private key or a password store"
_HISTORY = "it records what was typed"
_SESSION = "it holds cookies, which sign in as you"

_SAMPLES = (".example", ".sample", ".template", ".dist", ".defaults", ".schema")

_BY_NAME: tuple[tuple[str, str], ...] = tuple(
    (pattern, reason)
    for reason, patterns in (
        (_ENVIRONMENT, ".env .env.* *.env .envrc"),
        (
            _CREDENTIALS,
            ".netrc _netrc .pypirc .git-credentials .pgpass pgpass.conf .my.cnf .s3cfg .boto "
            ".dockercfg .dockerconfigjson .htpasswd .vault-token .terraformrc *.tfstate "
            "credentials credentials.json credentials.yml credentials.yaml credentials.toml "
            "client_secret*.json service-account*.json service_account*.json "
            "application_default_credentials.json secrets.json secrets.toml secrets.yml "
            "secrets.yaml kaggle.json token token.txt token.json stored_tokens hf_token* "
            "secret.key secret_key secret_key.txt api_key api_key.txt apikey.txt api_keys.json "
            "api_keys.txt .civitai* rclone.conf",
        ),
        (
            _KEY,
            "id_rsa id_dsa id_ecdsa id_ecdsa_sk id_ed25519 id_ed25519_sk *.ppk *.kdbx *.kdb *.p12 "
            "*.pfx *.jks *.keystore *.ovpn *.agekey *.gpg-key",
        ),
        (
            _HISTORY,
            ".bash_history .zsh_history .python_history .node_repl_history .psql_history "
            ".mysql_history .sqlite_history .lesshst .viminfo .rhistory fish_history",
        ),
        (_SESSION, "cookies.txt cookies.json cookies.sqlite cookies *.cookies *cookies.txt"),
    )
    for pattern in patterns.split()
)
_FOLDERS = {
    **dict.fromkeys((".ssh", ".gnupg", ".password-store", ".age"), _KEY),
    **dict.fromkeys(
        (".aws", ".azure", ".kube", ".docker", ".gcloud", ".kaggle", ".huggingface", ".runpod"),
        _CREDENTIALS,
    ),
}


def denied_reason(path: str) -> str:
    """Say why the file at ``path`` (POSIX, below a node) never travels; ``""`` where it may.

    Names alone decide, upper and lower case alike. A sample such as ``.env.example`` may travel; so
    may a ``.pem`` file, which often is a public certificate: its content is searched instead.
    """
    *folders, name = path.casefold().split("/")
    for folder in folders:
        if reason := _FOLDERS.get(folder):
            return reason
    if name.endswith(_SAMPLES):
        return ""
    return next((why for pattern, why in _BY_NAME if fnmatch.fnmatchcase(name, pattern)), "")

"""Planted secrets and private data: made up when the tests run, so that none stands in the source.

Each case is (name, member, content, value, rule): ``content`` holds ``value``, ``rule`` names it.
"""

from __future__ import annotations

import base64
import json
import random
import string
from dataclasses import dataclass

from comfydock_core.domain.secret_findings import Owner

OWNER = Owner(home="/home/" + "jsmith77", user_name="jsmith77")

_CHANCE = random.Random(20261122)
_ALNUM = string.ascii_letters + string.digits


@dataclass(frozen=True, kw_only=True, slots=True)
class Planted:
    """A file with something in it that must not leave unnamed."""

    name: str
    place: str
    content: bytes
    value: str
    rule: str


def mixed(count: int, letters: str = _ALNUM) -> str:
    """Return random letters and digits of every kind that ``letters`` has."""
    return "".join(_CHANCE.choices(letters, k=count - 3)) + "a7" + letters[-12]


def hexed(count: int) -> str:
    """Return random lower-case hex digits."""
    return "".join(_CHANCE.choices("0123456789abcdef", k=count))


def _upper(count: int) -> str:
    return mixed(count, string.digits + string.ascii_uppercase).upper()


def _uuid() -> str:
    return "-".join(hexed(count) for count in (8, 4, 4, 4, 12))


def _jwt() -> str:
    parts = (b'{"alg":"HS256","typ":"JWT"}', b'{"sub":"1","name":"somebody"}')
    return ".".join([*(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in parts), mixed(43)])


_TOKENS: tuple[tuple[str, str], ...] = (
    ("hugging-face", "h" + "f_" + mixed(34)),
    ("anthropic", "sk" + "-ant-api03-" + mixed(93)),
    ("openrouter", "sk" + "-or-v1-" + hexed(64)),
    ("openai", "sk" + "-proj-" + mixed(60)),
    ("sk-key", "sk" + "-" + mixed(48)),
    ("elevenlabs", "sk" + "_" + hexed(48)),
    ("stripe", "sk" + "_live_" + mixed(24)),
    ("webhook-secret", "wh" + "sec_" + mixed(32)),
    ("google-api", "AI" + "za" + mixed(35)),
    ("google-client", "GOC" + "SPX-" + mixed(28)),
    ("google-oauth", "ya" + "29." + mixed(60)),
    ("aws", "AK" + "IA" + _upper(16)),
    ("replicate", "r8" + "_" + mixed(37)),
    ("runpod", "rp" + "a_" + _upper(42)),
    ("fal", _uuid() + ":" + hexed(32)),
    ("github", "gh" + "p_" + mixed(36)),
    ("github", "github" + "_pat_" + mixed(22) + "_" + mixed(59)),
    ("gitlab", "gl" + "pat-" + mixed(20)),
    ("slack", "xo" + "xb-" + "-".join(("2718281828", "3141592653", mixed(24)))),
    ("discord-bot", "M" + mixed(25) + "." + mixed(6) + "." + mixed(38)),
    ("telegram", "2718281828" + ":AA" + mixed(33)),
    ("npm", "npm" + "_" + mixed(36)),
    ("pypi", "py" + "pi-AgE" + mixed(120)),
    ("sendgrid", "S" + "G." + mixed(22) + "." + mixed(43)),
    ("groq", "gs" + "k_" + mixed(52)),
    ("xai", "xa" + "i-" + mixed(80)),
    ("perplexity", "pp" + "lx-" + mixed(48)),
    ("together", "tgp" + "_v1_" + mixed(43)),
    ("nvidia", "nv" + "api-" + mixed(64)),
    ("tripo", "ts" + "k_" + mixed(43)),
    ("luma", "lu" + "ma-" + _uuid() + "-" + _uuid()),
    ("runway", "ke" + "y_" + hexed(128)),
    ("comfy", "comfy" + "ui-" + hexed(64)),
    ("modal", "a" + "k-" + mixed(22)),
    ("digitalocean", "do" + "p_v1_" + hexed(64)),
    ("docker", "dck" + "r_pat_" + mixed(27)),
    ("vault", "hv" + "s." + mixed(90)),
    ("databricks", "da" + "pi" + hexed(32)),
    ("shopify", "shp" + "at_" + hexed(32)),
    ("notion", "nt" + "n_" + mixed(46)),
    ("age", "AGE-SEC" + "RET-KEY-1" + _upper(58)),
    ("atlassian", "ATA" + "TT3" + mixed(180)),
    ("alibaba", "LT" + "AI" + mixed(20)),
    ("tencent", "AK" + "ID" + mixed(32)),
    ("jwt", _jwt()),
)


def _pem(kind: str) -> tuple[str, str]:
    head = f"-----BEGIN {kind} " + "KEY-----"
    return head, f"{head}\n{mixed(64)}\n{mixed(64)}\n-----END {kind} KEY-----\n"


def _in_files() -> list[tuple[str, str, str, str, str]]:
    """Return (name, member, text with ``@@``, value, rule) for what is known by its place."""
    password, key = "Tr0ub4dor" + "&3", mixed(40)
    return [
        ("dotenv key", "settings.env.txt", "API_KEY=@@\n", key, "assignment"),
        ("dotenv vendor key", "x.conf", "export FAL_KEY='@@'", mixed(32), "assignment"),
        ("python constant", "n.py", 'API_TOKEN: str = "@@"\n', key, "assignment"),
        ("python environ", "n.py", 'os.environ["CIVITAI_TOKEN"] = "@@"', hexed(32), "civitai"),
        ("python default", "n.py", 'getenv("MY_SECRET", "@@")', key, "assignment"),
        ("python password", "n.py", 'login(user, password="@@")', password, "assignment"),
        ("json key", "config.json", '{"apiKey": "@@"}', hexed(32), "assignment"),
        ("json in json", "c.json", r'{"x": "{\"api_key\": \"@@\"}"}', hexed(40), "assignment"),
        ("ini password", "c.ini", "[db]\npassword = @@\n", password, "assignment"),
        ("yaml secret", "c.yaml", "client_secret: @@\n", key, "assignment"),
        ("toml token", "pyproject.toml", 'token = "@@"\n', key, "assignment"),
        ("aws secret key", "c.txt", "aws_secret_access_key = @@", key, "assignment"),
        ("azure account", "c.txt", "AccountName=a;AccountKey=@@==;", mixed(86), "assignment"),
        ("comfy key in extra", "c.json", '{"api_key_comfy_org": "@@"}', key, "assignment"),
        ("npm configuration", ".npmrc", "//host/:_authToken=@@\n", _uuid() + "x", "assignment"),
        ("cookie", "n.py", 'headers = {"Cookie": "session_id=@@"}', key, "assignment"),
        ("bearer header", "n.js", 'h("Authorization: Bearer @@")', key, "authorization"),
        ("basic header", "n.sh", "curl -H 'Authorization: Basic @@'", mixed(32), "authorization"),
        ("civitai beside its name", "n.py", 'civitai.login("@@")', hexed(32), "civitai"),
        ("git remote", "m.json", '{"url": "https://u:@@@a.org/r.git"}', password, "url-password"),
        ("database address", "n.py", '"postgres://u:@@@db.net:5432/x"', password, "url-password"),
        ("redis address", "n.py", '"redis://:@@@r.net/0"', password, "url-password"),
        ("token as user", "r.txt", "git+https://@@@host.org/r\n", key, "url-token"),
        ("token in query", "n.py", '"https://host.org/d?token=@@"', hexed(32), "url-token"),
        ("signed address", "n.md", "https://a.org/d?X-Amz-Signature=@@ x", hexed(64), "url-token"),
        ("azure signature", "n.md", "https://a.org/d?sv=1&sig=@@", mixed(43) + "%3D", "url-token"),
        ("random text", "n.py", 'connect("@@")', mixed(44) + "Xy4", "random"),
        ("home folder", "n.py", 'p = "@@/models"', OWNER.home, "home-folder"),
        ("home of another", "n.json", '{"p": "@@/x"}', "/Users/" + "mwagner", "home-folder"),
        ("windows home", "n.json", '{"p": "@@\\\\x"}', r"C:\\Users\\" + "mwagner", "home-folder"),
        ("home in an address", "n.md", "file://@@/x", "/home/" + "mwagner", "home-folder"),
        ("encoded home", "n.md", "x?f=@@%2Fx", "%2Fhome%2F" + "mwagner", "home-folder"),
        ("user in a path", "n.py", '"/data/@@/loras"', OWNER.user_name, "user-name"),
        ("e-mail", "n.py", 'send("@@")', "j.smith" + "@" + "mail.org", "e-mail-address"),
        ("home network", "n.js", 'fetch("//@@:8188")', "192.168." + "17.42", "private-address"),
        ("inner host", "n.js", 'fetch("@@/x")', "http://gpu-box" + ".local", "private-address"),
    ]  # fmt: skip


def planted_files() -> list[Planted]:
    """Return every case that is a file."""
    cases = [
        Planted(
            name=f"token {rule}", place="n.py", content=f"go({v!r})".encode(), value=v, rule=rule
        )
        for rule, v in _TOKENS
    ]
    for name, place, text, value, rule in _in_files():
        content = text.replace("@@", value, 1).encode()
        cases.append(Planted(name=name, place=place, content=content, value=value, rule=rule))
    for kind in ("RSA PRIVATE", "EC PRIVATE", "OPENSSH PRIVATE", "ENCRYPTED PRIVATE", "PRIVATE"):
        head, text = _pem(kind)
        for form in (text, json.dumps({"key": text})):
            cases.append(
                Planted(
                    name=kind, place="k.pem", content=form.encode(), value=head, rule="private-key"
                )
            )
    return cases + _odd_files()


def _odd_files() -> list[Planted]:
    token = "h" + "f_" + mixed(34)
    forms = {
        "utf-16": f"x = '{token}'".encode("utf-16"),
        "utf-16 without a mark": f"token is '{token}' there".encode("utf-16-le"),
        "latin-1": f"# gr\xfc\xdfe {token}".encode("latin-1"),
        "binary": b"\x7fELF\0\0\0" * 2000 + token.encode() + b"\0" * 99,
        "after an escape": f'"line\\n{token}"'.encode(),
        "in an address": f"https://host.org/d?x=1%26{token}".encode(),
        "beyond a megabyte": b"x = 1\n" * 180_000 + token.encode() + b"\n" + b"y = 2\n" * 200_000,
        "across a border": b" " * (1024 * 1024 - 10) + token.encode() + b" " * 2_000_000,
        "after a picture": b'"data:image/png;base64,'
        + b"iVBORw0KGgo" * 9000
        + b'" '
        + token.encode(),
    }
    files = [("n.txt", name, data) for name, data in forms.items()]
    return [
        Planted(name=name, place=place, content=data, value=token, rule="hugging-face")
        for place, name, data in [*files, (f"a/{token}.txt", "file name", b"")]
    ]

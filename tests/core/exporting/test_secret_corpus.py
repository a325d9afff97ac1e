from __future__ import annotations

import json
import time
import zlib
from typing import Any

import pytest
from comfydock_core.domain.secret_findings import Finding, Owner
from comfydock_core.exporting.secrets import scan_file
from comfydock_core.exporting.workflow_secrets import scan_workflow

from tests.core.domain.containers import png
from tests.core.exporting.secret_corpus import OWNER, Planted, hexed, mixed, planted_files

CORPUS = planted_files()
TOKEN = "h" + "f_" + mixed(34)
KEY = hexed(40)


def found(place: str, content: bytes) -> list[Finding]:
    return list(scan_file(place, content, OWNER))


def test_the_corpus_has_more_than_sixty_kinds() -> None:
    assert len({(case.name, case.rule) for case in CORPUS}) >= 90


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
def test_everything_planted_is_named_and_not_shown(case: Planted) -> None:
    findings = found(case.place, case.content)
    named = [each for each in findings if each.rule_id == case.rule]
    assert len(named) == 1, findings
    assert case.value not in repr(findings).replace(case.place, "")
    private = case.rule in {"home-folder", "user-name", "e-mail-address", "private-address"}
    assert named[0].severity == ("private" if private else "secret")


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("n.py", 'api_key = "your-api-key-goes-here-123"'),
        ("n.py", 'token = os.environ["HF_TOKEN"]'),
        ("n.py", 'token = os.environ.get("HF_TOKEN", "")'),
        ("n.py", "password = settings.database_password_v2"),
        ("n.py", 'password = getpass("Password 2: ")'),
        ("n.py", '"password": ("STRING", {"default": ""})'),
        ("n.py", 'tokenizer = "openai/clip-vit-large-patch14"'),
        ("n.py", 'SECRET_KEY = "xxxxxxxxxxxxxxxxxxxxxxxxxxxx"'),
        ("n.py", 'key = "model.diffusion_model.input_blocks.0.0.weight"'),
        ("n.py", f'SHA256 = "{hexed(64)}"'),
        ("n.py", f'{{"ver": "{hexed(40)}", "cnr_id": "comfyui-impact-pack"}}'),
        ("n.py", 'if "-----BEGIN RSA PRIVATE ' + 'KEY-----" in text:'),
        ("n.js", "const token = await response.json().tokenValue1234567890"),
        ("n.py", 'Bearer = f"Bearer {token_of_the_service}"'),
        ("c.yaml", "api_key: ${API_KEY}\npassword: <password>\n"),
        ("c.yaml", "token: {{ secrets.HF_TOKEN }}\n"),
        ("c.yaml", "max_tokens: 2048\nnum_key_value_heads: 16\n"),
        ("README.md", "https://user:password@host.org/ and postgres://u:<pw>@h/d"),
        ("README.md", "git clone git@host.org:owner/repo.git"),
        ("README.md", "write to j.smith@mail.org"),
        ("n.py", "# Copyright (c) 2024 J. Smith <j.smith@mail.org>"),
        ("n.py", 'path = "/home/user/ComfyUI"; other = "C:\\\\Users\\\\YourName\\\\x"'),
        ("n.py", '@app.get("/users/mwagner") and https://host.org/home/mwagner'),
        ("n.py", "http://127.0.0.1:8188 http://localhost:8188 threading.local()"),
        ("uv.lock", f'{{ url = "https://host/x.whl", hash = "sha256:{hexed(64)}" }}'),
        ("n.js", '"data:image/png;base64,' + "iVBORw0KGgoAAAANSUhEUg" * 50 + '"'),
        ("n.py", f'node_id = "{hexed(8)}-{hexed(4)}-{hexed(4)}-{hexed(4)}-{hexed(12)}"'),
    ],
)
def test_what_is_no_secret_is_not_named(place: str, text: str) -> None:
    assert found(place, text.encode()) == []


def workflow(**more: Any) -> bytes:
    node = {"id": 12, "type": "KSampler", "inputs": [], "widgets_values": [7, "euler", "normal"]}
    return json.dumps({"nodes": [{**node, **more}], "links": []}).encode()


def _slot(name: str) -> dict[str, Any]:
    return {"name": name, "type": "STRING", "widget": {"name": name}}


_DEFINITION = {"id": hexed(8), "nodes": [{"id": 4, "type": "Note", "inputs": [], "title": TOKEN}]}


def _document(**parts: Any) -> bytes:
    return json.dumps({"nodes": [], **parts}).encode()


_KEY_AND_SEED = [_slot("api_key"), _slot("seed")]
_ASK = {"class_type": "Ask", "inputs": {"api_key": KEY}}
_IN_WORKFLOWS: list[tuple[bytes, str, str]] = [
    (workflow(widgets_values=[1, "a", TOKEN]), 'node 12 "KSampler", widget 2', "hugging-face"),
    (workflow(widgets_values={"x": [TOKEN]}), 'node 12 "KSampler", widget x', "hugging-face"),
    (workflow(widgets_values=["a cat\n" * 9 + f"key: {TOKEN}"]), "widget 0", "hugging-face"),
    (workflow(title=TOKEN), 'node 12 "KSampler", title', "hugging-face"),
    (workflow(title=TOKEN).replace(b"_", b"\\u005f"), "title", "hugging-face"),
    (workflow(properties={"a": {"b": TOKEN}}), '"KSampler", properties.a.b', "hugging-face"),
    (workflow(type=TOKEN), "node 12", "hugging-face"),
    (workflow(inputs=[_slot("api_key")], widgets_values=[KEY]), "widget 0", "assignment"),
    (workflow(inputs=_KEY_AND_SEED, widgets_values=[KEY, 1, "fixed"]), "widget 0", "assignment"),
    (workflow(widgets_values=["x", KEY]), "widget 1", "random"),
    (workflow(type="CivitaiLoader", widgets_values=["x", hexed(32)]), "widget 1", "civitai"),
    (workflow(widgets_values=[r"D:\AI\loras\x.safetensors"]), "widget 0", "absolute-path"),
    (workflow(widgets_values=[r"C:\Users\mwagner\x.png"]), "widget 0", "absolute-path"),
    (workflow(widgets_values=[OWNER.home + "/x.png"]), "widget 0", "home-folder"),
    (_document(extra={"info": TOKEN}), ", extra.info", "hugging-face"),
    (_document(extra={TOKEN: {"x": "y"}}), ", extra", "hugging-face"),
    (_document(definitions={"subgraphs": [_DEFINITION]}), 'node 4 "Note", title', "hugging-face"),
    (json.dumps({"3": _ASK}).encode(), 'node 3 "Ask", inputs.api_key', "assignment"),
]


@pytest.mark.parametrize(("data", "place", "rule"), _IN_WORKFLOWS)
def test_a_finding_in_a_workflow_names_node_and_widget(data: bytes, place: str, rule: str) -> None:
    findings = list(scan_workflow("portrait", data, OWNER))
    assert [finding.rule_id for finding in findings] == [rule]
    assert findings[0].place.startswith("workflow portrait, ")
    assert place in findings[0].place
    assert TOKEN not in repr(findings)


@pytest.mark.parametrize(
    "data",
    [
        workflow(),
        workflow(type="Load by sha256", widgets_values=[hexed(64)]),
        workflow(properties={"cnr_id": "comfyui-kjnodes", "ver": hexed(40)}),
        workflow(properties={"models": [{"hash": hexed(64), "hash_type": "SHA256"}]}),
        workflow(widgets_values=["a key, a token, a secret: password protected garden", 1e15]),
        workflow(inputs=[_slot("api_key")], widgets_values=["your-api-key-1234567890"]),
        _document(id=f"{hexed(8)}-{hexed(4)}-{hexed(4)}-{hexed(4)}-{hexed(12)}"),
    ],
)
def test_an_innocent_workflow_is_let_go(data: bytes) -> None:
    assert list(scan_workflow("portrait", data, OWNER)) == []


def test_the_workflow_in_a_picture_is_searched() -> None:
    body = b"tEXtworkflow\0" + workflow(title=TOKEN)
    picture = b"\x89PNG\r\n\x1a\n" + (len(body) - 4).to_bytes(4, "big") + body + bytes(4)
    places = {finding.place for finding in found("a/example.png", picture)}
    assert 'workflow a/example.png, node 12 "KSampler", title' in places


def test_an_identity_changes_with_place_and_value() -> None:
    other = "h" + "f_" + mixed(34)
    texts = [("a.py", TOKEN), ("a.py", f"\n\n{TOKEN}"), ("b.py", TOKEN), ("a.py", other)]
    first, moved, elsewhere, changed = (found(p, t.encode())[0].identity for p, t in texts)
    assert first == moved
    assert len({first, elsewhere, changed}) == 3
    assert len(first) == 8


def test_lines_are_counted_and_a_value_is_named_once() -> None:
    text = f"\n\n{TOKEN}\n{TOKEN}\napi_key: {KEY}\n"
    assert [(f.rule_id, f.line) for f in found("a.txt", text.encode())] == [
        ("hugging-face", 3),
        ("assignment", 5),
    ]


def test_findings_come_in_the_order_of_the_document() -> None:
    other = "h" + "f_" + mixed(34)
    data = workflow(widgets_values=["x", TOKEN, other], properties={"note": "j@" + "mail.org"})
    places = [finding.place.rpartition(", ")[2] for finding in scan_workflow("w", data, OWNER)]
    assert places == ["widget 1", "widget 2", "properties.note"]


@pytest.mark.parametrize(
    ("url", "count"),
    [
        (f"https://host.org/r.git?token={KEY}", 1),
        (f"https://{KEY}@host.org/r.git", 1),
        (f"https://u:{KEY}@host.org/d?sig={hexed(64)}", 2),
        (f"https://host.org/{TOKEN}", 1),
        (f"https://host.org/resolve/{KEY}/x.safetensors?download=true", 0),
    ],
)
def test_secrets_of_an_address(url: str, count: int) -> None:
    findings = found("a.txt", url.encode())
    assert len(findings) == count
    assert KEY not in repr(findings)


@pytest.mark.parametrize(
    "unit",
    [b"a", b"a1", b"key=", b"://a", b"@", b"@a.", b"\\", b"/home/", b"?token=", b"key : ",
     b"-----BEGIN ", b"password", b"aB", b'token":"', b"eyJ", b"sk-", b"1234567:AA", b"hf_ ",
     b"key key ", b"C:\\", b"://a.", b"-", b"Users/", b"bearer  ", b"\n"],
)  # fmt: skip
def test_no_text_takes_long(unit: bytes) -> None:
    text = unit * (300_000 // len(unit))
    started = time.process_time()
    list(scan_file("a.txt", text, Owner(home="/home/a/b", user_name="aaa")))
    assert time.process_time() - started < 1.5


@pytest.mark.parametrize(
    "chunk",
    [
        (b"zTXt", b"Comment\0\0" + zlib.compress(TOKEN.encode())),
        (b"iTXt", b"parameters\0\1\0\0\0" + zlib.compress(TOKEN.encode())),
        (b"tEXt", b"note\0api_key: " + KEY.encode()),
        (
            b"tEXt",
            b'prompt\0{"1": {"class_type": "A", "inputs": {"api_key": "%s"}}}' % KEY.encode(),
        ),
    ],
)
def test_all_texts_of_a_picture_are_searched(chunk: tuple[bytes, bytes]) -> None:
    clean = (b"tEXt", b'workflow\0{"nodes": []}')
    findings = found("a/example.png", png(clean, chunk))
    assert [each.severity for each in findings] == ["secret"]

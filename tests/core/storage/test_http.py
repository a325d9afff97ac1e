"""The HTTP rules at every hop, against real servers on loopback."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from comfydock_core.domain.settings import HostSettings
from comfydock_core.errors import NetworkError
from comfydock_core.storage.http import (
    BodyCutError,
    HttpClient,
    HttpLimits,
    HttpStatusError,
)
from comfydock_core.storage.http_addresses import Origin
from comfydock_core.storage.http_connections import proxy_for

from tests.hub.model_host import COMMIT, ModelHost, model_host
from tests.hub.serving import Exchange, serving

QUICK = HttpLimits(connect_timeout=5, read_timeout=10, first_wait=0.01, longest_wait=0.05)
IMPATIENT = replace(QUICK, read_timeout=0.3)
LOOPBACK = HostSettings(allowed=frozenset({"127.0.0.1"}))
FILE = b"weights" * 1000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "a.bin").write_bytes(FILE)
    (folder / "ok.json").write_text('{"answer": 42}')
    (folder / "deep.json").write_text("[" * 100_000)
    (folder / "number.json").write_text("1" * 10_000)
    return folder


@pytest.fixture
def host(root: Path) -> Iterator[ModelHost]:
    with model_host(root) as served:
        yield served


def fetched(client: HttpClient, url: str) -> bytes:
    with client.stream(url) as stream:
        return stream.read_all(1_000_000)


def words(error: NetworkError) -> str:
    return " ".join((error.sentence, error.hint, error.cause, error.subject))


GOOD = (
    "/a.bin",
    "/_/redir/a.bin",
    "/_/nolength/a.bin",
    "/_/slow=100000/a.bin",
    "/_/fail=503x2/a.bin",
    "/_/fail=429x3,after=3600/a.bin",
    "/_/fail=503x1,after=Wed, 21 Oct 2099 07:28:00 GMT/a.bin",
)


@pytest.mark.parametrize("path", GOOD)
def test_a_file_arrives_whole(host: ModelHost, path: str) -> None:
    assert fetched(HttpClient(LOOPBACK, {}, QUICK), host.url + path) == FILE


FAILING = (
    ("/_/loop/a.bin", NetworkError, "redirects more than 5 times", 6),
    ("/_/cut=1000/a.bin", BodyCutError, "after 1000 bytes", 1),
    ("/_/nolength,cut=1000/a.bin", BodyCutError, "after 1000 bytes", 1),
    ("/_/lie=10/a.bin", BodyCutError, "after 7000 bytes", 1),
    ("/_/stall=2/a.bin", BodyCutError, "sent nothing more", 1),
    ("/_/fail=503/a.bin", HttpStatusError, "is in trouble", 4),
    ("/_/fail=500/a.bin", HttpStatusError, "is in trouble", 1),
    ("/_/fail=429/a.bin", HttpStatusError, "asks for fewer requests", 4),
    ("/_/fail=410/a.bin", HttpStatusError, "no longer has", 1),
    ("/_/fail=204/a.bin", NetworkError, "HTTP 204", 1),
    ("/_/auth=x/a.bin", HttpStatusError, "wants to know who asks", 1),
    ("/_/encoded/a.bin", NetworkError, "encoding gzip", 1),
    ("/missing.bin", HttpStatusError, "has no", 1),
)


@pytest.mark.parametrize(("path", "kind", "said", "requests"), FAILING)
def test_a_fault_is_a_named_failure(
    host: ModelHost, path: str, kind: type[NetworkError], said: str, requests: int
) -> None:
    client = HttpClient(LOOPBACK, {}, IMPATIENT if "stall" in path else QUICK)
    with pytest.raises(kind) as caught:
        fetched(client, f"{host.url}{path}?token=SECRET")
    assert said in words(caught.value)
    assert "127.0.0.1" in words(caught.value)
    assert "SECRET" not in words(caught.value)
    assert len(host.requests) == requests


def test_what_arrived_before_a_cut_is_handed_over(host: ModelHost) -> None:
    received = bytearray()

    def receive() -> None:
        with HttpClient(LOOPBACK, {}, QUICK).stream(f"{host.url}/_/cut=1000/a.bin") as stream:
            while chunk := stream.read_some(300):
                received.extend(chunk)

    with pytest.raises(BodyCutError):
        receive()
    assert received == FILE[:1000]


def test_requests_share_a_connection_and_ask_for_plain_bytes(root: Path) -> None:
    peers = []

    def answer(exchange: Exchange) -> None:
        peers.append(exchange.client_address)
        exchange.reply(200, FILE)

    with serving(answer) as served:
        client = HttpClient(LOOPBACK, {}, QUICK)
        for _ in range(3):
            assert fetched(client, served.url) == FILE
        client.head(served.url)
        fetched(client, served.url)
        assert len(set(peers)) == 1
        assert {seen.headers["accept-encoding"] for seen in served.requests} == {"identity"}


REFUSED = (
    "http://127.0.0.1:{port}/a.bin",
    "https://127.0.0.1:{port}/a.bin",
    "https://localhost:{port}/a.bin",
    "https://2130706433:{port}/a.bin",
    "https://[::1]:{port}/a.bin",
    "https://[::ffff:127.0.0.1]:{port}/a.bin",
    "https://user:pw@127.0.0.1:{port}/a.bin",
    "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/a.bin",
    "https://",
    "https://h\nost/",
    "a.bin",
)


@pytest.mark.parametrize("url", REFUSED)
def test_private_addresses_and_plain_http_are_refused_without_a_connection(
    host: ModelHost, url: str
) -> None:
    with pytest.raises(NetworkError):
        fetched(HttpClient(HostSettings(), {}, QUICK), url.format(port=host.served.port))
    assert host.requests == ()


def test_every_hop_is_checked(host: ModelHost, root: Path) -> None:
    with model_host(root) as other:
        only_first = HostSettings(allowed=frozenset({f"127.0.0.1:{host.served.port}"}))
        away = f"/_/xredir={other.url.replace('/', '|')}/a.bin"
        with pytest.raises(NetworkError, match="plain http"):
            fetched(HttpClient(only_first, {}, QUICK), host.url + away)
        assert other.requests == ()
        assert fetched(HttpClient(LOOPBACK, {}, QUICK), host.url + away) == FILE


def test_a_name_that_leads_to_several_addresses_is_tried_in_turn(host: ModelHost) -> None:
    hosts = HostSettings(allowed=frozenset({"localhost"}))
    url = f"http://localhost:{host.served.port}/a.bin"
    assert fetched(HttpClient(hosts, {}, QUICK), url) == FILE
    assert host.requests[0].headers["host"] == f"localhost:{host.served.port}"


def test_a_mirror_needs_no_further_permission_but_only_where_it_is_meant(host: ModelHost) -> None:
    client = HttpClient(HostSettings(mirrors={"https://models.example": host.url}), {}, QUICK)
    assert fetched(client, "https://models.example/a.bin") == FILE
    assert fetched(client, "https://MODELS.example/_/redir/a.bin") == FILE
    asked = len(host.requests)
    for foreign in ("https://models.example.invalid/a.bin", f"{host.url}/a.bin"):
        with pytest.raises(NetworkError):
            fetched(client, foreign)
    assert len(host.requests) == asked


def test_the_configured_registry_needs_no_further_permission(host: ModelHost) -> None:
    hosts = HostSettings(registry=f"{host.url}/_")
    with pytest.raises(NetworkError, match="plain http"):
        fetched(HttpClient(hosts, {}, QUICK), f"{host.url}/a.bin")
    assert fetched(HttpClient(hosts, {}, QUICK), f"{host.url}/_/weak/a.bin") == FILE


def sent_tokens(host: ModelHost) -> set[str]:
    return {seen.headers.get("authorization", "none") for seen in host.requests}


def test_a_token_goes_to_its_host_and_not_along_a_redirect(root: Path) -> None:
    with model_host(root) as cdn, model_host(root, cdn.url) as hugging_face:
        mirrors = {"https://huggingface.co": f"{hugging_face.url}/hf"}
        client = HttpClient(replace(LOOPBACK, mirrors=mirrors), {"HF_TOKEN": "hf_good"}, QUICK)
        url = "https://huggingface.co/gated/repo/resolve/main/a.bin"
        assert fetched(client, url) == FILE
        assert fetched(client, f"{cdn.url}/a.bin") == FILE
        assert sent_tokens(hugging_face) == {"Bearer hf_good"}
        assert sent_tokens(cdn) == {"none"}


def test_a_token_that_left_its_host_does_not_come_back(root: Path) -> None:
    with model_host(root) as other, model_host(root) as github:
        back = f"/_/xredir={github.url.replace('/', '|')}"
        away = f"/_/xredir={other.url.replace('/', '|')}"
        hosts = replace(LOOPBACK, mirrors={"https://github.com": github.url + away + back})
        client = HttpClient(hosts, {"GITHUB_TOKEN": "gh"}, QUICK)
        assert fetched(client, "https://github.com/a.bin") == FILE
        sent = [seen.headers.get("authorization") for seen in github.requests]
        assert sent == ["Bearer gh", None]
        assert sent_tokens(other) == {"none"}


TOKENS = (
    ("https://civitai.com/", {"CIVITAI_API_TOKEN": "a", "CIVITAI_API_KEY": "b"}, True, "Bearer b"),
    ("https://civitai.red/", {"CIVITAI_API_KEY": "b"}, True, "Bearer b"),
    ("https://api.github.com/", {"GITHUB_TOKEN": "c"}, True, "Bearer c"),
    ("https://sub.github.com/", {"GITHUB_TOKEN": "c"}, True, "none"),
    ("https://github.com:8443/", {"GITHUB_TOKEN": "c"}, True, "none"),
    ("https://github.com/", {"GITHUB_TOKEN": "c"}, False, "none"),
)


@pytest.mark.parametrize(("public", "environment", "allowed", "sent"), TOKENS)
def test_a_token_is_bound_to_its_exact_host(
    host: ModelHost, public: str, environment: dict[str, str], allowed: bool, sent: str
) -> None:
    """A mirror over plain http gets no token unless the user allowed that host as well."""
    names = frozenset({"127.0.0.1"} if allowed else ())
    hosts = HostSettings(mirrors={public: host.url}, allowed=names)
    assert fetched(HttpClient(hosts, environment, QUICK), f"{public}a.bin") == FILE
    assert sent_tokens(host) == {sent}


def test_hf_endpoint_is_a_mirror_with_the_token(host: ModelHost) -> None:
    environment = {"HF_ENDPOINT": f"{host.url}/hf", "HF_TOKEN": "hf_good\n"}
    client = HttpClient(LOOPBACK, environment, QUICK)
    assert fetched(client, "https://huggingface.co/gated/x/resolve/main/a.bin") == FILE
    assert host.requests[0].headers["authorization"] == "Bearer hf_good"


@pytest.mark.parametrize("environment", [{"HF_ENDPOINT": "hf.example"}, {"HF_TOKEN": "a\nb"}])
def test_a_variable_that_cannot_be_meant_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(NetworkError, match=next(iter(environment))) as caught:
        HttpClient(LOOPBACK, environment)
    assert "a\nb" not in words(caught.value)


def test_head_gives_the_answer_that_redirects_to_another_host(root: Path) -> None:
    with model_host(root) as cdn, model_host(root, cdn.url) as hugging_face:
        client = HttpClient(LOOPBACK, {}, QUICK)
        answer = client.head(f"{hugging_face.url}/hf/o/r/resolve/main/a.bin")
        assert (answer.status, answer.headers["x-repo-commit"]) == (302, COMMIT)
        assert answer.headers["x-linked-size"] == str(len(FILE))
        assert len(answer.linked_sha256) == 64
        assert cdn.requests == ()
        assert client.head(f"{cdn.url}/_/redir/a.bin").length == len(FILE)


def test_a_gated_file_says_where_to_accept_its_licence(host: ModelHost) -> None:
    mirrors = {"https://huggingface.co": f"{host.url}/hf"}
    client = HttpClient(replace(LOOPBACK, mirrors=mirrors), {}, QUICK)
    with pytest.raises(HttpStatusError) as caught:
        client.head("https://huggingface.co/gated/x/resolve/main/a.bin")
    assert "`huggingface.co` gives" in caught.value.sentence
    assert "/gated/x, then set HF_TOKEN" in caught.value.hint


def test_json_is_read_within_limits(host: ModelHost) -> None:
    client = HttpClient(LOOPBACK, {}, QUICK)
    assert client.get_json(f"{host.url}/ok.json") == {"answer": 42}
    for name in ("deep.json", "number.json", "a.bin", "login"):
        with pytest.raises(NetworkError, match="did not answer with JSON"):
            client.get_json(f"{host.url}/{name}")
    with pytest.raises(NetworkError, match="more than 10 bytes"):
        client.get_json(f"{host.url}/ok.json", limit=10)


def test_a_post_is_not_redirected(host: ModelHost) -> None:
    with pytest.raises(NetworkError, match="cannot be used"):
        HttpClient(LOOPBACK, {}, QUICK).post_json(f"{host.url}/_/redir/ok.json", {})
    assert len(host.requests) == 1


def test_a_closed_port_is_said() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(NetworkError, match=f"`127.0.0.1:{port}` could not be reached") as no:
            fetched(HttpClient(LOOPBACK, {}, QUICK), f"http://127.0.0.1:{port}/?key=SECRET")
    assert "refused" in no.value.cause.lower()
    assert "SECRET" not in words(no.value)


def test_a_proxy_gets_the_request_but_no_private_target(host: ModelHost) -> None:
    with serving(lambda exchange: exchange.reply(200, FILE)) as proxy:
        hosts = HostSettings(allowed=frozenset({"models.example"}))
        client = HttpClient(hosts, {"http_proxy": proxy.url, "https_proxy": proxy.url}, QUICK)
        assert fetched(client, "http://models.example/a.bin") == FILE
        for private in ("https://127.0.0.1/", "https://localhost/", "https://[::1]/"):
            with pytest.raises(NetworkError, match="not a public address"):
                fetched(client, private)
        assert [seen.target for seen in proxy.requests] == ["http://models.example/a.bin"]


PROXIES: tuple[tuple[dict[str, str], str], ...] = (
    ({}, ""),
    ({"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
    ({"all_proxy": "p:1"}, "http://p:1"),
    ({"http_proxy": "http://p:1"}, ""),
    ({"https_proxy": "http://p:1", "NO_PROXY": "*"}, ""),
    ({"https_proxy": "http://p:1", "NO_PROXY": "other, .example.org"}, ""),
    ({"https_proxy": "http://p:1", "no_proxy": "cdn.example.org:443"}, ""),
    ({"https_proxy": "http://p:1", "no_proxy": "n.example.org,"}, "http://p:1"),
)


@pytest.mark.parametrize(("environment", "expected"), PROXIES)
def test_proxies_come_from_the_usual_variables(environment: dict[str, str], expected: str) -> None:
    origin = Origin(scheme="https", host="cdn.example.org", port=443)
    assert proxy_for(origin, environment) == expected


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Key and certificate of `localhost`."""
    if not shutil.which("openssl"):
        pytest.skip("makes its certificate with openssl")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    return key, certificate


def tls_of(key: Path, certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


LOCALHOST = HostSettings(allowed=frozenset({"localhost", "127.0.0.1"}))


def test_tls_proves_the_name_with_the_users_certificates(certificate: tuple[Path, Path]) -> None:
    key, file = certificate
    hosts, bundle = LOCALHOST, {"SSL_CERT_FILE": str(file)}
    with serving(lambda exchange: exchange.reply(200, FILE), tls_of(key, file)) as served:
        url = f"https://localhost:{served.port}/"
        assert fetched(HttpClient(hosts, bundle, QUICK), url) == FILE
        configured = replace(hosts, ca_bundle=str(file))
        assert fetched(HttpClient(configured, {}, QUICK), url) == FILE
        for environment, wrong in (({}, url), (bundle, served.url)):
            with pytest.raises(NetworkError, match="could not prove who it is"):
                fetched(HttpClient(hosts, environment, QUICK), wrong)
        with pytest.raises(NetworkError, match="cannot be read as certificates"):
            fetched(HttpClient(hosts, {"SSL_CERT_FILE": str(key)}, QUICK), url)


def test_nothing_is_read_of_an_answer_that_was_ended(certificate: tuple[Path, Path]) -> None:
    """With TLS off, what is left of it on the connection is ciphertext."""
    key, file = certificate
    large = bytes(4 * 1024 * 1024)
    client = HttpClient(LOCALHOST, {"SSL_CERT_FILE": str(file)}, QUICK)

    def read_on(url: str) -> None:
        with client.stream(url) as stream:
            assert stream.read_some(1000)
            stream.abort()
            while chunk := stream.read_some(100_000):
                assert not chunk.strip(b"\0")

    for tls in (tls_of(key, file), None):
        answering = serving(lambda exchange: exchange.reply(200, large), tls)
        with answering as served, pytest.raises(BodyCutError):
            read_on(f"{'https' if tls else 'http'}://localhost:{served.port}/")

"""The hosts of models: what an address leads to, and where a content can be had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from comfydock_core.domain.model_sources import ExaminedSource
from comfydock_core.domain.models import detect_url_type
from comfydock_core.domain.names import SHA256, url_problem
from comfydock_core.domain.untrusted import redact_secrets
from comfydock_core.errors import NetworkError
from comfydock_core.storage.civitai import CIVITAI_HOSTS, Civitai
from comfydock_core.storage.file_head import file_head
from comfydock_core.storage.github_files import github_address
from comfydock_core.storage.http import HttpClient, HttpLimits, is_unreachable, redact
from comfydock_core.storage.http_addresses import parsed
from comfydock_core.storage.hugging_face import HuggingFace

HURRIED = HttpLimits(
    connect_timeout=5.0, read_timeout=10.0, attempts=2, first_wait=0.2, longest_wait=2.0
)
"""For many questions asked beforehand: a host that needs longer is asked again when it matters."""

_SECRET = "carries what looks like a token: whoever gets the address gets that too"  # noqa: S105


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundSources:
    """``sources`` by sha256, only of contents that were found; ``problems`` are the hosts that
    could not be asked, or not to the end."""

    sources: Mapping[str, tuple[ExaminedSource, ...]]
    problems: tuple[NetworkError, ...] = ()


class ModelHosts:
    """Asks hosts about models; nothing is ever downloaded here."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._hugging_face = HuggingFace(client)
        self._civitai = Civitai(client)

    def examine(self, url: str) -> ExaminedSource:
        """Ask what ``url`` leads to and pin it where its host can.

        An address that leads to no file, or not for this user, is a NetworkError that says what
        to do.
        """
        address = _address(url)
        pinned = self._hugging_face.pin(address) or self._civitai.pin(address)
        return pinned or self._anywhere(address)

    def find_by_sha256(
        self, digests: Iterable[str], repositories: Iterable[str] = ()
    ) -> FoundSources:
        """Look for contents at Civitai and in the given Hugging Face repositories.

        Every source that is returned was stated to have exactly that sha256. Trouble on the way
        does not hide what the other hosts know.
        """
        missing = {digest.lower() for digest in digests if SHA256.fullmatch(digest.lower())}
        found: dict[str, dict[str, ExaminedSource]] = {}
        problems: list[NetworkError] = []
        for host in CIVITAI_HOSTS:
            # What one site has, the other has too, at the same ids.
            self._collect(self._civitai.find(missing - found.keys(), host), found, problems)
        for repository in dict.fromkeys(repositories):
            before = len(problems)
            self._collect(self._hugging_face.find(missing, repository), found, problems)
            if any(map(is_unreachable, problems[before:])):
                # The same host would keep the user waiting for each of its repositories.
                break
        sources = {digest: tuple(by_url.values()) for digest, by_url in found.items()}
        return FoundSources(sources=sources, problems=tuple(problems))

    def _collect(
        self,
        pairs: Iterable[tuple[str, ExaminedSource]],
        found: dict[str, dict[str, ExaminedSource]],
        problems: list[NetworkError],
    ) -> None:
        try:
            for digest, source in pairs:
                found.setdefault(digest, {})[source.url] = source
        except NetworkError as error:
            problems.append(error)

    def _anywhere(self, url: str) -> ExaminedSource:
        address, problem = github_address(url)
        head = file_head(self._client, address)
        return ExaminedSource(
            url=address,
            original=address,
            kind=detect_url_type(address),
            size=head.size,
            sha256=head.sha256,
            filename=head.filename,
            problem=_SECRET if redact_secrets(address) != address else problem,
        )


def _address(url: str) -> str:
    """Return ``url`` as it may be kept: percent-encoded, without its fragment."""
    address = str(parsed(url)._replace(fragment=None))
    if problem := url_problem(address):
        raise NetworkError(
            f"`{redact(url)}` {problem}",
            hint="an address has at most 2000 characters",
            subject=redact(url),
        )
    return address

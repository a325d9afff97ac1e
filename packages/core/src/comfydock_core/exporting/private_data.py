"""A bundle's members -> the secrets and private details that would leave with them."""

from __future__ import annotations

import getpass
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from comfydock_core.domain.bundle import WORKFLOWS
from comfydock_core.domain.lenient_json import Decoder, fast_decoder
from comfydock_core.domain.secret_findings import Finding, Owner
from comfydock_core.errors import WorkflowError
from comfydock_core.exporting.secrets import scan_file
from comfydock_core.exporting.workflow_secrets import scan_workflow
from comfydock_core.storage.durable_files import storage_errors


def owner_of(environment: Mapping[str, str]) -> Owner:
    """Return the person at this machine, by the variables of the process."""
    home = environment.get("HOME") or environment.get("USERPROFILE") or str(Path.home())
    name = environment.get("USER") or environment.get("USERNAME") or ""
    if not name:
        with suppress(OSError, KeyError, ImportError):
            name = getpass.getuser()
    return Owner(home=home, user_name=name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Searched:
    """What members give away, and the sha256 (hex) of the contents that were searched, by path."""

    findings: tuple[Finding, ...]
    digests: Mapping[str, str]


def search_private(files: Mapping[str, Path], owner: Owner) -> Searched:
    """Search the members with these paths in the bundle, each read once from where it lies."""
    decode = fast_decoder()
    findings: list[Finding] = []
    digests: dict[str, str] = {}
    for place, path in files.items():
        with storage_errors(path):
            data = path.read_bytes()
        digests[place] = hashlib.sha256(data).hexdigest()
        findings += _found_in(place, data, owner, decode)
    return Searched(findings=tuple(findings), digests=digests)


def _found_in(place: str, data: bytes, owner: Owner, decode: Decoder) -> Iterator[Finding]:
    if place.startswith(f"{WORKFLOWS}/"):
        name = place.removeprefix(f"{WORKFLOWS}/")
        with suppress(WorkflowError):
            yield from scan_workflow(name, data, owner, decode)
            return
    yield from scan_file(place, data, owner)

"""manifest.json of a bundle to be written, and the name of its file."""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from comfydock_core import __version__
from comfydock_core.domain.acquisition import WorkflowIssue
from comfydock_core.domain.bundle import BundleManifest, KnownIssue
from comfydock_core.domain.manifest import Manifest
from comfydock_core.errors import UsageError
from comfydock_core.exporting.gathering import GatheredFiles
from comfydock_core.storage.hashing import SHORT_HASH_SCHEME

# Ten digits last until the year 2286, and no platform has trouble with them.
_SECONDS = re.compile(r"[0-9]{1,10}")


def describe(
    manifest: Manifest, gathered: GatheredFiles, profile: str, issues: Iterable[WorkflowIssue]
) -> BundleManifest:
    """Return what manifest.json says of the contents; when and from which commit comes later."""
    return BundleManifest(
        timestamp="",
        comfydock_version=__version__,
        environment_name=manifest.name,
        workflows=tuple(sorted(f"{name}.json" for name in manifest.workflows)),
        python_version=manifest.python_version,
        comfyui_version=manifest.comfyui_version,
        platform=sys.platform,
        total_models=len(manifest.models),
        total_nodes=len(manifest.nodes),
        hash_scheme=SHORT_HASH_SCHEME,
        profile=profile,
        issues=tuple(
            KnownIssue(workflow=i.workflow, kind=i.kind, subject=i.subject, sentence=i.sentence)
            for i in issues
        ),
        missing_inputs=gathered.missing_inputs,
        development=gathered.development,
    )


def export_time(environment: Mapping[str, str]) -> str:
    """Return now, or ``SOURCE_DATE_EPOCH`` where reproducible output is wanted."""
    epoch = environment.get("SOURCE_DATE_EPOCH", "")
    if epoch and not _SECONDS.fullmatch(epoch):
        raise UsageError("`SOURCE_DATE_EPOCH` must be a number of seconds since 1970")
    now = (
        datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
        if epoch
        else datetime.datetime.now(datetime.UTC)
    )
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def free_name(folder: Path, environment: str) -> Path:
    """Return ``<env>_export_<date>.tar.gz`` with a counter where that is taken."""
    stem = f"{environment}_export_{datetime.date.today():%Y-%m-%d}"
    target = folder / f"{stem}.tar.gz"
    counter = 1
    while target.exists():
        counter += 1
        target = folder / f"{stem}-{counter}.tar.gz"
    return target

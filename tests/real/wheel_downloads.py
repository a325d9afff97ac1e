"""Wheels from the package registry, fetched by pip as it is configured here, kept between runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from comfydock_core.errors import DownloadError
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

REPOSITORY_ROOT = Path(__file__).resolve().parents[2]
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
ONE_WHEEL = ("--no-deps", "--only-binary", ":all:")


def cache_folder() -> Path:
    """Where downloads and what is made of them lie: $COMFYDOCK_REAL_CACHE, else work/real."""
    chosen = os.environ.get("COMFYDOCK_REAL_CACHE")
    return Path(chosen).resolve() if chosen else REPOSITORY_ROOT / "work" / "real"


def downloaded_wheel(requirement: str, folder: Path) -> Path:
    """The wheel of ``name==version`` in ``folder``, fetched when it is not there.

    Raises DownloadError when pip cannot get it.
    """
    found = wheel_in(folder, requirement)
    if found is not None:
        return found
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".pip-") as arriving:
        run_pip("download", "-q", *ONE_WHEEL, "-d", arriving, requirement)
        wheel = next(Path(arriving).glob("*.whl"))
        return wheel.replace(folder / wheel.name)


def wheel_in(folder: Path, requirement: str) -> Path | None:
    """A wheel in ``folder`` that meets ``requirement``; a local version such as +cpu does too."""
    wanted = Requirement(requirement)
    for wheel in sorted(folder.glob("*.whl")):
        name, version, _, _ = parse_wheel_filename(wheel.name)
        if name == canonicalize_name(wanted.name) and version in wanted.specifier:
            return wheel
    return None


def announced_requirements(requirement: str) -> list[str]:
    """What the wheel that pip would choose asks for itself (its ``Requires-Dist`` lines).

    An index that serves metadata apart from the wheels is asked for nothing else, so that a wheel
    of gigabytes can be refused without fetching it.
    """
    report = run_pip(
        "install", "-q", "--dry-run", "--ignore-installed", *ONE_WHEEL, "--report", "-", requirement
    )
    chosen = json.loads(report)["install"][0]
    return list(chosen["metadata"].get("requires_dist", []))


def run_pip(*arguments: str) -> str:
    """pip's standard output; DownloadError with pip's last words when it fails."""
    done = subprocess.run([*PIP, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise DownloadError(
            f"pip could not get `{arguments[-1]}`.",
            hint="Check that this machine reaches its package registry.",
            cause=done.stderr.strip()[-800:],
            subject=arguments[-1],
        )
    return done.stdout

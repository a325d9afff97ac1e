"""uv as a process: venvs, locks, installs. It sees only files that we wrote (trust.md rule 3)."""

from __future__ import annotations

import datetime
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import uv as uv_package

from comfydock_core.domain.names import PYTHON_VERSION
from comfydock_core.domain.requirements import package_name
from comfydock_core.domain.settings import PythonSettings
from comfydock_core.errors import (
    ComfydockError,
    DiskFullError,
    PythonEnvironmentError,
    RequirementConflictError,
)
from comfydock_core.storage.found_pythons import FoundPythons
from comfydock_core.storage.installed_packages import still_required
from comfydock_core.storage.processes import (
    Finished,
    python_of,
    run_program,
    scrubbed_environment,
)

_STEERING = ("UV_", "PIP_", "CONDA_")
_STEERING_NAMES = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
_DEBRIS = re.compile(r"^(warning|Using|Resolved|Prepared|Creating)\b.*$", re.MULTILINE)
_LABEL = re.compile(r"^ *(error|cause): ")


@dataclass(frozen=True, kw_only=True, slots=True)
class InstalledPackage:
    """Name and version as the environment itself reports them."""

    name: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PythonBuild:
    """A released CPython: ``path`` where it is on this machine, else ``url`` where uv has it."""

    version: str
    path: str = ""
    url: str = ""


class Uv:
    """Runs uv with the user's own sources and nothing of the surrounding configuration.

    ``cache`` is uv's cache folder, kept on the environments' device so that installs are links.
    """

    def __init__(
        self,
        settings: PythonSettings,
        environment: Mapping[str, str],
        cache: Path,
        found: FoundPythons,
    ) -> None:
        self._settings = settings
        self._environment = scrubbed_environment(environment, _STEERING, _STEERING_NAMES) | {
            "UV_CACHE_DIR": str(cache),
            "UV_NO_PROGRESS": "1",
        }
        self._found = found

    def _run(self, *arguments: str | Path, **variables: str) -> Finished:
        command = [uv_package.find_uv_bin(), *arguments, "--no-config", "--color=never"]
        return run_program(command, environment=self._environment | variables)

    def _checked(self, what: str, *arguments: str | Path, **variables: str) -> str:
        done = self._run(*arguments, **variables)
        if done.exit_code:
            raise _failure(what, done)
        return done.output

    def _sources(self) -> list[str]:
        index = ["--default-index", self._settings.index] if self._settings.index else []
        links = [w for place in self._settings.find_links for w in ("--find-links", place)]
        return [*index, *links]

    def _python(self, version: str) -> str:
        """Return the interpreter for ``version``, or ``version`` itself for uv to fetch.

        uv starts what it finds on its way to one, and a shim of pyenv is a shell script.
        """
        return str(self.find_python(version) or version)

    def lock(
        self,
        project: Path,
        *,
        python_version: str,
        newest: datetime.datetime | None = None,
        build: bool = True,
        offline: bool = False,
    ) -> None:
        """Write ``uv.lock`` beside the pyproject.toml in ``project``.

        ``newest`` leaves out files uploaded later; versions of a lock that is there are kept
        where they can be. ``offline`` asks no index: what uv's cache knows has to do.
        RequirementConflictError when there is no solution.
        """
        options: list[str | Path] = ["--project", project, "--python", self._python(python_version)]
        options += ["--offline"] if offline else []
        options += ["--exclude-newer", newest.isoformat()] if newest else []
        options += [] if build else ["--no-build"]
        done = self._run("lock", "--quiet", *options, *self._sources())
        if done.exit_code == 0:
            return
        text = explanation(done.errors)
        if "No solution found" in done.errors and "unsatisfiable" in done.errors:
            raise RequirementConflictError("the Python requirements exclude each other", cause=text)
        raise _failure("the Python requirements could not be resolved", done)

    def sync(self, project: Path, venv: Path, *, new_python: str = "", build: bool = True) -> None:
        """Install what the lock in ``project`` says, leaving other packages (torch) in place.

        ``new_python`` says that there is no ``venv``: it is made with that version, which is
        fetched when it is not here.
        """
        self._checked(
            "the Python packages could not be installed",
            *("sync", "--quiet", "--frozen", "--inexact", "--all-groups"),
            *("--project", str(project)),
            *(["--python", self._python(new_python)] if new_python else []),
            *([] if build else ["--no-build"]),
            *self._sources(),
            UV_PROJECT_ENVIRONMENT=str(venv),
        )

    def uninstall(self, venv: Path, packages: Iterable[str]) -> None:
        """Remove packages by name; names that are not installed do not matter.

        What another package requires that stays is left: torch and its like are in no lock.
        """
        leaving = frozenset(packages)
        names = sorted(leaving - still_required(venv, leaving)) if leaving else []
        if names:
            self._checked(
                "packages could not be removed",
                *("pip", "uninstall", "--quiet", "--python", str(python_of(venv))),
                *names,
            )

    def install_torch(self, venv: Path, pins: Sequence[str], backend: str) -> None:
        """Install the torch stack for this machine's hardware.

        ``pins`` are requirements such as ``torch==2.13.0`` or ``torchaudio``. With
        ``PythonSettings.torch_wheels`` the stack comes from those wheels alone, and ``backend``
        does not matter; only what it depends on is then asked of the index.
        """
        wheels = self._settings.torch_wheels
        target = ("--quiet", "--python", str(python_of(venv)))
        failure = "the torch stack could not be installed"
        if not wheels:
            place = f"--torch-backend={backend}"
            self._checked(failure, "pip", "install", *target, place, *self._sources(), *pins)
            return
        only = ("--no-index", "--no-deps", "--find-links", wheels)
        self._checked(failure, "pip", "install", *target, *only, *pins)
        there = {package.name: package.version for package in self.installed(venv)}
        exact = [f"{name}=={there[name]}" for name in map(package_name, pins)]
        links = ("--find-links", wheels, *self._sources())
        self._checked(failure, "pip", "install", *target, *links, *exact)

    def installed(self, venv: Path) -> tuple[InstalledPackage, ...]:
        """List what the environment holds."""
        output = self._checked(
            "the installed packages could not be listed",
            *("pip", "list", "--quiet", "--format=json", "--python", python_of(venv)),
        )
        return tuple(
            InstalledPackage(name=entry["name"], version=entry["version"])
            for entry in json.loads(output)
        )

    def find_python(self, version: str) -> Path | None:
        """Return the interpreter that uv would take for ``version``, if one is on this machine.

        A virtual environment around the current folder is somebody's project, and passed over.
        """
        if known := self._found.get(version):
            return known
        done = self._run("python", "find", "--system", "--no-python-downloads", version)
        if done.exit_code:
            return None
        found = Path(done.output.strip())
        self._found.keep(version, found)
        return found

    def pythons(self, version: str = "") -> tuple[PythonBuild, ...]:
        """List the Pythons that ``version`` allows, newest first: here, or known to this uv.

        No network is used: which builds can be fetched is written in uv itself.
        """
        request = [version] if version else []
        done = self._run("python", "list", "--offline", "--output-format=json", *request)
        entries = json.loads(done.output) if done.exit_code == 0 and done.output else []
        return tuple(
            PythonBuild(version=e["version"], path=e["path"] or "", url=e["url"] or "")
            for e in entries
            if e["implementation"] == "cpython"
            and e["variant"] == "default"
            and PYTHON_VERSION.fullmatch(e["version"])
        )


def uv_cache_folder(environment: Mapping[str, str], workspace: Path) -> Path:
    """Return uv's own cache where it can be linked from, else one inside the workspace.

    Links do not cross devices, and copying costs 745 MB for each environment (speed.md).
    ``COMFYDOCK_UV_CACHE`` names another folder.
    """
    if chosen := environment.get("COMFYDOCK_UV_CACHE"):
        return Path(chosen)
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or Path.home())
    usual = {
        "nt": Path(environment.get("LOCALAPPDATA") or home / "AppData/Local") / "uv/cache",
    }.get(os.name, Path(environment.get("XDG_CACHE_HOME") or home / ".cache") / "uv")
    existing = next(place for place in (usual, *usual.parents) if place.exists())
    same_device = existing.stat().st_dev == workspace.stat().st_dev
    return usual if same_device else workspace / "cache" / "uv"


def explanation(errors: str) -> str:
    """Keep what uv says about the cause, without its progress lines."""
    lines = (_LABEL.sub("", line).strip() for line in _DEBRIS.sub("", errors).splitlines())
    kept = [line for line in lines if line]
    return "\n".join(kept)[-3000:]


def _failure(sentence: str, done: Finished) -> ComfydockError:
    cause = explanation(done.errors)
    if "No space left" in done.errors:
        return DiskFullError(sentence, cause=cause)
    return PythonEnvironmentError(sentence, cause=cause, hint=_hint(done))


def _hint(done: Finished) -> str:
    if re.search(r"dns|connect|network|timed out|error sending request", done.errors, re.I):
        return "check the network, or set [python] index in config.toml to your mirror"
    if re.search(r"No interpreter found|python-downloads|No download found", done.errors, re.I):
        return "install that Python, or choose another with --python 3.x"
    return ""

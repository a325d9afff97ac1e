from __future__ import annotations

import datetime
import os
import time
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

import pytest
from comfydock_core.domain.lock import parse_lock, unlisted_files, without_cutoff, without_files
from comfydock_core.domain.manifest import Manifest
from comfydock_core.domain.settings import PythonSettings
from comfydock_core.errors import PythonEnvironmentError, RequirementConflictError
from comfydock_core.storage.found_pythons import FoundPythons
from comfydock_core.storage.project_file import write_project
from comfydock_core.storage.uv import Uv, explanation, uv_cache_folder

from tests.core.storage.small_wheels import make_wheel
from tests.hub.serving import Exchange, Served, serving

INHERITED = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
BACK_THEN = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    for version in ("1.0", "2.0"):
        make_wheel(folder, "alpha", version, f"beta>={version}")
        make_wheel(folder, "beta", version)
    return folder


@pytest.fixture
def index(wheels: Path) -> Iterator[Served]:
    """A package index on loopback, with digests."""

    def answer(exchange: Exchange) -> None:
        _, kind, name, *_ = [*exchange.path_asked.split("/"), "", ""]
        found = sorted(wheels.glob(f"{name}-*.whl")) if kind == "simple" else []
        links = "".join(
            f'<a href="/files/{p.name}#sha256={sha256(p.read_bytes()).hexdigest()}">{p.name}</a>'
            for p in found
        )
        if kind == "files":
            exchange.reply(200, (wheels / name).read_bytes())
        else:
            exchange.reply(200 if found else 404, links.encode(), {"Content-Type": "text/html"})

    with serving(answer) as served:
        yield served


def uv_at(tmp_path: Path, settings: PythonSettings, variables: Mapping[str, str] = {}) -> Uv:
    environment = INHERITED | dict(variables)
    found = FoundPythons(tmp_path / "pythons.json", environment)
    return Uv(settings, environment, tmp_path / "cache", found)


def offline(tmp_path: Path, wheels: Path, **variables: str) -> Uv:
    """uv with nothing but a folder of wheels and an empty index."""
    (tmp_path / "nothing").mkdir(exist_ok=True)
    settings = PythonSettings(
        find_links=(str(wheels),), index=(tmp_path / "nothing").as_uri(), torch_wheels=str(wheels)
    )
    return uv_at(tmp_path, settings, variables)


def project(tmp_path: Path, *requirements: str, **groups: tuple[str, ...]) -> Path:
    manifest = Manifest(
        name="env",
        comfyui_version="v1",
        python_version="3.11",
        requirements=requirements,
        groups=groups,
    )
    write_project(tmp_path / "project" / "pyproject.toml", manifest)
    return tmp_path / "project"


def locked(folder: Path) -> dict[str, str]:
    return {p.name: p.version for p in parse_lock((folder / "uv.lock").read_bytes())}


def test_a_real_lock_is_read_without_the_torch_stack(tmp_path: Path, index: Served) -> None:
    folder = project(tmp_path, "alpha", "torch==2.1", node=("beta",))
    tool = uv_at(tmp_path, PythonSettings(index=f"{index.url.rstrip('/')}/simple"))
    tool.lock(folder, python_version="3.11")
    text = (folder / "uv.lock").read_text(encoding="utf-8")
    packages = parse_lock(text.encode())
    assert [(p.name, p.version, p.source, p.wheels) for p in packages] == [
        ("alpha", "2.0", "registry", 1),
        ("beta", "2.0", "registry", 1),
    ]
    assert all(len(p.hashes) == 1 for p in packages)
    assert unlisted_files(packages, packages) == ()
    less = parse_lock(without_files(text, packages[0].hashes).encode())
    assert [p.wheels for p in less] == [0, 1]


def test_a_lock_without_its_cutoff_keeps_its_versions(tmp_path: Path, wheels: Path) -> None:
    folder = project(tmp_path, "alpha<2", "beta<2")
    tool = offline(tmp_path, wheels)
    tool.lock(folder, python_version="3.11", newest=BACK_THEN)
    text = (folder / "uv.lock").read_text(encoding="utf-8")
    kept = without_cutoff(text)
    assert ("exclude-newer" in text, "exclude-newer" in kept) == (True, False)
    assert parse_lock(kept.encode()) == parse_lock(text.encode())
    (folder / "uv.lock").write_text(kept, encoding="utf-8")
    project(tmp_path, "alpha", "beta")
    tool.lock(folder, python_version="3.11")
    assert locked(folder) == {"alpha": "1.0", "beta": "1.0"}
    assert "exclude-newer" not in (folder / "uv.lock").read_text(encoding="utf-8")


def test_a_lock_is_installed_and_what_else_is_there_stays(tmp_path: Path, wheels: Path) -> None:
    folder, venv = project(tmp_path, "beta"), tmp_path / "venv"
    make_wheel(wheels, "torch", "2.9.0", "alpha==1.0")
    tool = offline(tmp_path, wheels)
    tool.lock(project(tmp_path), python_version="3.11")
    tool.sync(folder, venv, new_python="3.11", build=False)
    assert tool.installed(venv) == ()
    tool.install_torch(venv, ["torch"], "cpu")
    tool.lock(project(tmp_path, "beta"), python_version="3.11")
    tool.sync(folder, venv, build=False)
    found = {package.name: package.version for package in tool.installed(venv)}
    assert found == {"alpha": "1.0", "beta": "2.0", "torch": "2.9.0"}
    for leaving, left in (
        ([], {"alpha", "beta", "torch"}),
        (["alpha", "beta", "never-there"], {"alpha", "beta", "torch"}),
        (["alpha", "torch", "never-there"], {"beta"}),
    ):
        tool.uninstall(venv, leaving)
        assert {package.name for package in tool.installed(venv)} == left


def test_a_conflict_is_told_from_other_failures(tmp_path: Path, wheels: Path) -> None:
    tool = offline(tmp_path, wheels)
    with pytest.raises(RequirementConflictError) as caught:
        tool.lock(project(tmp_path, "beta<2", node=("beta>=2",)), python_version="3.11")
    assert "depends on beta>=2" in caught.value.cause
    assert not (tmp_path / "project/uv.lock").exists()
    wrong = uv_at(tmp_path, PythonSettings(find_links=(str(tmp_path / "none"),)))
    with pytest.raises(PythonEnvironmentError) as failed:
        wrong.lock(project(tmp_path, "beta"), python_version="3.11")
    assert not isinstance(failed.value, RequirementConflictError)
    assert str(tmp_path / "none") in failed.value.cause


def test_variables_and_files_around_do_not_steer(
    tmp_path: Path, wheels: Path, index: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    make_wheel(elsewhere, "alpha", "9.0")
    nowhere = "http://127.0.0.1:9/simple"
    (tmp_path / "cwd").mkdir()
    (tmp_path / "cwd/uv.toml").write_text(f'index-url = "{nowhere}"\nno-index = true\n')
    (tmp_path / "cwd/.python-version").write_text("2.7\n")
    monkeypatch.chdir(tmp_path / "cwd")
    tool = offline(
        tmp_path,
        wheels,
        UV_INDEX_URL=nowhere,
        UV_DEFAULT_INDEX=nowhere,
        UV_INDEX=nowhere,
        UV_FIND_LINKS=str(elsewhere),
        UV_PYTHON="2.7",
        UV_CONSTRAINT=str(tmp_path / "none"),
        UV_CONFIG_FILE=str(tmp_path / "cwd/uv.toml"),
        uv_exclude_newer="1999-01-01",
        PIP_INDEX_URL=nowhere,
        PIP_FIND_LINKS=str(elsewhere),
        VIRTUAL_ENV=str(tmp_path / "none"),
        PYTHONPATH=str(elsewhere),
        XDG_CONFIG_HOME=str(tmp_path / "cwd"),
    )
    folder = project(tmp_path, "alpha")
    tool.lock(folder, python_version="3.11")
    assert locked(folder) == {"alpha": "2.0", "beta": "2.0"}
    assert tool.find_python("3.11") is not None
    assert tool.find_python("3.99") is None


def test_the_venv_of_the_current_folder_is_no_python_of_this_machine(
    tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, tool = project(tmp_path), offline(tmp_path, wheels)
    tool.lock(folder, python_version="3.11")
    tool.sync(folder, folder / ".venv", new_python="3.11")
    monkeypatch.chdir(folder)
    found = offline(tmp_path, wheels).find_python("3.11")
    assert found is not None
    assert not found.is_relative_to(tmp_path)


def test_a_python_that_is_not_there_has_a_hint(tmp_path: Path, wheels: Path) -> None:
    started, tool, folder = time.monotonic(), offline(tmp_path, wheels), project(tmp_path)
    tool.lock(folder, python_version="3.11")
    with pytest.raises(PythonEnvironmentError, match="could not be installed") as caught:
        tool.sync(folder, tmp_path / "venv", new_python="3.99")
    assert "--python" in caught.value.hint
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"COMFYDOCK_UV_CACHE": "/chosen"}, "/chosen"),
        ({"XDG_CACHE_HOME": "{0}/xdg"}, "{0}/xdg/uv"),
        ({"HOME": "{0}/home"}, "{0}/home/.cache/uv"),
        ({"HOME": "/proc/self"}, "{0}/workspace/cache/uv"),
    ],
)
def test_where_the_cache_is(tmp_path: Path, variables: dict[str, str], expected: str) -> None:
    (tmp_path / "workspace").mkdir()
    filled = {key: value.format(tmp_path) for key, value in variables.items()}
    assert uv_cache_folder(filled, tmp_path / "workspace") == Path(expected.format(tmp_path))


def test_an_explanation_is_what_remains_without_progress() -> None:
    text = "Using CPython 3.11\nResolved 3 packages\n\n  error: no\n  more\nwarning: x\n"
    kept = explanation(text).splitlines()
    assert [line.strip().removeprefix("error: ") for line in kept] == ["no", "more"]
    assert len(explanation("x" * 9000)) == 3000


def test_pythons_are_listed_without_a_network(tmp_path: Path) -> None:
    tool = uv_at(tmp_path, PythonSettings(), {"HTTPS_PROXY": "http://127.0.0.1:9"})
    builds = tool.pythons("3.12")
    assert all(build.version.startswith("3.12.") for build in builds)
    assert any(build.url.startswith("https://") for build in builds)
    assert tool.pythons("3.99") == ()

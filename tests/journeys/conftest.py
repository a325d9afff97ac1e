"""The town and a sender's bundle, made once for each test process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.hub.civitai import civitai
from tests.journeys.desks import Desk, clear, desk_of
from tests.journeys.machines import Machine, sender
from tests.journeys.town import Town
from tests.journeys.town import town as build_town


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """ComfyUI, a registry, a git node and models on loopback."""
    with build_town(tmp_path_factory.mktemp("town")) as built:
        yield built


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory, town: Town) -> Machine:
    """A sender's machine with the committed environment `studio`; tests leave it as it is."""
    return sender(tmp_path_factory.mktemp("sender"), town)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory, studio: Machine) -> Path:
    """The bundle that `studio` exports."""
    target = tmp_path_factory.mktemp("bundle") / "studio.tar.gz"
    studio.ok("export", "studio", "--output", str(target))
    return target


@pytest.fixture(scope="session")
def desks_machine(studio: Machine, bundle: Path, town: Town) -> Iterator[Machine]:
    """The sender's machine after an export, so that its index has all digests.

    Its Civitai knows no file.
    """
    assert bundle.is_file()
    with civitai({}, town.storage) as site:
        mirrors = f"https://civitai.com/={site.url}/ https://civitai.red/={site.url}/"
        known = studio.variables["COMFYDOCK_MIRRORS"]
        variables = {**studio.variables, "COMFYDOCK_MIRRORS": f"{known} {mirrors}"}
        yield replace(studio, variables=variables)


@pytest.fixture
def desk(desks_machine: Machine, tmp_path: Path) -> Iterator[Desk]:
    """A copy of `studio` for one test to change and export."""
    made = desk_of(desks_machine, tmp_path / "out")
    yield made
    clear(made)

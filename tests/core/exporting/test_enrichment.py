from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3
from comfydock_core.domain.manifest import Manifest, ManifestModel
from comfydock_core.errors import NotFoundError
from comfydock_core.exporting.enrichment import (
    estimated_seconds,
    lacking_digests,
    local_only,
    read_digests,
    with_index,
)
from comfydock_core.workspace.workspace import Workspace

from tests.core.workspace.workspaces import SMALL, workspace_at

DATA = b"weights" * 1000


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace with one indexed model."""
    found = workspace_at(tmp_path)
    place = found.root / "models/loras/a.safetensors"
    place.parent.mkdir(parents=True)
    place.write_bytes(DATA)
    found.scan_models()
    return found


def naming(workspace: Workspace, **changes: str) -> Manifest:
    """Return a manifest that names the indexed model, or another one."""
    [here] = workspace.tools.models.all()
    model = ManifestModel(
        hash=changes.get("hash", here.hash),
        filename="it's.safetensors",
        size=here.size,
        relative_path="loras/old.safetensors",
        category="loras",
        blake3_hash=changes.get("blake3_hash", ""),
        sha256_hash=changes.get("sha256_hash", ""),
        sources=("https://h.org/a",),
    )
    return replace(SMALL, models={model.hash: model})


def test_digests_and_sources_are_added(workspace: Workspace) -> None:
    given = naming(workspace)
    lacking = lacking_digests(workspace, given)
    assert [model.hash for model in lacking] == list(given.models)
    assert 0 < estimated_seconds(workspace, lacking) < 60
    read_digests(workspace, lacking)
    [found] = with_index(workspace, given).models.values()
    assert found.sha256_hash == hashlib.sha256(DATA).hexdigest()
    assert found.blake3_hash == blake3(DATA).hexdigest()
    assert (found.relative_path, found.size) == ("loras/a.safetensors", len(DATA))
    assert found.sources == ("https://h.org/a",)
    again = replace(given, models={found.hash: found})
    assert with_index(workspace, again) == again
    assert lacking_digests(workspace, again) == []


def test_a_model_that_is_gone_has_nothing_to_read(workspace: Workspace) -> None:
    gone = naming(workspace, hash="0" * 16)
    assert with_index(workspace, gone) == gone
    assert lacking_digests(workspace, gone) == []


def test_a_file_that_changed_is_named_after_the_others_are_done(workspace: Workspace) -> None:
    lacking = lacking_digests(workspace, naming(workspace))
    (workspace.root / "models/loras/a.safetensors").write_bytes(b"other")
    with pytest.raises(NotFoundError, match="is as it was"):
        read_digests(workspace, lacking)


@pytest.mark.parametrize(
    ("blake", "sha", "sources"),
    [("1" * 64, "2" * 64, 1), ("", "2" * 64, 0), ("1" * 64, "", 0), ("", "", 0)],
)
def test_what_nobody_can_verify_is_local_only(
    workspace: Workspace, blake: str, sha: str, sources: int
) -> None:
    given = naming(workspace, blake3_hash=blake, sha256_hash=sha)
    [found] = local_only(given).models.values()
    assert len(found.sources) == sources


def test_a_manifest_without_models_stays_as_it_is(workspace: Workspace) -> None:
    assert with_index(workspace, SMALL) == SMALL
    assert local_only(SMALL) == SMALL

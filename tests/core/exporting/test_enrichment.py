from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3
from comfydock_core.domain.manifest import Manifest, ManifestModel
from comfydock_core.errors import NotFoundError
from comfydock_core.exporting.enrichment import enrich_models
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
    [found] = enrich_models(workspace, given).models.values()
    assert found.sha256_hash == hashlib.sha256(DATA).hexdigest()
    assert found.blake3_hash == blake3(DATA).hexdigest()
    assert (found.relative_path, found.size) == ("loras/a.safetensors", len(DATA))
    assert found.sources == ("https://h.org/a",)
    assert enrich_models(workspace, replace(given, models={found.hash: found})).models == {
        found.hash: found
    }


def test_a_model_that_is_gone_is_named_unless_it_is_known(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError, match="not found in index") as caught:
        enrich_models(workspace, naming(workspace, hash="0" * 16))
    assert """'it'"'"'s.safetensors'""" in caught.value.hint
    known = naming(workspace, hash="0" * 16, blake3_hash="1" * 64, sha256_hash="2" * 64)
    assert enrich_models(workspace, known) == known


def test_a_manifest_without_models_stays_as_it_is(workspace: Workspace) -> None:
    assert enrich_models(workspace, SMALL) == SMALL

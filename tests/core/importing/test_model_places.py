from __future__ import annotations

from dataclasses import replace

import pytest
from comfydock_core.domain.manifest import (
    Manifest,
    ManifestModel,
    ManifestWorkflow,
    ManifestWorkflowModel,
)
from comfydock_core.errors import ManifestError
from comfydock_core.importing.model_places import check_model_places

from tests.core.importing.summaries import content, manifest

ONE, OTHER = "a" * 16, "b" * 16
DIGEST = "c" * 64


def bundled(*models: ManifestModel, hashed: bool = True) -> Manifest:
    used = tuple(
        ManifestWorkflowModel(
            filename=model.filename,
            category=model.category,
            criticality="required",
            status="resolved",
            hash=model.hash if hashed else "",
        )
        for model in models
    )
    workflow = ManifestWorkflow(name="w", path="workflows/w.json", models=used)
    return manifest(workflows={"w": workflow}, models={model.hash: model for model in models})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("loras/a.sft", "loras/a.sft"),
        ("loras/a.sft", "loras/A.sft"),
        ("loras/a.sft", "loras/a.sft/b.sft"),
        ("loras/x/y/b.sft", "loras/X"),
    ],
)
def test_two_models_in_one_place_are_refused_with_both_names(first: str, second: str) -> None:
    one, other = content(first, hash=ONE), content(second, hash=OTHER)
    with pytest.raises(ManifestError) as caught:
        check_model_places(bundled(one, other), "rename one")
    assert f"`{first}` ({ONE[:12]})" in caught.value.sentence
    assert f"`{second}` ({OTHER[:12]})" in caught.value.sentence
    assert caught.value.hint == "rename one"


@pytest.mark.parametrize(
    "models",
    [
        (content("loras/a.sft", hash=ONE), content("loras/b.sft", hash=OTHER)),
        (content("loras/a.sft", hash=ONE), content("loras/a.sft.old/b.sft", hash=OTHER)),
        tuple(content("loras/a.sft", hash=key, sha256_hash=DIGEST) for key in (ONE, OTHER)),
    ],
)
def test_what_has_a_place_of_its_own_passes(models: tuple[ManifestModel, ...]) -> None:
    check_model_places(bundled(*models), "")


def test_names_that_were_never_resolved_and_models_nobody_uses_are_left_alone() -> None:
    two = (content("loras/a.sft", hash=ONE), content("loras/a.sft", hash=OTHER))
    check_model_places(bundled(*two, hashed=False), "")
    check_model_places(replace(bundled(*two), workflows={}), "")

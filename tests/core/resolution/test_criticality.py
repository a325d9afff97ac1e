from __future__ import annotations

import pytest
from comfydock_core.domain.criticality import CRITICALITIES, Criticality
from comfydock_core.domain.manifest import ManifestWorkflowModel, NodeReference
from comfydock_core.domain.workflow_models import ModelReference
from comfydock_core.resolution.criticality import assess_criticality


def place(category: str, *, active: bool = True) -> ModelReference:
    reference = NodeReference(node_id="1", node_type="Loader", widget_value="a.sft")
    return ModelReference(reference=reference, category=category, active=active)


@pytest.mark.parametrize(
    ("places", "criticality", "reason"),
    [
        ([place("checkpoints")], "required", "`checkpoints`"),
        ([place("diffusion_models")], "required", "`diffusion_models`"),
        ([place("")], "required", "running node"),
        ([place("loras")], "flexible", "LoRA"),
        ([place("upscale_models")], "flexible", "upscaler"),
        ([place("loras"), place("checkpoints")], "required", "`checkpoints`"),
        ([place("loras"), place("checkpoints", active=False)], "flexible", "LoRA"),
        ([place("checkpoints", active=False)], "optional", "muted or bypassed"),
    ],
)
def test_first_values(places: list[ModelReference], criticality: str, reason: str) -> None:
    found = assess_criticality(places)
    assert found.criticality == criticality
    assert reason in found.reason


@pytest.mark.parametrize("word", CRITICALITIES)
def test_what_the_manifest_says_is_kept(word: Criticality) -> None:
    recorded = ManifestWorkflowModel(
        filename="a.sft", category="loras", criticality=word, status="resolved"
    )
    assert assess_criticality([place("checkpoints")], recorded).criticality == word

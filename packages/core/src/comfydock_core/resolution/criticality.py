"""How much a workflow depends on a model, before and after a user has said so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from comfydock_core.domain.criticality import Criticality, promote_criticality
from comfydock_core.domain.manifest import ManifestWorkflowModel
from comfydock_core.domain.workflow_models import ModelReference

_FLEXIBLE = {
    "loras": "a LoRA",
    "upscale_models": "an upscaler",
    "latent_upscale_models": "an upscaler",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class CriticalityAssessment:
    """A criticality and why, as half a sentence."""

    criticality: Criticality
    reason: str


def assess_criticality(
    references: Sequence[ModelReference], recorded: ManifestWorkflowModel | None = None
) -> CriticalityAssessment:
    """Say how critical a model is, given every place in one workflow that names it.

    ``recorded`` is the model in the manifest: what stands there is kept for ever.
    """
    if recorded is not None:
        return CriticalityAssessment(
            criticality=recorded.criticality, reason="recorded in the manifest"
        )
    active = [reference for reference in references if reference.active]
    if not active:
        return CriticalityAssessment(
            criticality="optional", reason="every node that asks for it is muted or bypassed"
        )
    first, *others = [_first_value(reference) for reference in active]
    return reduce(_more_conservative, others, first)


def _first_value(reference: ModelReference) -> CriticalityAssessment:
    kind = _FLEXIBLE.get(reference.category)
    if kind:
        return CriticalityAssessment(criticality="flexible", reason=f"{kind} can be substituted")
    what = f"a model of `{reference.category}`" if reference.category else "a model"
    return CriticalityAssessment(criticality="required", reason=f"{what} that a running node loads")


def _more_conservative(
    one: CriticalityAssessment, other: CriticalityAssessment
) -> CriticalityAssessment:
    stronger = promote_criticality(one.criticality, other.criticality)
    return one if stronger == one.criticality else other

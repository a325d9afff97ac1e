"""Each model of a bundle needs a place of its own on every system (pure)."""

from __future__ import annotations

from pathlib import PurePosixPath

from comfydock_core.domain.acquisition import ModelAggregate, aggregate_model_criticality
from comfydock_core.domain.bundle import PYPROJECT
from comfydock_core.domain.manifest import Manifest
from comfydock_core.domain.path_rules import folded
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.errors import ManifestError
from comfydock_core.importing.plan import target_path


def check_model_places(manifest: Manifest, hint: str) -> None:
    """Raise ManifestError for two models where one would take the place of the other, or block it.

    What has no hash was never resolved: it is only a name, which another entry may know better.
    """
    workflows = (workflow for _, workflow in sorted(manifest.workflows.items()))
    aggregates = aggregate_model_criticality(workflows, manifest.models).values()
    taken: dict[str, ModelAggregate] = {}
    for one in (aggregate for aggregate in aggregates if aggregate.model.hash):
        other = taken.setdefault(folded(_place(one)), one)
        if other is not one and not _is_same(one, other):
            raise _clash(other, one, hint)
    for place, one in taken.items():
        for above in PurePosixPath(place).parents:
            if str(above) in taken:
                raise _clash(taken[str(above)], one, hint)


def _place(aggregate: ModelAggregate) -> str:
    return target_path(aggregate.model, aggregate.content)


def _is_same(one: ModelAggregate, other: ModelAggregate) -> bool:
    """Whether both are known to be the same bytes at the same path, under two keys."""
    known = {
        (content.blake3_hash, content.sha256_hash, content.size, content.relative_path)
        if (content := aggregate.content)
        else None
        for aggregate in (one, other)
    }
    digests = one.content and (one.content.blake3_hash or one.content.sha256_hash)
    return bool(digests) and len(known) == 1


def _clash(one: ModelAggregate, other: ModelAggregate, hint: str) -> ManifestError:
    first, second = (f"`{escape_text(_place(a))}` ({a.model.hash[:12]})" for a in (one, other))
    return ManifestError(
        f"two models of `{PYPROJECT}` cannot both be where it says: {first} and {second}",
        hint=hint,
        subject=_place(other),
    )

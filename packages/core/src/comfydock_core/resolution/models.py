"""Which file on this machine a workflow means: what is known, and why.

A file name alone is a hypothesis: it is shown, and never taken where a digest disagrees.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from comfydock_core.domain.manifest import ManifestWorkflow, ManifestWorkflowModel
from comfydock_core.domain.model_loaders import has_model_suffix
from comfydock_core.domain.models import ModelWithLocation, canonical_category
from comfydock_core.domain.workflow_models import ModelReference

ModelState = Literal["verified", "probable", "ambiguous", "missing", "not-a-file"]

_SUGGESTIONS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A file that might be meant, and the reason as half a sentence."""

    model: ModelWithLocation
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelResolution:
    """What is known about one place that names a model.

    ``model`` is set when the state is verified or probable; ``reason`` is half a sentence;
    ``candidates`` are what a user may choose from, best first.
    """

    reference: ModelReference
    state: ModelState
    reason: str
    model: ModelWithLocation | None = None
    candidates: tuple[Candidate, ...] = ()


def resolve_models(
    references: Sequence[ModelReference],
    manifest_workflow: ManifestWorkflow | None,
    known: Sequence[ModelWithLocation],
) -> tuple[ModelResolution, ...]:
    """Resolve every place that names a model, in the order given.

    The order of evidence: what the manifest says, the exact path, the path with the other
    separator or case, the only file of that name, the declared digest; else candidates.
    """
    library = _Library(known)
    decided = manifest_workflow.models if manifest_workflow else ()
    return tuple(_resolve(reference, decided, library) for reference in references)


class _Library:
    """The files of this machine by what a workflow may know of them."""

    def __init__(self, known: Iterable[ModelWithLocation]) -> None:
        self.by_hash: dict[str, list[ModelWithLocation]] = defaultdict(list)
        self.by_sha256: dict[str, list[ModelWithLocation]] = defaultdict(list)
        self.by_name: dict[str, list[ModelWithLocation]] = defaultdict(list)
        for model in known:
            self.by_hash[model.hash].append(model)
            self.by_name[_folded(model.filename)].append(model)
            if model.sha256_hash:
                self.by_sha256[model.sha256_hash].append(model)

    def named(self, value: str) -> list[ModelWithLocation]:
        """Return the files whose name is that of the file that ``value`` names."""
        return self.by_name.get(_folded(_file_name(value)), [])


def _resolve(
    reference: ModelReference, decided: Sequence[ManifestWorkflowModel], library: _Library
) -> ModelResolution:
    value = reference.reference.widget_value
    if not has_model_suffix(value) and not reference.url:
        return ModelResolution(
            reference=reference, state="not-a-file", reason="the choice stands for no file"
        )
    entry = _entry_of(reference, decided)
    if entry and entry.hash:
        return _by_manifest(reference, entry, library)
    return (
        _by_path(reference, library)
        or _by_name(reference, library)
        or _by_digest(reference, library)
        or _missing(reference, library, "no file of that name is known")
    )


def _entry_of(
    reference: ModelReference, decided: Sequence[ManifestWorkflowModel]
) -> ManifestWorkflowModel | None:
    """Return the manifest's entry for a place, unless the value there was changed since."""
    here = reference.reference
    for entry in decided:
        for place in entry.nodes:
            same_widget = place.widget_name in ("", here.widget_name) or not here.widget_name
            position = (place.node_id, place.widget_index, place.widget_value)
            if same_widget and position == (here.node_id, here.widget_index, here.widget_value):
                return entry
    return None


def _by_manifest(
    reference: ModelReference, entry: ManifestWorkflowModel, library: _Library
) -> ModelResolution:
    found = library.by_hash.get(entry.hash, [])
    if not found:
        return _missing(reference, library, "the model that the manifest names is not here")
    return _among(reference, found, "the manifest names it", state="verified")


def _by_path(reference: ModelReference, library: _Library) -> ModelResolution | None:
    value = reference.reference.widget_value
    forward = _forward(value)
    same_name = [(model, _values(model, reference)) for model in library.named(value)]
    exact = [model for model, values in same_name if value in values]
    other_separator = [model for model, values in same_name if forward in values]
    other_case = [model for model, values in same_name if _folded(forward) in map(_folded, values)]
    steps: tuple[tuple[list[ModelWithLocation], str, ModelState], ...] = (
        (exact, "it lies exactly where the workflow says", "verified"),
        (other_separator, "the same path, written with the other separator", "verified"),
        (other_case, "the same path but for upper and lower case", "probable"),
    )
    for found, reason, state in steps:
        if found:
            return _checked(reference, _among(reference, found, reason, state=state))
    return None


def _values(model: ModelWithLocation, reference: ModelReference) -> tuple[str, ...]:
    """Return what a workflow may call a file that the node at ``reference`` can see."""
    folder, _, below = model.relative_path.partition("/")
    if not reference.category:
        return (below, model.relative_path)
    same_folder = canonical_category(folder) == canonical_category(reference.category)
    return (below,) if same_folder else ()


def _by_name(reference: ModelReference, library: _Library) -> ModelResolution | None:
    """Take the only file of a name, preferring those where the node looks."""
    found = library.named(reference.reference.widget_value)
    seen = [model for model in found if _values(model, reference)]
    if not found:
        return None
    reason = "the only file of that name" if len(found) == 1 else "it has that name"
    if not seen:
        reason = f"{reason}, in a folder where the node may not look"
    return _checked(reference, _among(reference, seen or found, reason, state="probable"))


def _by_digest(reference: ModelReference, library: _Library) -> ModelResolution | None:
    found = library.by_sha256.get(reference.sha256, []) if reference.sha256 else []
    if not found:
        return None
    return _among(reference, found, "its SHA-256 is the declared one", state="verified")


def _among(
    reference: ModelReference, found: Sequence[ModelWithLocation], reason: str, *, state: ModelState
) -> ModelResolution:
    """Choose among files: copies of one content count as one, the place that fits best first."""
    ranked = sorted(found, key=lambda model: (_misfit(model, reference), model.relative_path))
    candidates = tuple(Candidate(model=model, reason=reason) for model in ranked)
    contents = {(model.hash, model.blake3_hash) for model in ranked}
    if len(contents) > 1:
        reason = f"{len(contents)} different files fit"
        return ModelResolution(
            reference=reference, state="ambiguous", reason=reason, candidates=candidates
        )
    return ModelResolution(
        reference=reference, state=state, reason=reason, model=ranked[0], candidates=candidates
    )


def _misfit(model: ModelWithLocation, reference: ModelReference) -> int:
    """Return 0 for the path that the workflow names, 1 where the node looks, 2 elsewhere."""
    visible = _values(model, reference)
    if _forward(reference.reference.widget_value) in visible:
        return 0
    return 1 if visible else 2


def _checked(reference: ModelReference, result: ModelResolution) -> ModelResolution:
    """Hold a file that was found by its name against the digest that the workflow declares."""
    if not reference.sha256 or result.model is None or not result.model.sha256_hash:
        return result
    if result.model.sha256_hash == reference.sha256:
        return replace(result, state="verified", reason="its SHA-256 is the declared one")
    reason = "the file of that name is not the declared one: its SHA-256 differs"
    candidates = tuple(replace(each, reason=reason) for each in result.candidates)
    return replace(result, state="ambiguous", reason=reason, model=None, candidates=candidates)


def _missing(reference: ModelReference, library: _Library, reason: str) -> ModelResolution:
    return ModelResolution(
        reference=reference,
        state="missing",
        reason=reason,
        candidates=tuple(_similar(reference, library)),
    )


def _similar(reference: ModelReference, library: _Library) -> Iterable[Candidate]:
    """Yield files that the node could load and whose names come close."""
    wanted = _folded(_file_name(reference.reference.widget_value))
    for name in difflib.get_close_matches(wanted, library.by_name, n=_SUGGESTIONS):
        reason = "it has that name" if name == wanted else "its name is similar"
        for model in library.by_name[name]:
            if _values(model, reference):
                yield Candidate(model=model, reason=reason)


def _folded(path: str) -> str:
    """Write a name as a disk that ignores case, or that decomposes accents, compares it."""
    return unicodedata.normalize("NFC", path).casefold()


def _forward(path: str) -> str:
    return path.replace("\\", "/")


def _file_name(path: str) -> str:
    return _forward(path).rpartition("/")[2]

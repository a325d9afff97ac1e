"""Which files of this machine could stand in for a model that is not here, and why (pure).

What is wanted is known by its name, its folder and its size only; what is here, by its header too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from comfydock_core.domain.acquisition import ModelAggregate
from comfydock_core.domain.model_loaders import loader_value
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.names import PICKLES
from comfydock_core.domain.tensor_facts import TensorFacts, facts_of_name

_READ = 40
_SUGGESTIONS = 5
_CLOSE_NAME = 0.6
_CLOSE_SIZE = 0.02
_PARTS = re.compile(r"[^a-z0-9]+")

FactsOf = Callable[[ModelWithLocation], TensorFacts | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Substitute:
    """A local file that could be taken instead, with the reasons as half a sentence."""

    model: ModelWithLocation
    reason: str


def find_substitutes(
    wanted: ModelAggregate, library: Iterable[ModelWithLocation], facts_of: FactsOf
) -> tuple[Substitute, ...]:
    """Return the files that the loader of ``wanted`` can see and that come close, best first.

    ``facts_of`` reads a header; it is asked of the likeliest files only. A pickle comes last, and
    its reason says what it is.
    """
    visible: dict[str, ModelWithLocation] = {}
    for model in library:
        if can_stand_in(wanted, model) and model.hash != wanted.key:
            visible.setdefault(model.hash, model)
    likely = sorted(visible.values(), key=lambda model: _rank_by_name(wanted, model))[:_READ]
    judged = sorted((_judged(wanted, model, facts_of(model)) for model in likely), key=_by_score)
    return tuple(substitute for _, substitute in judged[:_SUGGESTIONS])


def can_stand_in(wanted: ModelAggregate, model: ModelWithLocation) -> bool:
    """Whether the loader of ``wanted`` looks where ``model`` lies."""
    return loader_value(wanted.model.category, model.relative_path, separator="/") is not None


def _rank_by_name(wanted: ModelAggregate, model: ModelWithLocation) -> tuple[float, str]:
    return (-_likeness(wanted.model.filename, model.filename), model.relative_path)


def _by_score(judged: tuple[float, Substitute]) -> tuple[float, str]:
    score, substitute = judged
    return (-score, substitute.model.relative_path)


def _judged(
    wanted: ModelAggregate, model: ModelWithLocation, facts: TensorFacts | None
) -> tuple[float, Substitute]:
    """Weigh what speaks for a file; an architecture that is known to be another weighs most."""
    named, here = facts_of_name(wanted.model.filename), facts or facts_of_name(model.filename)
    likeness = _likeness(wanted.model.filename, model.filename)
    score, reasons = likeness, _content_reasons(named, here)
    score += {True: 4.0, False: -4.0, None: 0.0}[_same(named.architecture, here.architecture)]
    score += {True: 1.0, False: -0.5, None: 0.0}[_same(named.precision, here.precision)]
    if wanted.total_size and abs(model.size - wanted.total_size) <= wanted.total_size * _CLOSE_SIZE:
        score += 1.0
        reasons.append("nearly the same size")
    if likeness >= _CLOSE_NAME:
        reasons.append("a similar name")
    reasons.append(f"also in {model.relative_path.partition('/')[0]}")
    if model.filename.lower().endswith(PICKLES):
        score -= 10.0
        reasons.append("a pickle file, which can run code when it is loaded")
    return score, Substitute(model=model, reason=", ".join(reasons))


def _content_reasons(named: TensorFacts, here: TensorFacts) -> list[str]:
    architecture = _same(named.architecture, here.architecture)
    precision = _same(named.precision, here.precision)
    if architecture and precision:
        return [f"same architecture and precision ({here.architecture}, {here.precision})"]
    reasons = []
    if architecture is not None:
        word = "same" if architecture else "another"
        reasons.append(f"{word} architecture ({here.architecture})")
    elif here.architecture:
        reasons.append(here.architecture)
    if precision is not None:
        word = "same" if precision else "another"
        reasons.append(f"{word} precision ({here.precision})")
    elif here.precision:
        reasons.append(here.precision)
    return reasons


def _same(one: str, other: str) -> bool | None:
    """Compare two facts; None where one of them is not known."""
    return one == other if one and other else None


def _likeness(one: str, other: str) -> float:
    """Return 0 to 1: how much two file names have in common, in words or in letters."""
    stems = [name.lower().rpartition(".")[0] or name.lower() for name in (one, other)]
    first, second = (set(filter(None, _PARTS.split(stem))) for stem in stems)
    shared = len(first & second) / max(len(first | second), 1)
    return max(shared, SequenceMatcher(a=stems[0], b=stems[1]).ratio())


def named_models(name: str, library: Sequence[ModelWithLocation]) -> tuple[ModelWithLocation, ...]:
    """Return the files that a person means by a path below a models directory, a path or a name.

    Copies of one content count once; several are ambiguous.
    """
    forward = name.replace("\\", "/")
    tests: tuple[Callable[[ModelWithLocation], bool], ...] = (
        lambda model: name == model.path,
        lambda model: forward == model.relative_path,
        lambda model: forward == model.filename,
    )
    for test in tests:
        found = {model.hash: model for model in reversed(library) if test(model)}
        if found:
            return tuple(found.values())
    return ()

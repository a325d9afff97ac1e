"""The text of a plan: every decision of an import as one line that a person can change.

The form (``--save-plan``, ``--plan``, ``[e]``)::

    # bundle: <digest of the bundle's contents>
    # download sd15.safetensors  4.2 GB  required  workflow1, workflow2  https://…
    download     sd15.safetensors
    substitute   style_lora.safetensors  loras/local_style.safetensors  in workflow1
    skip         experimental_lora.safetensors

A name with spaces stands in double quotes, as JSON writes it. Models of one file name are told
apart by their path, those of one path by their hash.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from comfydock_core.domain.acquisition import (
    ImportPlan,
    ModelAcquisitionDecision,
    ModelAction,
    ModelAggregate,
    NodeAcquisitionDecision,
    NodeAction,
)
from comfydock_core.domain.untrusted import escape_text
from comfydock_core.errors import UsageError

PlanWord = Literal["download", "unpack", "use", "substitute", "skip", "install-node", "skip-node"]

MODEL_WORDS: Mapping[PlanWord, ModelAction] = {
    "download": "download",
    "unpack": "unpack",
    "use": "existing",
    "substitute": "substitute",
    "skip": "skip",
}
NODE_WORDS: Mapping[PlanWord, NodeAction] = {"install-node": "install", "skip-node": "skip"}
HEADER = "# bundle: "

_WORDS: Mapping[str, PlanWord] = {word: word for word in get_args(PlanWord)}
_LIMIT = "in"
_TAKES: Mapping[PlanWord, tuple[tuple[int, ...], str]] = {
    "download": ((0, 1), " [URL]"),
    "substitute": ((1,), " PATH [in WORKFLOW ...]"),
}
_ALL_WORDS = ", ".join(f"`{word}`" for word in _WORDS)
_HEADER = re.compile(rf"^{HEADER}([0-9a-f]{{64}})\s*$", re.MULTILINE)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"(?=\s|$)|[^\s"]\S*')
_LONGEST_PROBLEM = 300
_LEGEND = """\
# What an import does, a line for each node and model. Change the words and save it:
#   download NAME [URL]               fetch it, from URL instead of where the bundle says
#   substitute NAME PATH [in W ...]   take a model of this machine instead, in all workflows or in W
#   use NAME                          take the file that lies here and looks like it
#   unpack NAME                       take the file that the bundle holds
#   skip NAME                         do without it
#   install-node NAME, skip-node NAME"""


class PlanTextError(UsageError):
    """A plan that cannot be followed: its line is named, and what was expected."""

    code = "plan"


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanLine:
    """One decision in words: ``name`` is a node's or a model's.

    ``value`` is the address of a download or the path of a substitute; ``workflows`` limit a
    substitution, none for all. ``place`` says where it was written: ``line 3``, ``--skip-model``.
    """

    place: str
    word: PlanWord
    name: str
    value: str = ""
    workflows: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanText:
    """A parsed plan; ``bundle`` is the digest of the bundle it was made for, if it says so."""

    lines: tuple[PlanLine, ...]
    bundle: str = ""


def model_names(aggregates: Mapping[str, ModelAggregate]) -> dict[str, str]:
    """Return what each model is called in a plan, by key: the shortest that is not ambiguous."""
    offered = {key: _possible_names(aggregate) for key, aggregate in aggregates.items()}
    count = Counter(name for names in offered.values() for name in dict.fromkeys(names))
    return {
        key: next((name for name in names if name and count[name] == 1), key)
        for key, names in offered.items()
    }


def keys_of_name(name: str, aggregates: Mapping[str, ModelAggregate]) -> tuple[str, ...]:
    """Return the keys of the models that a plan can call ``name``; several are ambiguous."""
    return tuple(key for key, each in aggregates.items() if name in _possible_names(each))


def _possible_names(aggregate: ModelAggregate) -> tuple[str, ...]:
    model, content = aggregate.model, aggregate.content
    path = (content.relative_path if content else "") or model.relative_path
    return (model.filename, path or f"{model.category}/{model.filename}", aggregate.key)


def write_plan(plan: ImportPlan, size_text: Callable[[int], str]) -> str:
    """Return the text of a plan; ``size_text`` says a number of bytes for people."""
    names = model_names(plan.aggregates)
    lines = [f"{HEADER}{plan.bundle}", _LEGEND, ""]
    lines += [_node_line(decision) for decision in plan.nodes]
    lines.append("")
    for decision in plan.models:
        lines.append(_comment(plan, decision, size_text))
        lines.append(_model_line(plan, decision, names[decision.key]))
    return "\n".join(lines) + "\n"


def _node_line(decision: NodeAcquisitionDecision) -> str:
    word = "install-node" if decision.action == "install" else "skip-node"
    return f"{word:<12} {quoted(decision.node.name)}  # {escape_text(decision.source)}"


def _comment(
    plan: ImportPlan, decision: ModelAcquisitionDecision, size_text: Callable[[int], str]
) -> str:
    aggregate = plan.aggregates[decision.key]
    url = decision.source_url or next(iter(aggregate.sources), "")
    facts = (
        f"# {_word(decision)} {aggregate.model.filename}",
        size_text(aggregate.total_size) if aggregate.total_size else "",
        aggregate.criticality,
        ", ".join(aggregate.workflows),
        url,
        f"({decision.reason})" if decision.reason else "",
    )
    return escape_text("  ".join(filter(None, facts)))


def _word(decision: ModelAcquisitionDecision) -> str:
    return "use" if decision.action == "existing" else decision.action


def _model_line(plan: ImportPlan, decision: ModelAcquisitionDecision, name: str) -> str:
    words = [quoted(name)]
    if decision.action == "substitute" and decision.substitute:
        words.append(quoted(decision.substitute.relative_path))
        if decision.workflows:
            words += [_LIMIT, *map(quoted, decision.workflows)]
    known = next(iter(plan.aggregates[decision.key].sources), "")
    if decision.action == "download" and decision.source_url != known:
        words.append(quoted(decision.source_url))
    return f"{_word(decision):<12} {'  '.join(words)}"


def quoted(word: str) -> str:
    """Write a word as a plan has it: bare, or in double quotes where that could be misread."""
    bare = word.isprintable() and bool(_TOKEN.fullmatch(word)) and word != _LIMIT
    if bare and word[0] not in '"#':
        return word
    return json.dumps(word, ensure_ascii=not word.isprintable())


def parse_plan(text: str) -> PlanText:
    """Parse a plan; PlanTextError names the line that is wrong."""
    header = _HEADER.search(text)
    lines = tuple(
        _parsed(f"line {number}", line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.strip().startswith("#")
    )
    return PlanText(lines=lines, bundle=header[1] if header else "")


def _parsed(place: str, line: str) -> PlanLine:
    first, *tokens = _tokens(place, line)
    word = _WORDS.get(first)
    if word is None:
        raise wrong(place, f"`{first}` is no decision", f"one of {_ALL_WORDS}")
    takes, form = _TAKES.get(word, ((0,), ""))
    expected = f"`{word} NAME{form}`; a name with spaces stands in double quotes"
    place_of_limit = tokens.index(_LIMIT) if _LIMIT in tokens else len(tokens)
    values = [_unquoted(place, token) for token in tokens[:place_of_limit]]
    workflows = tuple(_unquoted(place, token) for token in tokens[place_of_limit + 1 :])
    is_limited = place_of_limit < len(tokens)
    if len(values) - 1 not in takes or is_limited != bool(workflows):
        raise wrong(place, f"`{line.strip()}` has a word too many or too few", expected)
    if is_limited and word != "substitute":
        raise wrong(place, f"`{word}` cannot be limited to workflows", expected)
    return PlanLine(
        place=place, word=word, name=values[0], value="".join(values[1:]), workflows=workflows
    )


def _tokens(place: str, line: str) -> list[str]:
    """Cut a line into words, those in double quotes as they are written; a comment ends it."""
    found: list[str] = []
    rest = line.strip()
    while rest and not rest.startswith("#"):
        match = _TOKEN.match(rest)
        if not match:
            raise wrong(place, "a quotation mark is not closed", '`"a name with spaces"`')
        found.append(match[0])
        rest = rest[match.end() :].lstrip()
    return found


def _unquoted(place: str, token: str) -> str:
    if not token.startswith('"'):
        return token
    try:
        return str(json.loads(token))
    except ValueError as error:
        raise wrong(place, f"`{token}` cannot be read", '`"a name with spaces"`') from error


def wrong(place: str, problem: str, expected: str) -> PlanTextError:
    """Say what is wrong with one place of a plan, in one short line, and what belongs there."""
    if len(problem) > _LONGEST_PROBLEM:
        half = _LONGEST_PROBLEM // 2
        problem = f"{problem[:half]}…{problem[-half:]}"
    sentence = f"{place}: {escape_text(problem)}"
    return PlanTextError(sentence, hint=f"expected {expected}", subject=place)


def missing(names: Iterable[str]) -> PlanTextError:
    """Say which nodes and models a plan leaves undecided."""
    listed = ", ".join(f"`{name}`" for name in names)
    return PlanTextError(
        f"the plan says nothing of {listed}",
        hint="expected a line for each: `skip NAME` for a model, `skip-node NAME` for a node",
    )

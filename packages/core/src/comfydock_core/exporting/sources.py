"""Models -> addresses where others can have them: pinned, harvested, looked up, asked for.

What a host confirms, or what a person says, is kept in the index, so that it is found out once.
Trouble with the network is said and never stops an export.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from comfydock_core.domain.manifest import Manifest, ManifestModel
from comfydock_core.domain.model_sources import ExaminedSource, difference
from comfydock_core.domain.models import detect_url_type
from comfydock_core.domain.names import url_problem
from comfydock_core.domain.source_urls import storable_url
from comfydock_core.errors import ComfydockError, NetworkError
from comfydock_core.events import ItemFinished, Notice, StepFinished, StepStarted
from comfydock_core.importing.host_checks import (
    Answer,
    AskingLimits,
    answers_in_turn,
)
from comfydock_core.storage.http import HttpStatusError
from comfydock_core.storage.sidecar_sources import sources_beside
from comfydock_core.workspace.workspace import Workspace

STEP = "sources"
_LIMITS = AskingLimits(seconds=60.0)
_GONE = (404, 410)
_REPOSITORY = re.compile(r"https://huggingface\.co/([\w.-]+/[\w.-]+)/resolve/")

Asked = Callable[[ManifestModel, str], str | None]
"""Asks for a model's address; the text says what is wrong with the one before, or is empty.

``""`` means that nobody knows one, None that nobody was there to ask."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """An address that may lead to a model; ``proof`` asks its host for an equal sha256."""

    model: ManifestModel
    url: str
    proof: bool


def settle_sources(workspace: Workspace, manifest: Manifest, ask: Asked) -> frozenset[str]:
    """Find out where every model can be had; return addresses that lead to something else.

    The models' digests are known as far as they will be. What was found is in the index.
    """
    wrong = _examine(workspace, list(_candidates(workspace, manifest)))
    unsourced = list(_unsourced(workspace, manifest, wrong))
    if unsourced:
        _look_up(workspace, manifest, unsourced)
    for model in _unsourced(workspace, manifest, wrong):
        if not workspace.tools.models.is_source_unknown(model.hash):
            _ask(workspace, model, ask)
    return wrong


def without_sources(manifest: Manifest, urls: frozenset[str]) -> Manifest:
    """Return the manifest without addresses that lead to other files."""
    if not urls:
        return manifest
    return replace(
        manifest,
        models={
            key: replace(model, sources=_left(model.sources, urls))
            for key, model in manifest.models.items()
        },
        workflows={
            name: replace(
                workflow,
                models=tuple(replace(m, sources=_left(m.sources, urls)) for m in workflow.models),
            )
            for name, workflow in manifest.workflows.items()
        },
    )


def _left(sources: Iterable[str], urls: frozenset[str]) -> tuple[str, ...]:
    return tuple(url for url in sources if url not in urls)


def _candidates(workspace: Workspace, manifest: Manifest) -> Iterator[Candidate]:
    """Yield what nobody has looked at yet: declared addresses, and those that lie beside files."""
    index = workspace.tools.models
    for model in manifest.models.values():
        known = index.get_model_sources(model.hash)
        here = index.get_model(model.hash)
        if here is None:
            continue
        for url in model.sources:
            if url not in known:
                yield Candidate(model=model, url=url, proof=False)
        for harvested in sources_beside(Path(here.path), model.sha256_hash):
            if harvested.url not in (*known, *model.sources):
                yield Candidate(model=model, url=harvested.url, proof=harvested.is_claimed)


def _examine(workspace: Workspace, candidates: list[Candidate]) -> frozenset[str]:
    """Ask the hosts; keep what is the model, return what is not."""
    if not candidates:
        return frozenset()
    report = workspace.reporter.report
    report(StepStarted(step=STEP, title="Checking model sources", count=len(candidates)))
    wrong = set()
    for candidate, answer in _answers(workspace, candidates):
        problem = _problem(candidate, answer)
        if isinstance(answer, ExaminedSource) and not problem:
            _keep(workspace, candidate.model, answer)
        elif _leads_elsewhere(answer):
            wrong.add(candidate.url)
        report(ItemFinished(step=STEP, item=candidate.url, detail=problem or "confirmed"))
    report(StepFinished(step=STEP, detail=f"{len(candidates)} addresses checked"))
    return frozenset(wrong)


def _answers(
    workspace: Workspace, candidates: Iterable[Candidate]
) -> Iterator[tuple[Candidate, Answer | None]]:
    """Yield candidates with what their hosts say; None for those that took too long."""
    waiting: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        waiting[candidate.url].append(candidate)
    examine = workspace.tools.hurried_model_hosts.examine
    end = time.monotonic() + _LIMITS.seconds
    for url, answer in answers_in_turn(tuple(waiting), examine, _LIMITS, end):
        yield from ((candidate, answer) for candidate in waiting.pop(url))
    yield from ((candidate, None) for late in waiting.values() for candidate in late)


def _answer(workspace: Workspace, candidate: Candidate) -> ExaminedSource | NetworkError:
    try:
        return workspace.tools.model_hosts.examine(candidate.url)
    except NetworkError as error:
        return error


def _leads_elsewhere(answer: Answer | None) -> bool:
    """Tell an address that will never give the model from one that did not answer today."""
    if isinstance(answer, HttpStatusError):
        return answer.answer.status in _GONE
    return isinstance(answer, ExaminedSource)


def _problem(candidate: Candidate, answer: Answer | None) -> str:
    """Say why an address does not count as the model's; ``""`` when it does."""
    if answer is None:
        return "its host did not answer in time"
    if isinstance(answer, ComfydockError):
        return f"{answer.sentence}; {answer.hint}" if answer.hint else answer.sentence
    model = candidate.model
    if problem := difference(answer, model.size, model.sha256_hash):
        return problem
    if candidate.proof and not answer.sha256:
        return "its host does not say what lies there"
    return ""


def _keep(workspace: Workspace, model: ManifestModel, found: ExaminedSource) -> None:
    for url in dict.fromkeys((found.url, found.original)):
        workspace.tools.models.add_source(model.hash, detect_url_type(url), url)


def _unsourced(
    workspace: Workspace, manifest: Manifest, wrong: frozenset[str]
) -> Iterator[ManifestModel]:
    for model in manifest.models.values():
        known = workspace.tools.models.get_model_sources(model.hash)
        if not known and not set(model.sources) - wrong:
            yield model


def _look_up(workspace: Workspace, manifest: Manifest, unsourced: list[ManifestModel]) -> None:
    """Ask Civitai and the repositories that the other models come from for equal contents."""
    by_digest = {model.sha256_hash: model for model in unsourced if model.sha256_hash}
    if not by_digest:
        return
    report = workspace.reporter.report
    title = "Looking up model sources by hash"
    report(StepStarted(step=STEP, title=title, count=len(by_digest)))
    repositories = _repositories(manifest.models)
    found = workspace.tools.model_hosts.find_by_sha256(by_digest, repositories)
    for digest, sources in found.sources.items():
        for source in sources:
            _keep(workspace, by_digest[digest], source)
        report(ItemFinished(step=STEP, item=by_digest[digest].filename, detail=sources[0].url))
    report(StepFinished(step=STEP, detail=f"{len(found.sources)} of {len(by_digest)} found"))
    for problem in found.problems:
        report(Notice(text=f"not everything was looked up: {problem.sentence}"))


def _repositories(models: Mapping[str, ManifestModel]) -> tuple[str, ...]:
    urls = (url for model in models.values() for url in model.sources)
    matches = (_REPOSITORY.match(url) for url in urls)
    return tuple(dict.fromkeys(match[1] for match in matches if match))


def _ask(workspace: Workspace, model: ManifestModel, ask: Asked) -> None:
    """Ask until an address is the model's, or nobody knows one."""
    index, problem = workspace.tools.models, ""
    while url := ask(model, problem):
        problem = url_problem(url)
        if problem:
            problem = f"{url} {problem}"
            continue
        candidate = Candidate(model=model, url=url, proof=False)
        answer = _answer(workspace, candidate)
        problem = _problem(candidate, answer)
        if isinstance(answer, NetworkError) and not isinstance(answer, HttpStatusError):
            kept = storable_url(url)
            text = f"`{kept}` is kept without having been checked: {answer.sentence}"
            workspace.reporter.report(Notice(text=text))
            index.add_source(model.hash, detect_url_type(kept), kept)
            return
        if not isinstance(answer, NetworkError) and not problem:
            _keep(workspace, model, answer)
            return
    if url is not None:
        index.add_source(model.hash, "unknown", "")

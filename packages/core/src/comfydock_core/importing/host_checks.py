"""Asking hosts beforehand whether they will give what a plan wants: heads only, in bounded time."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

from comfydock_core.domain.acquisition import ImportPlan, ModelAcquisitionDecision
from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.domain.model_sources import ExaminedSource, difference
from comfydock_core.domain.preflight import PreflightProblem
from comfydock_core.errors import ComfydockError, NetworkError, NodeError
from comfydock_core.importing.preflight import SourceCheck
from comfydock_core.storage.http import is_unreachable
from comfydock_core.storage.node_registry import (
    ForbiddenNodeError,
    NodeRegistry,
    checked_pair,
    usable,
)

_SOURCES_TRIED = 3
Examine = Callable[[str], ExaminedSource]
Answer = ExaminedSource | ComfydockError


@dataclass(frozen=True, kw_only=True, slots=True)
class AskingLimits:
    """How many questions at once, to one host and in all, and how many seconds they may take."""

    per_host: int = 4
    in_all: int = 12
    seconds: float = 20.0


def check_sources(
    plan: ImportPlan,
    examine: Examine,
    limits: AskingLimits = AskingLimits(),
) -> dict[str, SourceCheck]:
    """Ask about every planned download, by model key; a source that fails gives way to the next.

    One source that is right is enough for a model.
    """
    end = time.monotonic() + limits.seconds
    waiting = {each.key: _sources(plan, each) for each in plan.models_for("download")}
    checks: dict[str, SourceCheck] = {}
    for number in range(_SOURCES_TRIED):
        asked = {key: urls[number] for key, urls in waiting.items() if len(urls) > number}
        answers = ask_all(asked.values(), examine, limits, end)
        for key, url in asked.items():
            check = _check(plan, key, url, answers.get(url))
            if not (check.sentence or check.unreachable):
                del waiting[key]
            elif key in checks and checks[key].sentence:
                continue
            checks[key] = check
    return checks


def _sources(plan: ImportPlan, decision: ModelAcquisitionDecision) -> tuple[str, ...]:
    known = plan.aggregates[decision.key].sources
    urls = dict.fromkeys((decision.source_url, *known))
    return tuple(filter(None, urls))[:_SOURCES_TRIED]


def _check(plan: ImportPlan, key: str, url: str, answer: Answer | None) -> SourceCheck:
    host = urlsplit(url).netloc
    if isinstance(answer, ExaminedSource):
        wanted = plan.aggregates[key].content
        problem = difference(answer, wanted.size, wanted.sha256_hash) if wanted else ""
        if not problem:
            return SourceCheck(size=answer.size)
        hint = "import it without, or ask the sender for another source"
        return SourceCheck(sentence=f"`{host}`: {problem}", hint=hint)
    if answer is None or _is_silence(answer):
        return SourceCheck(unreachable=host)
    return SourceCheck(sentence=answer.sentence, hint=answer.hint)


def ask_all(
    urls: Iterable[str], examine: Examine, limits: AskingLimits, end: float
) -> dict[str, Answer]:
    """Examine addresses side by side until ``end`` (``time.monotonic``); late ones are left out."""
    return dict(answers_in_turn(urls, examine, limits, end))


def answers_in_turn(
    urls: Iterable[str], examine: Examine, limits: AskingLimits, end: float
) -> Iterator[tuple[str, Answer]]:
    """Yield what ``ask_all`` returns, each address with its answer as soon as it has one.

    Nothing more is asked of a host of which nobody has heard anything when its first address could
    not be reached: that failure is the answer for the others too.
    """
    questions = _Questions(urls, limits.per_host)
    for _ in range(min(limits.in_all, questions.count)):
        # A host that hangs must not keep the program from ending.
        threading.Thread(target=questions.work, args=(examine,), daemon=True).start()
    try:
        yield from questions.answers_until(end)
    finally:
        questions.stop()


class _Questions:
    """Addresses that wait to be asked about, and what became of the others."""

    def __init__(self, urls: Iterable[str], per_host: int) -> None:
        self._waiting = deque(dict.fromkeys(urls))
        self._per_host = per_host
        self._asking: Counter[str] = Counter()
        self._heard_of: set[str] = set()
        self._silent: dict[str, Answer] = {}
        self._answers: SimpleQueue[tuple[str, Answer]] = SimpleQueue()
        self._changed = threading.Condition()
        self.count = len(self._waiting)

    def work(self, examine: Examine) -> None:
        """Ask one after the other until nothing waits."""
        while url := self._take():
            host = urlsplit(url).netloc
            answer = self._silent.get(host) or _answer(examine, url)
            with self._changed:
                if not _is_silence(answer):
                    self._heard_of.add(host)
                    self._silent.pop(host, None)
                elif host not in self._heard_of:
                    self._silent[host] = answer
                self._asking[host] -= 1
                self._changed.notify_all()
            self._answers.put((url, answer))

    def answers_until(self, end: float) -> Iterator[tuple[str, Answer]]:
        """Yield answers as they come, all of them or those until ``end``."""
        for _ in range(self.count):
            try:
                yield self._answers.get(timeout=max(0.0, end - time.monotonic()))
            except Empty:
                return

    def stop(self) -> None:
        """Ask nothing more."""
        with self._changed:
            self._waiting.clear()
            self._changed.notify_all()

    def _take(self) -> str:
        """Return the next address whose host has a place free; ``""`` when none waits."""
        with self._changed:
            while self._waiting:
                for url in self._waiting:
                    if self._asking[urlsplit(url).netloc] < self._per_host:
                        self._waiting.remove(url)
                        self._asking[urlsplit(url).netloc] += 1
                        return url
                self._changed.wait()
        return ""


def _is_silence(answer: Answer) -> bool:
    return isinstance(answer, NetworkError) and is_unreachable(answer)


def _answer(examine: Examine, url: str) -> Answer:
    try:
        return examine(url)
    except ComfydockError as error:
        return error


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryAnswer:
    """Which nodes the registry will not give; ``unreachable`` names it where nobody answered."""

    problems: tuple[PreflightProblem, ...]
    unreachable: tuple[str, ...] = ()


def check_registry(nodes: Iterable[NodeInfo], registry: NodeRegistry) -> RegistryAnswer:
    """Ask the registry about all nodes at once."""
    wanted: dict[tuple[str, str], list[str]] = defaultdict(list)
    problems: list[PreflightProblem] = []
    for node in nodes:
        try:
            wanted[checked_pair(node.registry_id or node.name, node.version)].append(node.name)
        except NodeError as error:
            problems.append(_of_node(node.name, error))
    try:
        found = registry.check_versions(wanted)
    except NetworkError as error:
        if is_unreachable(error):
            return RegistryAnswer(problems=tuple(problems), unreachable=(error.subject,))
        refused = PreflightProblem(subject=error.subject, sentence=error.sentence, hint=error.hint)
        return RegistryAnswer(problems=(*problems, refused))
    for pair, names in wanted.items():
        try:
            usable(found[pair], pair)
        except NodeError as error:
            problems += [_of_node(name, error) for name in names]
    return RegistryAnswer(problems=tuple(problems))


def _of_node(name: str, error: NodeError) -> PreflightProblem:
    forbids = isinstance(error, ForbiddenNodeError)
    return PreflightProblem(subject=name, sentence=error.sentence, hint=error.hint, forbids=forbids)

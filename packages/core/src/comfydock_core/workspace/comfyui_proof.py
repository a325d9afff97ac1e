"""Starting an environment's ComfyUI once, unseen, and asking it what it really has.

It is started as ``comfydock run`` would, but on the CPU (no memory of a graphics card is touched,
and another ComfyUI may be using it), on a free loopback port, without anybody's secrets, and with
a temporary folder of its own: ComfyUI empties that when it starts, also another ComfyUI's.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from comfydock_core.domain.comfyui_log import blamed_pack, failed_packs, log_lines
from comfydock_core.domain.lenient_json import as_list, as_object, read_json
from comfydock_core.domain.proof import Proof
from comfydock_core.domain.secret_variables import without_secrets
from comfydock_core.domain.served_nodes import OBJECT_INFO, parse_object_info
from comfydock_core.errors import ComfydockError, NetworkError, WorkflowError
from comfydock_core.events import StepFinished, StepStarted
from comfydock_core.storage.durable_files import storage_errors
from comfydock_core.storage.loopback import LOOPBACK, free_port, is_taken, loopback_answer
from comfydock_core.storage.watched_process import WatchedProcess, watched_process
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.running import comfyui_command, comfyui_variables
from comfydock_core.workspace.workspace import Workspace

_STATS = "/system_stats"
_STATS_SIZE = 1 << 20
_SECONDS_BETWEEN_LOOKS = 0.05
_SECONDS_FOR_STATS = 5.0
_PORTS_TRIED = 3
_LAST_LINES = 5
# Seen from here, so that a process that is ended has said what it had to; the fault handler tells
# in whose code it stood still.
_VARIABLES = {"PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}
_HEADLESS = ("--cpu", "--disable-auto-launch", "--listen", LOOPBACK)
_NAMING_EACH_PACK = ("--verbose", "DEBUG", "--quick-test-for-ci")


@dataclass(frozen=True, kw_only=True, slots=True)
class ProofLimits:
    """How long ComfyUI may take to start and then to answer, how large the answer may be.

    ``port`` chooses the port of each try.
    """

    seconds_to_start: float = 180.0
    seconds_to_answer: float = 60.0
    answer_size: int = 128 << 20
    port: Callable[[], int] = free_port


@dataclass(frozen=True, kw_only=True, slots=True)
class _Tried:
    """One start: the time until it answered or was given up, and what came of it."""

    seconds: float
    lines: tuple[str, ...] = ()
    answer: bytes = b""
    problem: str = ""
    ended: bool = False


def prove(
    workspace: Workspace, environment: Environment, limits: ProofLimits | None = None
) -> Proof:
    """Start ComfyUI, ask it for its node classes, and end it and all that it started.

    A ComfyUI that does not start is no error but what the proof says. What it prints goes into the
    environment's log.
    """
    report = workspace.reporter.report
    report(StepStarted(step="proof", title="Starting ComfyUI once"))
    start = _Start(workspace, environment, limits or ProofLimits())
    try:
        proof = start.proof()
    except (ComfydockError, OSError) as error:
        sentence = error.sentence if isinstance(error, ComfydockError) else str(error)
        proof = Proof(started=False, problem=sentence)
    detail = f"ComfyUI started in {proof.seconds:.1f} s"
    report(StepFinished(step="proof", detail=detail if proof.started else "ComfyUI did not start"))
    return proof


class _Start:
    """The starts of one proof."""

    def __init__(self, workspace: Workspace, environment: Environment, limits: ProofLimits) -> None:
        self._workspace = workspace
        self._environment = environment
        self._limits = limits

    def proof(self) -> Proof:
        """Start it, on another port if something else took the first one."""
        for _ in range(_PORTS_TRIED):
            port = self._limits.port()
            tried = self._on_port(port)
            if tried.answer or not (tried.ended and is_taken(port)):
                break
        if tried.answer:
            return self._started(tried)
        blamed = blamed_pack(tried.lines)
        if blamed is None and tried.ended:
            blamed = blamed_pack(self._naming_each_pack(tried.seconds))
        why = f": node pack `{blamed.pack}`: {blamed.reason}" if blamed else ""
        return Proof(
            started=False,
            seconds=tried.seconds,
            problem=f"{tried.problem}{why}",
            last_lines=tried.lines[-_LAST_LINES:],
            failed_packs=(*failed_packs(tried.lines), *((blamed,) if blamed else ())),
        )

    def _started(self, tried: _Tried) -> Proof:
        failed = failed_packs(tried.lines)
        try:
            served = parse_object_info(tried.answer)
        except WorkflowError as error:
            problem = "; ".join(filter(None, (error.sentence, error.cause)))
            return Proof(started=False, seconds=tried.seconds, problem=problem, failed_packs=failed)
        return Proof(started=True, seconds=tried.seconds, served=served, failed_packs=failed)

    def _naming_each_pack(self, seconds: float) -> tuple[str, ...]:
        """Start it once more, with a line for each pack; it ended by itself before."""
        limits = replace(self._limits, seconds_to_start=2 * seconds + 10)
        again = _Start(self._workspace, self._environment, limits)
        return again._on_port(limits.port(), *_NAMING_EACH_PACK).lines

    def _on_port(self, port: int, *options: str) -> _Tried:
        temporary = self._workspace.root / "cache" / "tmp"
        with storage_errors(temporary):
            temporary.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix="proof-", dir=temporary, ignore_cleanup_errors=True
        ) as own:
            words = (*_HEADLESS, "--port", str(port), "--temp-directory", own, *options)
            command = comfyui_command(self._workspace, self._environment, words)
            with watched_process(
                command, folder=self._environment.comfyui_path, environment=self._variables()
            ) as process:
                try:
                    tried = self._asked(process, port, Path(own))
                finally:
                    process.end()
                    lines = log_lines(process.output())
                    for line in lines:
                        self._workspace.reporter.write(f"ComfyUI: {line}")
        return replace(tried, lines=lines)

    def _variables(self) -> Mapping[str, str]:
        variables = comfyui_variables(self._workspace, self._environment)
        return without_secrets(variables) | _VARIABLES

    def _asked(self, process: WatchedProcess, port: int, own: Path) -> _Tried:
        """Wait until it answers and ask it; a process that takes too long says where it stands."""
        begun = time.monotonic()
        deadline = begun + self._limits.seconds_to_start
        while not process.ended(_SECONDS_BETWEEN_LOOKS):
            if _answers(port, own):
                return self._answered(process, port, time.monotonic() - begun)
            if time.monotonic() > deadline:
                process.say_where()
                problem = f"it did not answer within {self._limits.seconds_to_start:g} s"
                return _Tried(seconds=time.monotonic() - begun, problem=problem)
        problem = f"it ended with exit code {process.exit_code} before it answered"
        return _Tried(seconds=time.monotonic() - begun, problem=problem, ended=True)

    def _answered(self, process: WatchedProcess, port: int, seconds: float) -> _Tried:
        limits = self._limits
        try:
            answer = loopback_answer(
                port, OBJECT_INFO, seconds=limits.seconds_to_answer, size=limits.answer_size
            )
        except NetworkError as error:
            process.say_where()
            return _Tried(seconds=seconds, problem=error.sentence)
        return _Tried(seconds=seconds, answer=answer)


def _answers(port: int, own: Path) -> bool:
    """Tell whether it answers: ours, for something else may have taken the port meanwhile.

    ComfyUI repeats its arguments, and nothing else has heard of its temporary folder.
    """
    try:
        data = loopback_answer(port, _STATS, seconds=_SECONDS_FOR_STATS, size=_STATS_SIZE)
        stats = read_json(data, _STATS)
    except (NetworkError, WorkflowError):
        return False
    return str(own) in as_list(as_object(as_object(stats).get("system")).get("argv"))

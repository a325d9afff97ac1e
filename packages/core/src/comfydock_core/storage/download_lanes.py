"""The connections that bring one file from one source; each is a *lane* with a thread of its own.

A lane asks for one run after the other, or reads a whole file to its end where a host does not give
parts. When it turns out that the line is slower than this machine, more lanes join the first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from comfydock_core.errors import CancelledError, ComfydockError, NetworkError
from comfydock_core.storage.download_asking import (
    Answered,
    Line,
    Source,
    StartOverError,
    Stream,
    opened,
    range_headers,
)
from comfydock_core.storage.download_checks import (
    DownloadRequest,
    WrongBytesError,
    continues,
    is_other_content,
    require_model_answer,
)
from comfydock_core.storage.download_flow import Flow
from comfydock_core.storage.download_pieces import PIECE, Pieces, Run
from comfydock_core.storage.download_reading import Reader
from comfydock_core.storage.http import HttpStatusError, may_pass
from comfydock_core.storage.http_routes import Route
from comfydock_core.storage.partial_file import OpenPart, PartState

_TRIES_WITHOUT_GAIN = 2
_GAIN = 1024 * 1024
_PATIENCE = 20.0
_TICK = 0.1
_FIRST_LOOK = 0.03
_SECONDS_A_REQUEST = 2
_AT_HAND = 256 * 1024
_LONGEST_RUN = 128 * 1024 * 1024


class Lanes:
    """Brings the missing bytes of ``pieces`` into ``part``."""

    def __init__(
        self, line: Line, source: Source, state: PartState, pieces: Pieces, part: OpenPart
    ) -> None:
        self._line = line
        self._source = source
        self._state = state
        self._pieces = pieces
        self._reader = Reader(line, source.request, pieces, part)
        self._route: Route | None = None
        self._streams: set[Stream] = set()
        self._length = PIECE
        self._alive = 0
        self._broken = 0
        self._divisible = state.size is not None and bool(
            state.validator or source.request.provable
        )
        self._is_over = False
        self._failure: ComfydockError | None = None
        self._setback: ComfydockError | None = None

    def bring(self, answered: Answered | None, tick: Callable[[int, int | None], None]) -> None:
        """Return when every byte is there; ``answered`` is an answer to begin with.

        The caller has taken one connection to the source's host, which is given back here. ``tick``
        gets the bytes that are there, and their number in all, ten times a second.
        """
        if answered and answered.stream.answer.status != 206:
            self._divisible = False
        with self._line.stop.ending(self._end_all):
            try:
                if answered and _is_at_hand(self._state):
                    self._alive += 1
                    self._run_lane(answered)
                else:
                    self._start_lane(answered)
                    self._look_after_lanes(tick)
            finally:
                self._end_all()
        if self._failure:
            raise self._failure from (self._failure.__cause__ or self._setback)
        if not self._pieces.is_complete:
            self._line.stop.require_going()
            raise self._setback or NetworkError(f"`{self._source.host}` stopped sending")

    def _look_after_lanes(self, tick: Callable[[int, int | None], None]) -> None:
        flow = Flow(self._pieces.done, self._line.client.limits.read_timeout)
        look = _FIRST_LOOK
        while self._is_going(look):
            look = _TICK
            self._line.stop.require_going()
            done = self._pieces.done
            tick(done, self._pieces.size)
            if flow.invites_more(done):
                self._length = _length_for(flow.speed / max(1, self._alive))
                self._invite()
            if flow.has_dried_up:
                break

    def _is_going(self, seconds: float) -> bool:
        def is_settled() -> bool:
            return self._pieces.is_complete or self._failure is not None or not self._alive

        with self._pieces.changed:
            return not self._pieces.changed.wait_for(is_settled, seconds)

    def _end_all(self) -> None:
        with self._pieces.changed:
            self._is_over = True
            self._pieces.changed.notify_all()
            streams = tuple(self._streams)
        for stream in streams:
            stream.abort()

    def _invite(self) -> None:
        """Add lanes while there is enough to do and a connection to spare."""
        line, host = self._line, self._source.host
        while (
            self._divisible
            and not self._is_over
            and self._alive + self._broken < line.budget.per_host
            and self._pieces.left > self._alive * _GAIN
            and line.budget.take_spare(host)
        ):
            self._start_lane(None)

    def _start_lane(self, answered: Answered | None) -> None:
        with self._pieces.changed:
            self._alive += 1
        threading.Thread(
            target=self._run_lane, args=(answered,), name="download-lane", daemon=True
        ).start()

    def _run_lane(self, answered: Answered | None) -> None:
        try:
            self._bring_runs(answered)
        except CancelledError:
            pass  # whoever stopped it knows
        except ComfydockError as error:
            self._note(error)
        finally:
            if answered:
                answered.stack.close()
            self._line.budget.give_back(self._source.host)
            with self._pieces.changed:
                self._alive -= 1
                self._pieces.changed.notify_all()

    def _note(self, error: ComfydockError) -> None:
        """A lane that breaks off is a setback for the others; some failures are those of all.

        What fails because all is over is neither.
        """
        of_all = not isinstance(error, NetworkError) or isinstance(
            error, StartOverError | WrongBytesError
        )
        with self._pieces.changed:
            if not of_all:
                self._broken += 1
                self._setback = self._setback if self._is_over else error
            elif self._failure is None and not self._is_over:
                self._failure = error
            elif isinstance(error, StartOverError) and error.answered:
                error.answered.stack.close()

    def _bring_runs(self, answered: Answered | None) -> None:
        tries, speed = 0, 0.0
        while not self._is_over:
            run = self._pieces.claim(self._length, speed)
            if run is None:
                if self._is_idle():
                    return
                continue
            start, begun = run.at, time.monotonic()
            try:
                self._bring_run(run, answered)
                tries = 0
            except NetworkError as error:
                tries = 0 if run.at - start >= _GAIN else tries + 1
                is_late = tries and time.monotonic() - begun > _PATIENCE
                if is_late or tries >= _TRIES_WITHOUT_GAIN or not may_pass(error):
                    raise
                self._setback = self._setback if self._is_over else error
                self._line.stop.pause(self._line.client.limits.first_wait * tries)
            finally:
                answered = None
                self._pieces.release(run)
            speed = (run.at - start) / max(time.monotonic() - begun, 0.001)
            self._length = max(self._length, _length_for(speed))

    def _is_idle(self) -> bool:
        """Wait a little for something to do; whether the lane is of no more use."""
        if self._pieces.is_complete or self._line.budget.is_wanted(self._source.host):
            return True
        with self._pieces.changed:
            self._pieces.changed.wait(_TICK)
        return False

    def _bring_run(self, run: Run, answered: Answered | None) -> None:
        answered = answered or self._ask(run)
        with answered.stack, self._watched(answered.stream):
            self._reader.read(answered.stream, run)

    def _ask(self, run: Run) -> Answered:
        """Ask for a run, of the host that gave the last answer where that is known."""
        state, request = self._state, self._source.request
        try:
            answered = self._send(range_headers(run.at, run.end, state))
        except HttpStatusError as error:
            if error.answer.status == 416:
                raise StartOverError(error.sentence) from error
            raise
        answer = answered.stream.answer
        try:
            require_model_answer(request, answer)
        except WrongBytesError:
            answered.stack.close()
            raise
        if continues(answer, run.at, state, provable=request.provable):
            if state.validator.startswith('"'):
                self._route = answered.stream.route
            return answered
        self._divisible = False
        if self._alive > 1 and not is_other_content(answer, state.validator):
            answered.stack.close()
            raise NetworkError(f"`{answer.service}` does not give parts of `{request.shown}`")
        raise _start_over(answered, request)

    def _send(self, headers: dict[str, str]) -> Answered:
        if self._route:
            try:
                return opened(self._line, self._route, headers)
            except HttpStatusError:
                self._route = None  # such addresses expire; the source gives a new one
        return opened(self._line, self._source.url, headers)

    @contextmanager
    def _watched(self, stream: Stream) -> Iterator[None]:
        """Have the stream ended when all is over."""
        with self._pieces.changed:
            self._streams.add(stream)
            is_over = self._is_over
        try:
            if not is_over:
                yield
            else:
                raise CancelledError("the file is there already")
        finally:
            with self._pieces.changed:
                self._streams.discard(stream)


def _is_at_hand(state: PartState) -> bool:
    """Whether a file is so small that its first lane is not worth a thread of its own."""
    return state.size is not None and state.size <= _AT_HAND


def _length_for(speed: float) -> int:
    """How much to ask for at once over a connection of that speed."""
    return min(_LONGEST_RUN, max(PIECE, int(speed * _SECONDS_A_REQUEST)))


def _start_over(answered: Answered, request: DownloadRequest) -> StartOverError:
    service = answered.stream.answer.service
    sentence = f"`{service}` did not go on with `{request.shown}` where it was left"
    if answered.stream.answer.status == 200:
        return StartOverError(sentence, answered)
    answered.stack.close()
    return StartOverError(sentence)

"""One source of one file: what is there is kept if that is safe, the rest is brought."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace

from comfydock_core.errors import NetworkError
from comfydock_core.storage.arriving_digests import ArrivingDigests
from comfydock_core.storage.download_asking import (
    Answered,
    Line,
    Source,
    StartOverError,
    opened,
    range_headers,
)
from comfydock_core.storage.download_checks import (
    ANOTHER_SOURCE,
    AnsweredRange,
    DownloadRequest,
    WrongBytesError,
    answered_range,
    require_model_answer,
    require_space,
    validator_of,
    whole_size,
)
from comfydock_core.storage.download_lanes import Lanes
from comfydock_core.storage.download_pieces import PIECE, Pieces
from comfydock_core.storage.hashing import FullHashes
from comfydock_core.storage.http import HttpAnswer, HttpStatusError, redact
from comfydock_core.storage.http_addresses import origin_of, parsed
from comfydock_core.storage.local_source import LOCAL, THIS_MACHINE, LocalStream
from comfydock_core.storage.partial_file import OpenPart, PartialFile, PartState, is_of_this_boot

_BEGINNINGS = 3
NOTHING = PartState(url="", validator="", size=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Brought:
    """A whole file in its part; ``kept`` bytes of it were there before this source was asked."""

    hashes: FullHashes
    kept: int


class _UnusableRangeError(Exception):
    """A host does not give the file as one whole part."""


class SourceAttempt:
    """Brings a whole file into ``part`` from ``url``; ``tick`` gets the bytes there and in all."""

    def __init__(
        self,
        line: Line,
        request: DownloadRequest,
        url: str,
        part: PartialFile,
        tick: Callable[[int, int | None], None],
    ) -> None:
        self._line = line
        self._request = request
        self._part = part
        self._tick = tick
        self._is_local = url.startswith(LOCAL) and request.local_allowed
        self.host = THIS_MACHINE if self._is_local else origin_of(parsed(url)).shown
        self._source = Source(url=url, host=self.host, request=request)

    def bring(self) -> Brought:
        """Return when every byte is there and hashed, or raise NetworkError or StorageError."""
        state = self._usable_state()
        if state:
            try:
                return self._bring_rest(state)
            except StartOverError as again:
                return self._bring_whole(again.answered)
        return self._bring_whole(None)

    def _usable_state(self) -> PartState | None:
        """What is there is of use if the source still proves it, or the digest will."""
        state, request = self._part.state(), self._request
        if state is None or not state.done or state.size is None or self._is_local:
            return None
        if request.provable and request.size == state.size:
            return state if state.url == redact(self._source.url) else _mixed(state)
        same = state.url == redact(self._source.url) and state.validator
        known = request.provable or is_of_this_boot(state)
        if not same or not known or request.size not in (None, state.size):
            return None
        return state

    def _bring_rest(self, state: PartState) -> Brought:
        if state.done == state.size and not self._request.provable:
            # Only the source can say that it still has the same file: let it give the last byte.
            state = replace(state, arrived=((0, state.done - 1),))
        with self._connection() as lease, self._part.opened(state) as part:
            return Brought(hashes=self._fill(state, part, None, lease), kept=state.done)

    def _bring_whole(self, answered: Answered | None) -> Brought:
        """Begin with the first byte, a few times over if the source does not go on later."""
        ranges = not self._is_local
        for beginning in range(_BEGINNINGS):
            with self._connection() as lease:
                answered = answered or self._first_answer(ranges=ranges)
                ranges = False
                try:
                    return Brought(hashes=self._receive(answered, lease), kept=0)
                except StartOverError as again:
                    answered = again.answered
                    if beginning == _BEGINNINGS - 1:
                        raise again.__cause__ or again from None
        raise NetworkError(f"`{self.host}` gave no usable answer")

    def _connection(self) -> ExitStack:
        """Take one connection to the host; whoever empties the stack has to give it back."""
        self._line.budget.take(self.host, self._line.stop)
        lease = ExitStack()
        lease.callback(self._line.budget.give_back, self.host)
        return lease

    def _first_answer(self, *, ranges: bool) -> Answered:
        """Ask for the first piece, which is all of a small file, or for all where that fails."""
        url = self._source.url
        if self._is_local:
            with ExitStack() as stack:
                local = LocalStream(url, stack)
                return Answered(stream=local, stack=stack.pop_all())
        if ranges:
            with suppress(_UnusableRangeError):
                return self._first_part()
        answered = opened(self._line, url, {})
        answer = answered.stream.answer
        if answer.status != 200:
            answered.stack.close()
            raise WrongBytesError(
                f"`{answer.service}` sent a part of `{self._request.shown}` "
                "where all of it was asked for",
                hint=ANOTHER_SOURCE,
                subject=self._request.shown,
            )
        return answered

    def _first_part(self) -> Answered:
        try:
            answered = opened(self._line, self._source.url, range_headers(0, PIECE, NOTHING))
        except HttpStatusError as error:
            if error.answer.status != 416:
                raise
            raise _UnusableRangeError from error
        answer = answered.stream.answer
        part = answered_range(answer)
        if answer.status == 200 or (part and self._is_beginning(part, validator_of(answer))):
            return answered
        answered.stack.close()
        raise _UnusableRangeError

    def _is_beginning(self, part: AnsweredRange, validator: str) -> bool:
        """Whether the rest can be had later, or is not needed."""
        goes_on = part.end == part.whole or validator or self._request.provable
        return part.first == 0 and bool(goes_on)

    def _receive(self, answered: Answered, lease: ExitStack) -> FullHashes:
        with ExitStack() as files:
            with ExitStack() as closing:
                closing.push(answered.stack)
                state = self._expected(answered.stream.answer)
                part = files.enter_context(self._part.begun(state))
                closing.pop_all()
            return self._fill(state, part, answered, lease)

    def _expected(self, answer: HttpAnswer) -> PartState:
        """What a first answer promises, if that is what is wanted and there is room for it."""
        request = self._request
        require_model_answer(request, answer)
        size = whole_size(request, answer)
        require_space(request, size or 0)
        return PartState(url=redact(self._source.url), validator=validator_of(answer), size=size)

    def _fill(
        self, state: PartState, part: OpenPart, answered: Answered | None, lease: ExitStack
    ) -> FullHashes:
        """Bring what ``state`` has not, with the answer that is being read to begin with."""
        with ArrivingDigests(part.read_back) as digests:
            pieces = Pieces(state.size, state.arrived, digests, part.save)
            lanes = Lanes(self._line, self._source, state, pieces, part)
            lease.pop_all()
            try:
                try:
                    lanes.bring(answered, self._tick)
                finally:
                    pieces.close()
            except WrongBytesError:
                if pieces.size is None or not pieces.done:
                    self._part.discard()
                raise
            return digests.result()


def _mixed(state: PartState) -> PartState:
    """What is there when another source goes on with it: only the digest can prove it then."""
    return replace(state, url="", validator="")

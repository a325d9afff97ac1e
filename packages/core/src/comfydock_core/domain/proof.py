"""What a start of ComfyUI proved: what it really has, or why it does not start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from comfydock_core.domain.comfyui_log import FailedPack
from comfydock_core.domain.served_nodes import ServedNodes


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """One start of an environment's ComfyUI; ``seconds`` is the time until it had answered.

    ``served`` are its node classes if it ``started``; else ``problem`` is half a sentence that says
    why not, and ``last_lines`` are the end of what it printed, harmless to show.
    ``failed_packs`` are the packs that it could not import.
    """

    started: bool
    seconds: float = 0.0
    problem: str = ""
    last_lines: tuple[str, ...] = ()
    failed_packs: tuple[FailedPack, ...] = ()
    served: ServedNodes = field(default_factory=dict)

    @property
    def reasons(self) -> Mapping[str, str]:
        """Why packs could not be imported, by their folders' names."""
        return {failed.pack: failed.reason for failed in self.failed_packs}

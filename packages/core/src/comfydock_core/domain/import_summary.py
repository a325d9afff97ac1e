"""What a bundle holds and what of it this machine has: the first two screens of an import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from comfydock_core.domain.acquisition import CodeOrigin, ModelAggregate
from comfydock_core.domain.bundle import BundleManifest
from comfydock_core.domain.manifest import Manifest
from comfydock_core.domain.models import ModelWithLocation


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportSummary:
    """A checked bundle before anything was asked of the network.

    ``hosts`` are the ones that planning and acting will contact; ``code`` is everything that
    will run or could run; ``digest`` is the identity of the bundle's contents. ``inside`` are the
    keys of the models whose files the bundle holds; ``absent`` are the development nodes whose
    source it does not hold. ``dropped`` says what of another tool's bundle is not taken over.
    """

    environment: str
    requested_name: str
    bundle: BundleManifest
    manifest: Manifest
    aggregates: Mapping[str, ModelAggregate]
    digest: str
    hosts: tuple[str, ...] = ()
    code: tuple[CodeOrigin, ...] = ()
    inside: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()

    @property
    def total_size(self) -> int:
        """Bytes of all models together, as far as the bundle says."""
        return sum(aggregate.total_size for aggregate in self.aggregates.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalModels:
    """Which of a bundle's models lie on this machine, by aggregate key.

    ``verified`` were claimed on a full digest; ``probable`` only look alike (the bundle carries
    no digest) and are asked about.
    """

    verified: Mapping[str, ModelWithLocation] = field(default_factory=dict)
    probable: Mapping[str, ModelWithLocation] = field(default_factory=dict)

    @property
    def known(self) -> frozenset[str]:
        """The keys of both."""
        return frozenset(self.verified) | frozenset(self.probable)

"""A node pack that an import could not install -> what its user can do about it (pure).

Why it failed is known as text alone, as a journal keeps it: in the words of our own errors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from shlex import quote

from comfydock_core.domain.acquisition import NodeAcquisitionDecision
from comfydock_core.domain.manifest import NodeInfo

_OTHER_BYTES = "is not that file"
_NO_COMMIT = "has no tag, branch or commit"
_NO_REPOSITORY = re.compile(
    r"could not be fetched.*(not found|could not read Username)", re.IGNORECASE
)
# A version has an `@`; without one it is the pack itself.
_NO_PACK = re.compile(r"the registry does not know `[^`@]*`")
_BANNED = "was banned from the registry"


@dataclass(frozen=True, kw_only=True, slots=True)
class Remedy:
    """``words`` are what `node add` is to be told, quoted for a shell; empty where nothing helps.

    ``remark`` is what its user has to know, in one sentence.
    """

    words: str = ""
    remark: str = ""


def remedy(decision: NodeAcquisitionDecision, reason: str, *, refused: bool = False) -> Remedy:
    """Say how a pack is added that failed for ``reason``, or that was left out (``""``).

    ``refused`` is one whose version the registry was found not to give. What has a known digest is
    only ever proposed with it: bytes that the sender did not have are never taken for theirs.
    """
    node = decision.node
    if node.source == "registry":
        return _of_registry(decision, reason, refused)
    if not decision.source:
        return Remedy(words=f"--dev {quote(f'./{node.name}')}")
    if decision.source == "bundle":
        return Remedy()
    if _NO_COMMIT in reason and node.repository:
        return Remedy(
            words=quote(node.repository),
            remark=f"`{node.name}`: its repository no longer has the sender's commit; without the "
            "commit its newest state is added",
        )
    if _NO_REPOSITORY.search(reason):
        return Remedy(
            remark=f"`{node.name}`: its repository is gone or private; ask the sender where it is "
            "now, or for the folder"
        )
    return Remedy(words=quote(decision.source))


def _of_registry(decision: NodeAcquisitionDecision, reason: str, refused: bool) -> Remedy:
    node = decision.node
    name = node.registry_id or node.name
    if said := _hopeless(node, reason):
        return Remedy(remark=f"`{node.name}`: {said}")
    if refused or "the registry does not know" in reason:
        return Remedy(words=quote(name))
    digest = f"#sha256={node.sha256}" if node.sha256 else ""
    return Remedy(words=quote(f"{decision.source}{digest}"))


def _hopeless(node: NodeInfo, reason: str) -> str:
    """Say why no version of the registry's is proposed; empty where one is."""
    if _OTHER_BYTES in reason:
        return (
            f"what the registry has as {node.version} is not the file that the sender had; ask "
            "the sender before you add it"
        )
    if _BANNED in reason:
        return "the registry banned it; look at what is known about it before you add another"
    if _NO_PACK.search(reason):
        return "the registry does not have it; ask the sender where it is from"
    return ""

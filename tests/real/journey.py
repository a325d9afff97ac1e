"""One environment travels: made on the sender's side, run there, exported, imported, run again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from comfydock_core.errors import ComfydockError

from tests.real import contract
from tests.real.bundles import differing_members, timestamp
from tests.real.comfyui_process import RunningComfyui
from tests.real.disk import added, occupied
from tests.real.hosts import GIT_NODE_URL, MODELS_URL, Hosts
from tests.real.nodes import DEVELOPMENT_NODE, REGISTRY_NODE
from tests.real.report import Report
from tests.real.tiny_models import LORA, TINY_MODELS, UPSCALER, VAE, TinyModel, write_tiny_models
from tests.real.user import User
from tests.real.workflows import SAMPLE, UPSCALE, WORKFLOWS, api_form, write_ui_workflow

SENT = "mine"
SECOND = "second"
BY_COMMIT = "third"
RECEIVED = "theirs"
UPSCALING = "tiny-upscale"
SAMPLING = "portraits/tiny-sample"
PLACES = {UPSCALING: "tiny-upscale", SAMPLING: "tiny-sample"}
MODELS_USED = 4
LARGEST_BUNDLE = 100_000
LARGEST_SHARE = 0.05
PNG = b"\x89PNG\r\n\x1a\n"
SOME_TIME = "1700000000"
MEGABYTE = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Pictures:
    """The PNGs of both workflows, in the order of WORKFLOWS; the exit code after Ctrl-C."""

    pngs: tuple[bytes, ...]
    exit_code: int


class Journey:
    """The way of one ComfyUI version in ``folder``, which is fresh."""

    def __init__(self, tag: str, folder: Path, hosts: Hosts, uv_cache: Path, report: Report) -> None:
        configuration = {**hosts.configuration(), "COMFYDOCK_UV_CACHE": str(uv_cache)}
        self._tag = tag
        self._hosts = hosts
        self._uv_cache = uv_cache
        self._report = report
        self._sender = User(home=folder / "sender", configuration=configuration)
        self._receiver = User(home=folder / "receiver", configuration=configuration)

    def go(self) -> None:
        """All stages in order; one that fails is a failed check, and the last one of them."""
        try:
            self._go()
        except ComfydockError as failure:
            self._check("the journey ends", f"{failure.sentence}\n{failure.cause}", "well")

    def _go(self) -> None:
        for user in (self._sender, self._receiver):
            user.home.mkdir(parents=True)
        self._create()
        self._create_second()
        self._add_nodes()
        self._index_models()
        self._save_workflows()
        sent = self._pictures("run at the sender's", self._sender, SENT)
        self._check_pictures(sent)
        self._commit()
        bundle = self._export()
        self._import(bundle)
        received = self._pictures("run at the receiver's", self._receiver, RECEIVED)
        self._check("both sides' pictures have the same bytes", received.pngs == sent.pngs)
        self._check("ComfyUI ends well on both sides", (sent.exit_code, received.exit_code), (0, 0))
        self._contract()

    def _check(self, sentence: str, found: object, expected: object = True) -> None:
        self._report.check(self._tag, sentence, found, expected)

    def _create(self) -> None:
        with self._report.stage(self._tag, "create"):
            made = self._sender.does("create", SENT, "--comfyui", self._tag)
        self._check("the environment has the release", made["comfyui_version"], self._tag)
        size = sum(occupied([self._sender.folder(SENT)]).values())
        self._report.figure(self._tag, "first environment (MB)", f"{size / MEGABYTE:.1f}")

    def _create_second(self) -> None:
        """Everything that a second environment adds anywhere: workspace, caches, git's mirror."""
        sender = self._sender
        first = sum(occupied([sender.folder(SENT)]).values())
        places = [sender.workspace, self._uv_cache]
        mirrors = [sender.workspace / "cache" / "git"]
        before, mirrored, asked = occupied(places), occupied(mirrors), len(self._hosts.git.requests)
        with self._report.stage(self._tag, "create second"):
            made = sender.does("create", SECOND, "--comfyui", self._tag)
        tree = sum(occupied([sender.folder(SECOND) / "ComfyUI"]).values())
        more = added(before, occupied(places)) - tree
        figure = self._report.figure
        figure(self._tag, "second beyond its work tree (MB)", f"{more / MEGABYTE:.1f}")
        figure(self._tag, "second's share of the first", f"{more / first:.1%}")
        figure(self._tag, "git requests for second", str(len(self._hosts.git.requests) - asked))
        self._check("the second environment adds little disk", more < LARGEST_SHARE * first)
        self._check("the second one downloads no objects", added(mirrored, occupied(mirrors)), 0)
        self._create_by_commit(made["comfyui_commit"])

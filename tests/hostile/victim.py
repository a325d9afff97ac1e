"""A machine that looks at strangers' bundles: what it has, what it runs, what must not happen.

Whatever is run on it is held to the same promises in one place, ``Victim.run``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.hostile.bundles import listed, packed
from tests.hostile.good import GOOD
from tests.hostile.watching import signs
from tests.hub.serving import Exchange, Served, serving

LIMITS: Mapping[str, int] = {"seconds": 20, "memory": 400_000_000, "written": 300_000_000}
BUNDLE = "hostile.tar.gz"
_ROOT = Path(__file__).parents[2]
_CANARY = Path("/tmp/comfydock-hostile")
_SECRET = "hf_" + "s3cr3t" * 6
SECRETS = {
    **dict.fromkeys(("HF_TOKEN", "GITHUB_TOKEN", "GH_TOKEN", "CIVITAI_API_KEY"), _SECRET),
    **dict.fromkeys(("CIVITAI_TOKEN", "COMFY_API_KEY", "AWS_SECRET_ACCESS_KEY"), _SECRET),
    "UV_INDEX_URL": f"https://me:{_SECRET}@evil.example/simple",
    "PIP_EXTRA_INDEX_URL": f"https://me:{_SECRET}@evil.example/simple",
    "GIT_ASKPASS": "/bin/echo",
}
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_KEPT = ("PATH", "LANG", "SYSTEMROOT", "VIRTUAL_ENV")
_FILES = {
    "home/.netrc": f"machine evil.example login me password {_SECRET}\n"
    f"default login me password {_SECRET}\n",
    "home/.git-credentials": f"https://me:{_SECRET}@evil.example\nhttps://me:{_SECRET}@github.com\n",
    "home/.gitconfig": "[credential]\n\thelper = store\n",
    "home/.cache/huggingface/token": _SECRET,
    "home/.ssh/id_ed25519": _SECRET,
    "home/.bashrc": "true\n",
    "home/ComfyUI/models/loras/mine.safetensors": "mine",
    "workspace-1/environments/studio/.cec/pyproject.toml": "mine",
    "tmp/neighbour": "mine",
    "desk/x": "mine",
    "x": "mine",
}


def write_secrets(folder: Path) -> None:
    """Lay the files of a user with passwords everywhere below ``folder``; the home is in it."""
    for name, text in _FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
        path.chmod(0o600)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """What a command line said, what it took (``LIMITS``), and what it should not have done."""

    out: str
    err: str
    exit_code: int
    took: Mapping[str, float]
    acts: tuple[str, ...]

    @property
    def envelope(self) -> dict[str, Any]:
        """The JSON envelope of a command that was run with ``--json``."""
        answer: dict[str, Any] = json.loads(self.out)
        return answer


class Victim:
    """A user's machine below ``folder``, for which every way out leads to ``sink``.

    What it does not count as its own, such as uv's cache, lies beside ``folder``.
    """

    def __init__(self, folder: Path, sink: Served, runner: subprocess.Popen[str]) -> None:
        self.folder = folder
        self.desk = folder / "desk"
        self.workspace = folder / "workspace"
        self._sink = sink
        self._runner = runner
        self._variables = {
            **{key: value for key, value in os.environ.items() if key in _KEPT},
            **SECRETS,
            **dict.fromkeys(_PROXIES, sink.url),
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "COMFYDOCK_HOME": str(self.workspace),
            # uv writes into its cache for being asked which Pythons are here.
            "COMFYDOCK_UV_CACHE": str(folder.parent / "uv"),
        }

    def bundle(self, data: bytes) -> Path:
        """Lay a bundle on the desk."""
        path = self.desk / BUNDLE
        path.write_bytes(data)
        return path

    def run(self, *words: str, programs: tuple[str, ...] = ()) -> Ran:
        """Run comfydock to its end and hold it to all that is promised before consent.

        Within the limits; nobody is asked, no program but ``programs`` runs; nothing is different
        afterwards, in the workspace and around it; no traceback, and no secret is shown.
        """
        before = signs(self.folder, self.workspace)
        ran = self.measured(*words)
        assert {name: ran.took[name] for name in LIMITS if ran.took[name] >= LIMITS[name]} == {}
        assert [act for act in ran.acts if not _is_run_of(act, programs)] == []
        assert self._sink.requests == ()
        after = signs(self.folder, self.workspace)
        assert {path for path in before | after if before.get(path) != after.get(path)} == set()
        assert not _CANARY.exists()
        assert ran.exit_code in (0, 1, 2, 3, 4)
        for text in (ran.out, ran.err):
            assert "Traceback" not in text
            assert _SECRET not in text
        return ran

    def measured(self, *words: str) -> Ran:
        """Run comfydock to its end and hold it to nothing."""
        places = {name: str(self.folder.parent / name) for name in ("out", "err", "report")}
        request = {
            "words": words,
            "environment": self._variables,
            "folder": str(self.desk),
            **places,
        }
        exit_code = _asked(self._runner, json.dumps(request))
        said = {name: Path(path).read_text(encoding="utf-8") for name, path in places.items()}
        took = json.loads(said["report"])
        return Ran(
            out=said["out"],
            err=said["err"],
            exit_code=exit_code,
            acts=tuple(took.pop("acts")),
            took=took,
        )


def _is_run_of(act: str, programs: tuple[str, ...]) -> bool:
    started = act.partition(" ('")[2].partition("'")[0]
    return act.startswith("subprocess.Popen") and Path(started).name in programs


def _asked(runner: subprocess.Popen[str], line: str) -> int:
    pipes: tuple[IO[str] | None, IO[str] | None] = (runner.stdin, runner.stdout)
    if pipes[0] is None or pipes[1] is None:
        raise ValueError("the runner has no pipes")
    pipes[0].write(f"{line}\n")
    pipes[0].flush()
    return int(pipes[1].readline())


@contextmanager
def victim(folder: Path) -> Iterator[Victim]:
    """Make a machine with a workspace and its runner below ``folder``."""
    write_secrets(folder)

    def answer(exchange: Exchange) -> None:
        exchange.reply(404)

    with (
        serving(answer) as sink,
        subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.runner"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as runner,
    ):
        one = Victim(folder, sink, runner)
        # Every later run finds the workspace as this one leaves it, with its folders for staging.
        one.measured("import", "--dry-run", one.bundle(packed(listed(GOOD))).name)
        yield one

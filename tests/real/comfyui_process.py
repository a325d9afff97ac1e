"""A running ComfyUI: started on a free loopback port, asked over HTTP, stopped by SIGINT."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from comfydock_core.errors import ComfydockError

HEADLESS = ("--cpu", "--disable-auto-launch", "--disable-api-nodes")
SECONDS_TO_START = 300
SECONDS_TO_STOP = 60
SECONDS_FOR_A_PROMPT = 300
SECONDS_BETWEEN_LOOKS = 0.05
WITHOUT_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ComfyuiProcessError(ComfydockError):
    """ComfyUI did not start, refused a workflow or failed while running it."""

    code = "comfyui-process"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningComfyui:
    """A ComfyUI that answers at ``url``; what it prints goes to ``log``."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    seconds_to_start: float

    def ask(self, path: str, body: object = None) -> tuple[int, bytes]:
        """Status and body of a GET, or of a POST of ``body`` as JSON, whatever the status."""
        return asked(self.url + path, body)

    def answer(self, path: str) -> Any:
        """The JSON that a GET of ``path`` answers."""
        return json.loads(self.ask(path)[1])

    def queue(self, workflow: Mapping[str, Any]) -> str:
        """The prompt's id. Raises ComfyuiProcessError when ComfyUI refuses the workflow."""
        status, body = self.ask("/prompt", {"prompt": workflow})
        if status != 200:
            raise ComfyuiProcessError(
                f"ComfyUI refused the workflow with `{status}`.",
                cause=body.decode(errors="replace")[:2000],
            )
        return str(json.loads(body)["prompt_id"])

    def outcome(self, prompt_id: str) -> dict[str, Any]:
        """The finished prompt's entry in /history: outputs and status. Waits for it."""
        deadline = time.monotonic() + SECONDS_FOR_A_PROMPT
        while prompt_id not in (history := self.answer(f"/history/{prompt_id}")):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise ComfyuiProcessError(
                    f"ComfyUI did not finish prompt `{prompt_id}`.", cause=last_words(self.log)
                )
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return dict(history[prompt_id])

    def pictures(self, workflow: Mapping[str, Any]) -> list[bytes]:
        """Runs ``workflow`` (API form); the PNGs that it saved, in the order of its nodes.

        A workflow that this process ran before may save nothing: newer ComfyUI takes it from its
        cache.
        """
        outcome = self.outcome(self.queue(workflow))
        if outcome["status"]["status_str"] != "success":
            raise ComfyuiProcessError(
                "ComfyUI failed while running the workflow.",
                cause=json.dumps(outcome["status"]["messages"])[-2000:],
            )
        saved = [
            image
            for node in sorted(outcome["outputs"], key=int)
            for image in outcome["outputs"][node].get("images", [])
        ]
        return [self.ask("/view?" + urlencode(image))[1] for image in saved]

    def stop(self) -> int:
        """Interrupts ComfyUI, as Ctrl-C does, and returns its exit code."""
        return stop_process(self.process)


@contextmanager
def running_comfyui(
    argv: Sequence[str | Path], cwd: Path, *, log: Path, variables: Mapping[str, str] | None = None
) -> Iterator[RunningComfyui]:
    """Starts ``argv`` with ``--listen`` and ``--port`` added; yields when it answers; stops it.

    ``argv`` may be ``[python, "main.py", …]`` or any command that passes ComfyUI's options on.
    Raises ComfyuiProcessError when it ends before it answers, or does not answer in time.
    """
    port = free_port()
    command = [str(word) for word in argv] + ["--listen", "127.0.0.1", "--port", str(port)]
    started = time.monotonic()
    with log.open("wb") as sink, _interrupts_reach_children():
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=comfyui_environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_up(process, url, log)
        taken = time.monotonic() - started
        yield RunningComfyui(url=url, port=port, process=process, log=log, seconds_to_start=taken)
    finally:
        stop_process(process)


def stop_process(process: subprocess.Popen[bytes]) -> int:
    """Sends SIGINT and returns the exit code; a process that does not heed it is killed."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        return process.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def comfyui_environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment for a ComfyUI.

    Bytecode is written even where this process may not: a start without it takes ten times longer.
    """
    inherited = {
        key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"
    }
    return inherited | {"PYTHONUNBUFFERED": "1"} | dict(variables or {})


def asked(url: str, body: object = None) -> tuple[int, bytes]:
    """Status and body of a GET of ``url``, or of a POST of ``body`` as JSON."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"})
    try:
        with WITHOUT_PROXY.open(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read()


def free_port() -> int:
    """A loopback port that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def last_words(log: Path) -> str:
    """The end of what a process printed."""
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]


def _wait_until_up(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise ComfyuiProcessError(
                f"ComfyUI did not start (exit code `{process.poll()}`).", cause=last_words(log)
            )
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _answers(url: str) -> bool:
    try:
        return asked(url + "/system_stats")[0] == 200
    except OSError:
        return False


@contextmanager
def _interrupts_reach_children() -> Iterator[None]:
    """A shell's background job ignores SIGINT, and so would a child that inherits that."""
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

"""A ComfyUI that `comfydock run` has in the foreground: waited for, asked for pictures, stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from comfydock_core.errors import ComfydockError

from comfydock_cli.demo.prompt import Graph, api_prompt

SECONDS_TO_START = 300
SECONDS_FOR_A_PROMPT = 300
SECONDS_TO_STOP = 15
_LOOK_EVERY = 0.03
if sys.platform == "win32":
    # Only a process group of its own can be interrupted there, and only by Ctrl-Break.
    _INTERRUPT = signal.CTRL_BREAK_EVENT
    START_FLAGS = subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _INTERRUPT = signal.SIGINT
    START_FLAGS = 0
_WITHOUT_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ComfyuiRunError(ComfydockError):
    """ComfyUI did not start, or did not make the pictures it was asked for."""

    code = "comfyui-run"


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A picture that ComfyUI saved: its path below the output folder, its bytes."""

    path: str
    content: bytes


class RunningComfyui:
    """ComfyUI at a loopback port, as the process that was started for it sees it."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self._process = process
        self._url = f"http://127.0.0.1:{port}"

    def wait(self) -> None:
        """Return when it answers."""
        deadline = time.monotonic() + SECONDS_TO_START
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ComfyuiRunError("ComfyUI did not start")
            time.sleep(_LOOK_EVERY)

    def pictures(self, workflow: Graph) -> list[Picture]:
        """Queue ``workflow`` as ComfyUI's page does; return what it saved, in the nodes' order."""
        asked = {
            "prompt": api_prompt(workflow, self._asked("/object_info")),
            "extra_data": {"extra_pnginfo": {"workflow": workflow}},
        }
        outcome = self._outcome(self._asked("/prompt", asked)["prompt_id"])
        if outcome["status"]["status_str"] != "success":
            messages = json.dumps(outcome["status"]["messages"])
            raise ComfyuiRunError("ComfyUI failed while it ran the workflow", cause=messages[-800:])
        saved = [
            image
            for node in sorted(outcome["outputs"])
            for image in outcome["outputs"][node].get("images", [])
        ]
        return [self._picture(image) for image in saved]

    def stop(self) -> None:
        """End it as Ctrl-C does; what does not heed that is ended harder."""
        for number in (_INTERRUPT, signal.SIGTERM):
            if self._process.poll() is None:
                self._process.send_signal(number)
            try:
                self._process.wait(SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                continue
            return
        self._process.kill()
        self._process.wait()

    def _picture(self, image: dict[str, str]) -> Picture:
        path = "/".join(filter(None, (image["subfolder"], image["filename"])))
        return Picture(path=path, content=self._read("/view?" + urlencode(image)))

    def _outcome(self, prompt_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + SECONDS_FOR_A_PROMPT
        while prompt_id not in (history := self._asked(f"/history/{prompt_id}")):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ComfyuiRunError("ComfyUI did not finish the workflow")
            time.sleep(_LOOK_EVERY)
        return dict(history[prompt_id])

    def _answers(self) -> bool:
        try:
            return bool(self._read("/system_stats"))
        except OSError:
            return False

    def _asked(self, path: str, body: object = None) -> Any:
        try:
            return json.loads(self._read(path, body))
        except urllib.error.HTTPError as error:
            cause = error.read().decode(errors="replace")[:800]
            raise ComfyuiRunError("ComfyUI refused the workflow", cause=cause) from error
        except OSError as error:
            raise ComfyuiRunError("ComfyUI does not answer any more", cause=str(error)) from error

    def _read(self, path: str, body: object = None) -> bytes:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 (loopback)
            self._url + path, content, {"Content-Type": "application/json"}
        )
        with _WITHOUT_PROXY.open(request, timeout=60) as answer:
            return bytes(answer.read())

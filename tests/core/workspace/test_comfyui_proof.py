from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import comfydock_cli.demo
import pytest
from comfydock_core.domain.comfyui_log import FailedPack
from comfydock_core.storage.loopback import free_port
from comfydock_core.workspace.comfyui_proof import ProofLimits, prove
from comfydock_core.workspace.environment import Environment
from comfydock_core.workspace.workspace import Workspace

from tests.core.workspace.workspaces import environment_in, workspace_at

SMALL_COMFYUI = Path(comfydock_cli.demo.__path__[0]) / "small_comfyui"
SECONDS = 20.0
SECRETS: dict[str, Any] = {
    "HF_TOKEN": "hf_x",
    "CIVITAI_API_KEY": "c",
    "AWS_PROFILE": "a",
    "HTTPS_PROXY": "http://me:word@proxy:1",
}
GOOD = "NODE_CLASS_MAPPINGS = {'Good': type('Good', (), {'INPUT_TYPES': dict, 'RETURN_TYPES': ()})}"
PATIENT = ProofLimits(seconds_to_start=SECONDS)
FORKING = """
import os, time
if not os.fork():
    os.setsid()
    open({file!r}, "w").write(f"{{os.getpid()}}\\n")
    time.sleep(600)
while not os.path.exists({file!r}): time.sleep(0.01)
NODE_CLASS_MAPPINGS = {{}}
"""
PROVING = """
import os, signal, sys
from pathlib import Path
from comfydock_core.workspace.comfyui_proof import prove
from comfydock_core.workspace.workspace import Workspace
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
workspace = Workspace.open(Path(sys.argv[1]), dict(os.environ))
prove(workspace, workspace.environment("studio"))
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return workspace_at(tmp_path, **SECRETS, HOME_OF="nobody")


@pytest.fixture
def environment(workspace: Workspace) -> Environment:
    """An environment with the small ComfyUI and one good pack, whose Python is this one."""
    found = environment_in(workspace)
    found.python.parent.mkdir(parents=True)
    found.python.symlink_to(sys.executable)
    shutil.copytree(SMALL_COMFYUI, found.comfyui_path)
    model = workspace.root / "models" / "checkpoints" / "m.safetensors"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"m")
    add_pack(found, "good", GOOD)
    return found


def add_pack(environment: Environment, name: str, code: str) -> Path:
    """Put a node pack into ``custom_nodes``."""
    folder = environment.custom_nodes_path / name
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(code, encoding="utf-8")
    return folder


def logged(workspace: Workspace, environment: Environment, limits: ProofLimits = PATIENT) -> str:
    """Prove, and return the environment's log."""
    log = workspace.log_path(environment.name)
    with workspace.reporter.log_to(log):
        prove(workspace, environment, limits)
    return log.read_text(encoding="utf-8")


def wait_for(happened: Callable[[], object]) -> None:
    """Return when it has happened; fail after SECONDS."""
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def left_over(environment: Environment) -> list[str]:
    """Return the processes that were started in an environment and are still there."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "args"], check=True, capture_output=True, text=True
    )
    return [line for line in listed.stdout.splitlines() if str(environment.path) in line]


def test_classes_and_choices_are_comfyuis(workspace: Workspace, environment: Environment) -> None:
    proof = prove(workspace, environment, PATIENT)
    assert (proof.started, proof.problem, proof.failed_packs) == (True, "", ())
    assert 0 < proof.seconds < SECONDS
    assert "Good" in proof.served
    loader = proof.served["CheckpointLoaderSimple"]
    assert loader["ckpt_name"] == {"m.safetensors"}
    assert not left_over(environment)
    assert not list((workspace.root / "cache" / "tmp").iterdir())


def test_its_output_is_logged_and_it_has_no_secrets(
    workspace: Workspace, environment: Environment
) -> None:
    add_pack(environment, "nosy", "import os; print(sorted(os.environ)); NODE_CLASS_MAPPINGS = {}")
    (line,) = (n for n in logged(workspace, environment).splitlines() if "'HOME_OF'" in n)
    assert "ComfyUI: [" in line
    assert not [name for name in (*SECRETS, "COMFYDOCK_UV_CACHE") if name in line]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (
            "import no_such_module",
            "ModuleNotFoundError: No module named 'no_such_module' (__init__.py, line 1)",
        ),
        ("\ndef (", "SyntaxError: invalid syntax (__init__.py, line 2)"),
        ("x = 1", "the lack of NODE_CLASS_MAPPINGS."),
        (
            "raise ValueError('\\x1b[31mred\\u202e')",
            r"ValueError: \x1b[31mred\u202e (__init__.py, line 1)",
        ),
    ],
)
def test_a_pack_that_fails_is_named_with_its_reason(
    workspace: Workspace, environment: Environment, code: str, reason: str
) -> None:
    add_pack(environment, "bad", code)
    proof = prove(workspace, environment, PATIENT)
    assert proof.started
    assert "Good" in proof.served
    (failed,) = proof.failed_packs
    assert failed.pack == "bad"
    assert failed.reason == reason


def test_nothing_that_a_pack_prints_acts_on_a_terminal(
    workspace: Workspace, environment: Environment
) -> None:
    add_pack(environment, "loud", "print('\\x1b]0;owned\\x07' * 3, '\\u202e')\nraise SystemExit(3)")
    log = logged(workspace, environment)
    assert r"\x1b]0;owned\x07" in log
    assert not {"\x1b", "\x07", "\u202e"} & set(log)


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (
            "import sys; sys.exit(5)",
            "it ended with exit code 5 before it answered: node pack `bad`: "
            "it ended ComfyUI while it was imported",
        ),
        (
            "import os; os._exit(0)",
            "it ended with exit code 0 before it answered: node pack `bad`: "
            "it ended ComfyUI while it was imported",
        ),
        (
            "class Odd(BaseException): pass\nraise Odd('way')",
            "it ended with exit code 1 before it answered: node pack `bad`: "
            "bad.Odd: way (__init__.py, line 2)",
        ),
        (
            "import ctypes\nctypes.string_at(0)",
            "it ended with exit code 139 before it answered: node pack `bad`: "
            "Fatal Python error: Segmentation fault (__init__.py, line 2)",
        ),
    ],
)
def test_a_pack_that_ends_comfyui_is_named(
    workspace: Workspace, environment: Environment, code: str, problem: str
) -> None:
    add_pack(environment, "awful", "raise ValueError('harmless')")
    add_pack(environment, "bad", code)
    proof = prove(workspace, environment, PATIENT)
    module = f"{environment.custom_nodes_path}/"
    assert not proof.started
    assert proof.problem.replace(module, "") == problem
    assert len(proof.last_lines) == 5
    assert not left_over(environment)


def test_a_pack_that_hangs_is_named_in_time(workspace: Workspace, environment: Environment) -> None:
    add_pack(environment, "slow", "import time\nprint('here', flush=True)\ntime.sleep(600)")
    proof = prove(workspace, environment, ProofLimits(seconds_to_start=1.5))
    stands = FailedPack(pack="slow", reason="it stands still (__init__.py, line 3)")
    assert stands in proof.failed_packs
    assert proof.problem.startswith("it did not answer within 1.5 s: node pack `slow`: it stands")
    assert not left_over(environment)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux finds who left the session")
def test_what_a_pack_starts_does_not_stay(
    workspace: Workspace, environment: Environment, tmp_path: Path
) -> None:
    file = tmp_path / "child"
    add_pack(environment, "forking", FORKING.format(file=str(file)))
    proof = prove(workspace, environment, PATIENT)
    assert proof.started
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.read_text()), 0)


@contextmanager
def another_comfyui() -> Iterator[int]:
    """Answer as a ComfyUI that is not ours."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"system": {"argv": ["main.py"]}, "Other": {"input": {}}}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_port_that_was_taken_meanwhile_is_given_up(
    workspace: Workspace, environment: Environment
) -> None:
    with another_comfyui() as taken:
        ports = iter((taken, free_port()))
        limits = ProofLimits(seconds_to_start=SECONDS, port=lambda: next(ports))
        proof = prove(workspace, environment, limits)
    assert proof.started
    assert "Good" in proof.served
    assert "Other" not in proof.served


@pytest.mark.parametrize(
    ("limits", "body", "problem"),
    [
        (ProofLimits(answer_size=100), "", "the answer of `/object_info` is over 0 MiB"),
        (
            ProofLimits(seconds_to_answer=0.5),
            "import time; time.sleep(600)",
            "`/object_info` is not answered in 0.5 s",
        ),
        (ProofLimits(), "return b'[' * 100_000", "`/object_info` cannot be read as JSON"),
        (ProofLimits(), "return []", "`/object_info` names no node classes"),
        (ProofLimits(), "return None", "`/object_info` answers with status 404"),
    ],
)
def test_an_answer_that_is_none_is_a_problem(
    workspace: Workspace, environment: Environment, limits: ProofLimits, body: str, problem: str
) -> None:
    if body:
        code = f"import server\ndef f(*_):\n    {body}\nserver.ANSWERS['object_info'] = f\n{GOOD}"
        add_pack(environment, "lying", code)
    proof = prove(workspace, environment, limits)
    assert not proof.started
    assert proof.problem.startswith(problem)
    assert not left_over(environment)


def test_a_python_that_is_gone_is_a_problem(workspace: Workspace, environment: Environment) -> None:
    environment.python.unlink()
    proof = prove(workspace, environment, PATIENT)
    assert (proof.started, proof.problem) == (False, "`studio` has no Python any more")


def test_an_interrupt_leaves_nothing_behind(
    workspace: Workspace, environment: Environment, tmp_path: Path
) -> None:
    waiting = tmp_path / "waiting"
    add_pack(
        environment, "slow", f"import time\nopen({str(waiting)!r}, 'w').close()\ntime.sleep(600)"
    )
    ours = subprocess.Popen(
        [sys.executable, "-c", PROVING, str(workspace.root)],
        env=dict(workspace.process_environment) | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(waiting.exists)
    assert left_over(environment)
    ours.send_signal(signal.SIGINT)
    said = ours.communicate(timeout=SECONDS)[1]
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert not left_over(environment)
    assert not list((workspace.root / "cache" / "tmp").iterdir())

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from comfydock_core.storage.watched_process import watched_process

SECONDS = 20.0
LEAVE_A_CHILD = """
import os, sys, time
pid = os.fork()
if not pid:
    {leave}
    open(sys.argv[1], "w").write(str(os.getpid()) + "\\n")
    time.sleep(600)
print("started", flush=True)
{then}
"""
WAIT = "while not os.path.exists(sys.argv[1]): time.sleep(0.01)\n"
LEAVING = {
    "in the group": "pass",
    "in a session of its own": "os.setsid()",
    "a daemon": "os.setsid()\n    if os.fork(): os._exit(0)",
    "deaf to signals": "import signal; signal.signal(2, signal.SIG_IGN); signal.signal(15, 1)",
}
WATCHING = """
import signal, sys
from pathlib import Path
from comfydock_core.storage.watched_process import watched_process
# A shell's background, and nohup, ignore these.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
with watched_process(sys.argv[1:], folder=Path.cwd(), environment={}) as process:
    while not process.ended(60):
        pass
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes of POSIX")


def wait_for(happened: Callable[[], object]) -> None:
    """Return when it has happened; fail after SECONDS."""
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def number_in(file: Path) -> int:
    """Return the process number that a child wrote down, once it is whole."""
    wait_for(lambda: file.exists() and file.read_text().endswith("\n"))
    return int(file.read_text())


def is_alive(number: int) -> bool:
    """Tell whether a process is there and no zombie."""
    words = ["ps", "-o", "stat=", "-p", str(number)]
    state = subprocess.run(words, check=False, capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


def run(code: str, folder: Path, *words: str) -> tuple[int | None, bytes]:
    """Run Python code to its end under the watch."""
    command = (sys.executable, "-c", code, *words)
    with watched_process(command, folder=folder, environment={"A": "b"}) as process:
        assert process.ended(SECONDS)
    return process.exit_code, process.output()


@pytest.mark.parametrize(
    ("code", "exit_code", "printed"),
    [
        ("print('hello')", 0, b"hello\n"),
        ("raise SystemExit(7)", 7, b""),
        ("import os; os.kill(os.getpid(), 9)", 137, b""),
        ("import os; print(os.environ['A'], os.getcwd() != '/')", 0, b"b True\n"),
        ("import sys; print(sys.stdin.read())", 0, b"\n"),
    ],
)
def test_exit_code_and_output_are_the_programs(
    tmp_path: Path, code: str, exit_code: int, printed: bytes
) -> None:
    assert run(code, tmp_path) == (exit_code, printed)


def test_the_middle_of_endless_output_is_dropped(tmp_path: Path) -> None:
    _, printed = run("print('first'); print('x' * (20 << 20)); print('last')", tmp_path)
    assert printed.startswith(b"first\n")
    assert b"\n(...)\n" in printed
    assert printed.endswith(b"last\n")
    assert len(printed) < 5 << 20


def test_a_program_may_clean_up_behind_an_interrupt(tmp_path: Path) -> None:
    code = (
        "import time\nprint('up', flush=True)\n"
        "try: time.sleep(600)\nexcept KeyboardInterrupt: print('cleaned')"
    )
    command = (sys.executable, "-c", code)
    with watched_process(command, folder=tmp_path, environment={}) as process:
        wait_for(lambda: b"up" in process.output())
    assert process.output() == b"up\ncleaned\n"
    assert process.exit_code == 0


def test_where_a_program_stands_still_is_said(tmp_path: Path) -> None:
    code = "import time\nprint('up', flush=True)\ntime.sleep(600)"
    command = (sys.executable, "-X", "faulthandler", "-c", code)
    with watched_process(command, folder=tmp_path, environment={}) as process:
        wait_for(lambda: b"up" in process.output())
        process.say_where()
    assert b"Fatal Python error: Aborted" in process.output()
    assert b'File "<string>", line 3 in <module>' in process.output()
    assert not list(tmp_path.glob("core*"))


@pytest.mark.parametrize("then", ["time.sleep(600)", "raise SystemExit(0)"])
@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux finds who left the group")
def test_nothing_that_it_started_stays(tmp_path: Path, leave: str, then: str) -> None:
    file = tmp_path / "child"
    code = LEAVE_A_CHILD.format(leave=leave, then=WAIT + then)
    command = (sys.executable, "-c", code, str(file))
    with watched_process(command, folder=tmp_path, environment={}) as process:
        child = number_in(file)
        assert "SystemExit" not in then or process.ended(SECONDS)
    assert not is_alive(child)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_it_ends_with_us_however_we_end(tmp_path: Path, number: int) -> None:
    file = tmp_path / "child"
    sleeping = LEAVE_A_CHILD.format(leave="pass", then="time.sleep(600)")
    words = [sys.executable, "-c", WATCHING, sys.executable, "-c", sleeping, str(file)]
    ours = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.DEVNULL)
    child = number_in(file)
    ours.send_signal(number)
    ours.wait(SECONDS)
    wait_for(lambda: not is_alive(child))


def test_a_program_that_is_not_there_is_an_exit_code(tmp_path: Path) -> None:
    with watched_process(["/no/such/program"], folder=tmp_path, environment={}) as process:
        assert process.ended(SECONDS)
    assert process.exit_code == 1
    assert b"No such file" in process.output()

from __future__ import annotations

from typing import Any

import pytest
from comfydock_core.domain.manifest import TorchSpec
from comfydock_core.domain.preflight import DiskNeed
from comfydock_core.importing.preflight import (
    Computing,
    DiskUse,
    PythonFacts,
    SourceCheck,
    bytes_of,
    disk_needs,
    disk_problems,
    hardware_problems,
    hardware_text,
    python_problems,
    python_text,
    sender_text,
    unreachable_problem,
)

from tests.core.importing.summaries import aggregate, bundle

GB = 2**30


@pytest.mark.parametrize(
    ("facts", "text", "choices"),
    [
        ({"found": "/usr/bin/python3.11"}, "3.11 (on this machine)", None),
        (
            {"fetchable": "3.11.9", "host": "builds.example"},
            "3.11.9 (uv will fetch it from builds.example)",
            None,
        ),
        (
            {"here": ("3.12.1",), "elsewhere": ("3.13.0", "3.12.9")},
            "3.11 (not to be had here)",
            "choose another one with --python VERSION "
            "(on this machine: 3.12.1; to be fetched by uv: 3.13.0, 3.12.9)",
        ),
        (
            {},
            "3.11 (not to be had here)",
            "install that Python, or name another with --python VERSION",
        ),
    ],
)
def test_a_python_is_here_or_fetched_or_chosen(
    facts: dict[str, Any], text: str, choices: str | None
) -> None:
    found = PythonFacts(wanted="3.11", **facts)
    assert python_text(found) == text
    assert [p.hint for p in python_problems(found) if p.blocking] == [choices] * (
        choices is not None
    )


CARD = {"accelerator": "cuda", "card": "RTX 4090", "driver": "580.65"}


@pytest.mark.parametrize(
    ("here", "shown", "expected"),
    [
        (
            {"system": "linux", **CARD},
            "torch backend auto (Linux: CUDA, RTX 4090, driver 580.65)",
            "auto",
        ),
        (
            {"system": "darwin", "accelerator": "mps"},
            "torch backend auto (macOS: Metal (mps))",
            "cpu",
        ),
        (
            {"system": "win32", "accelerator": "none", "backend": "cu128"},
            "torch backend cu128 (Windows: no graphics card found)",
            "cu128",
        ),
        (
            {"system": "linux", "accelerator": "none"},
            "torch backend auto (Linux: no graphics card found)",
            "cpu",
        ),
    ],
)
def test_what_computes_here_is_said(here: dict[str, str], shown: str, expected: str) -> None:
    computing = Computing(**here)
    assert (hardware_text(computing), computing.expected_backend) == (shown, expected)


@pytest.mark.parametrize(
    ("accelerator", "backend", "theirs", "said"),
    [
        ("cuda", "auto", "cu128", ""),
        ("none", "auto", "cpu", ""),
        ("none", "auto", "", ""),
        ("none", "auto", "cu128", "the sender computed with cu128"),
        ("none", "cpu", "rocm6.4", "the sender computed with rocm6.4"),
        ("mps", "auto", "cu128", ""),
        ("none", "cu128", "cu128", "no CUDA graphics card was found here"),
        ("cuda", "rocm6.4", "cu128", "no ROCm graphics card was found here"),
        ("rocm", "rocm6.4", "cu128", ""),
        ("none", "xpu", "xpu", ""),
    ],
)
def test_a_backend_without_its_card_is_pointed_out(
    accelerator: str, backend: str, theirs: str, said: str
) -> None:
    here = Computing(system="linux", accelerator=accelerator, backend=backend)
    problems = hardware_problems(here, TorchSpec(version="2.9", backend=theirs))
    assert [said in problem.sentence for problem in problems] == [True] * bool(said)
    assert not any(problem.blocking for problem in problems)


def test_the_senders_machine_is_said_as_far_as_it_is_known() -> None:
    torch = TorchSpec(version="2.9.1", backend="cu128")
    assert sender_text(bundle(platform="win32"), torch) == "Windows, torch 2.9.1 (cu128)"
    assert sender_text(bundle(platform=""), TorchSpec()) == ""
    assert sender_text(bundle(platform="x" * 500), TorchSpec()) == "x" * 40


def use(device: int, certain: int = 0, estimated: int = 0, place: str = "/models") -> DiskUse:
    return DiskUse(place=place, device=device, free=10 * GB, certain=certain, estimated=estimated)


def test_needs_are_added_up_for_each_file_system() -> None:
    uses = [use(1, certain=4 * GB), use(2, estimated=GB, place="/home"), use(1, 1, 2, "/other")]
    assert disk_needs(uses) == (
        DiskNeed(place="/models", certain=4 * GB + 1, estimated=2, free=10 * GB),
        DiskNeed(place="/home", certain=0, estimated=GB, free=10 * GB),
    )
    assert disk_needs([use(1)]) == ()


@pytest.mark.parametrize(
    ("certain", "estimated", "blocking"),
    [
        (0, 0, None),
        (8 * GB, 0, None),
        (8 * GB, GB + 1, False),
        (9 * GB + 1, 0, False),
        (10 * GB, 0, True),
        (11 * GB, 0, True),
        (0, 11 * GB, False),
        (2 * GB, 11 * GB, False),
    ],
)
def test_only_what_is_certain_refuses(certain: int, estimated: int, blocking: bool | None) -> None:
    need = DiskNeed(place="/models", certain=certain, estimated=estimated, free=10 * GB)
    problems = disk_problems([need])
    assert [problem.blocking for problem in problems] == [blocking] * (blocking is not None)
    assert all("`/models` has 10.0 GB left" in problem.sentence for problem in problems)


@pytest.mark.parametrize(
    ("certain", "free", "says", "fewer"),
    [
        (24 << 10, 12 << 20, "needs 24.0 KB and 16.0 MB to spare, `/m` has 12.0 MB left", False),
        (GB, 512 << 20, "needs 1.0 GB and 16.0 MB to spare, `/m` has 512.0 MB left", True),
    ],
)
def test_a_refusal_says_how_much_is_needed_and_what_can_help(
    certain: int, free: int, says: str, fewer: bool
) -> None:
    (problem,) = disk_problems([DiskNeed(place="/m", certain=certain, estimated=0, free=free)])
    assert says in problem.sentence
    assert ("--models required" in problem.hint) is fewer


def test_hosts_that_could_not_be_asked_are_named_once() -> None:
    (problem,) = unreachable_problem(["a.org", "b.org", "a.org"])
    assert problem.sentence.startswith("`a.org`, `b.org` could not be asked")
    assert not problem.blocking
    assert unreachable_problem([]) == ()
    (many,) = unreachable_problem([f"h{n}" for n in range(900)])
    assert "`h5` and 894 more could not" in many.sentence


def test_bytes_are_counted_once_and_less_what_has_arrived() -> None:
    models = [
        aggregate(key="1" * 16, size=100),
        aggregate(key="2" * 16, size=50),
        aggregate(key="3" * 16, content=""),
        aggregate(key="4" * 16, content=""),
    ]
    checks = {"3" * 16: SourceCheck(size=7), "4" * 16: SourceCheck()}
    assert bytes_of(models, checks, {"2" * 16: 30}) == 100 + 20 + 7
    assert bytes_of([models[0], models[0]], {}, {"1" * 16: 500}) == 0

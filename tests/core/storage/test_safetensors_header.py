"""Which files are whole safetensors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from comfydock_core.domain.tensor_facts import TensorFacts
from comfydock_core.storage.safetensors_header import header_problem, safetensors_facts


def tensors(header: object, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


TWO = {"__metadata__": {"a": "b"}, "x": {"data_offsets": [0, 4]}, "y": {"data_offsets": [4, 6]}}
FILES = (
    (tensors(TWO, b"sixsix"), ""),
    (tensors({}, b""), ""),
    (tensors(TWO, b"five5"), "its header speaks of"),
    (tensors(TWO, b"seven77"), "its header speaks of"),
    (b"", "does not begin"),
    (b"<!doctype html><html>", "does not begin"),
    ((10).to_bytes(8, "little") + b"{}", "does not begin"),
    ((2**63).to_bytes(8, "little") + b"{}", "does not begin"),
    (tensors([1], b""), "cannot be read"),
    (tensors({"x": {"data_offsets": ["0", "4"]}}, b""), "cannot be read"),
    (tensors({"x": {"data_offsets": [0]}}, b""), "cannot be read"),
    (tensors({"x": 5}, b""), "cannot be read"),
    ((5).to_bytes(8, "little") + b"\xff{}{}", "cannot be read"),
    ((4000).to_bytes(8, "little") + b"[" * 4000, "cannot be read"),
    (tensors({"x": [[]] * 500_001}, b""), "cannot be read"),
    (tensors({"x": [0] * 3_000_002}, b""), "cannot be read"),
    (tensors({"x": {"data_offsets": [0, float("inf")]}}, b""), "its header speaks of inf"),
)


@pytest.mark.parametrize(("data", "problem"), FILES)
def test_the_header_is_held_against_the_size(tmp_path: Path, data: bytes, problem: str) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    found = header_problem(path)
    assert problem in found
    assert bool(found) == bool(problem)


SDXL = {
    "__metadata__": {"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"},
    "x": {"dtype": "F16", "data_offsets": [0, 4]},
    "y": {"dtype": "F32", "data_offsets": [4, 6]},
}
TOLD = TensorFacts(architecture="sdxl", precision="fp16", tensors=2)


@pytest.mark.parametrize(
    ("data", "facts"),
    [
        (tensors(SDXL, b"sixsix"), TOLD),
        (
            tensors({**SDXL, "__metadata__": {"modelspec.architecture": 5}}, b"sixsix"),
            TensorFacts(precision="fp16", tensors=2),
        ),
        (tensors({**SDXL, "__metadata__": []}, b"sixsix"), None),
        (tensors(TWO, b"sixsix"), None),
        (tensors({}, b""), None),
        (tensors([1], b""), None),
        (b"<!doctype html>", None),
        ((4000).to_bytes(8, "little") + b"[" * 4000, None),
        (tensors({"x": {"dtype": "F16", "data_offsets": [0, float("inf")]}}, b""), None),
    ],
)
def test_the_header_tells_what_a_model_is(
    tmp_path: Path, data: bytes, facts: TensorFacts | None
) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    assert safetensors_facts(path) == facts


def test_a_file_that_is_gone_tells_nothing(tmp_path: Path) -> None:
    assert safetensors_facts(tmp_path / "gone.safetensors") is None

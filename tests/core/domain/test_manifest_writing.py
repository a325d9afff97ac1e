from __future__ import annotations

import pytest
from comfydock_core.domain.manifest import Manifest
from comfydock_core.domain.manifest_parsing import parse_manifest
from comfydock_core.domain.manifest_writing import TORCH_STACK, is_torch_stack, project_tables
from hypothesis import given, settings

from tests.core.domain.manifests import manifests

SMALL = Manifest(name="My.Env-", comfyui_version="v0.3.75", python_version="3.11.9")


@given(manifests)
@settings(max_examples=25, deadline=None)
def test_what_is_written_parses_to_the_same(manifest: Manifest) -> None:
    assert parse_manifest(project_tables(manifest)) == manifest


def test_what_says_nothing_is_left_out() -> None:
    assert project_tables(SMALL)["tool"]["comfydock"] == {
        "version": "2.0.0",
        "comfyui_version": "v0.3.75",
        "python_version": "3.11.9",
    }


def test_uv_is_told_one_python_and_no_torch() -> None:
    tables = project_tables(SMALL, ["a==1"])
    assert tables["project"]["name"] == "comfydock-env-my.env"
    assert tables["project"]["requires-python"] == "==3.11.*"
    assert tables["tool"]["uv"] == {
        "package": False,
        "exclude-dependencies": list(TORCH_STACK),
        "constraint-dependencies": ["a==1"],
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("torch", True),
        ("triton-windows", True),
        ("nvidia-cudnn-cu12", True),
        ("rocm", True),
        ("torchsde", False),
        ("torchmetrics", False),
        ("nvidia-ml-py", False),
        ("pytorch-lightning", False),
        ("numpy", False),
    ],
)
def test_the_torch_stack(name: str, expected: bool) -> None:
    assert is_torch_stack(name) is expected

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.tensor_facts import TensorFacts
from comfydock_core.resolution.substitutes import can_stand_in, find_substitutes, named_models

from tests.core.importing.summaries import aggregate

WANTED = aggregate(filename="anime_sdxl_fp16.safetensors", size=1000)


def local(path: str, *, size: int = 5, key: str = "") -> ModelWithLocation:
    name = path.rpartition("/")[2]
    return ModelWithLocation(
        hash=key or hashlib.sha256(path.encode()).hexdigest()[:16],
        filename=name,
        size=size,
        relative_path=path,
        category=path.partition("/")[0],
        path=f"/models/{path}",
    )


SDXL = TensorFacts(architecture="sdxl", precision="fp16", tensors=1)
FLUX = TensorFacts(architecture="flux", precision="fp16", tensors=1)


@pytest.mark.parametrize(
    ("path", "size", "facts", "words"),
    [
        ("loras/x.sft", 5, SDXL, "same architecture and precision (sdxl, fp16), also in loras"),
        ("loras/x.sft", 5, replace(SDXL, precision="fp8"), "same architecture (sdxl), another pre"),
        ("loras/x.sft", 5, FLUX, "another architecture (flux), same precision (fp16)"),
        ("loras/x.sft", 5, None, "also in loras"),
        ("loras/x.sft", 1001, None, "nearly the same size, also in loras"),
        ("loras/anime_sdxl_fp8.sft", 5, None, "same architecture (sdxl), another precision (fp8)"),
        ("loras/anime.sdxl-fp16 v2.sft", 5, SDXL, "a similar name"),
        ("loras/x.pt", 5, None, "a pickle file, which can run code when it is loaded"),
        ("loras/x.sft", 5, TensorFacts(architecture="vae", precision=""), "another architecture"),
    ],
)
def test_the_reason_is_said(path: str, size: int, facts: TensorFacts | None, words: str) -> None:
    [found] = find_substitutes(WANTED, [local(path, size=size)], lambda _: facts)
    assert words in found.reason


def test_nothing_is_claimed_of_a_name_that_tells_nothing() -> None:
    wanted = aggregate(filename="mystery.sft", size=1000)
    [found] = find_substitutes(wanted, [local("loras/x.sft")], lambda _: SDXL)
    assert found.reason == "sdxl, fp16, also in loras"


def test_the_best_comes_first_and_pickles_come_last() -> None:
    facts = {"b_xl.sft": SDXL, "anime_flux.sft": FLUX, "anime_sdxl_fp16.pt": None, "c.sft": None}
    library = [local(f"loras/{name}") for name in facts]
    found = find_substitutes(WANTED, library, lambda model: facts[model.filename])
    assert [each.model.filename for each in found] == [
        "b_xl.sft",
        "c.sft",
        "anime_flux.sft",
        "anime_sdxl_fp16.pt",
    ]


def test_only_what_the_loader_sees_is_offered_once() -> None:
    one, copy = local("loras/x.sft", key="1" * 16), local("loras/copy/x.sft", key="1" * 16)
    itself = local("loras/itself.sft", key=WANTED.key)
    library = [one, copy, itself, local("vae/x.sft"), local("x.sft")]
    assert [each.model for each in find_substitutes(WANTED, library, lambda _: None)] == [one]
    assert not can_stand_in(aggregate(category=""), one)


def test_headers_are_read_of_the_likeliest_files_only() -> None:
    library = [local(f"loras/{number}.sft") for number in range(100)]
    read: list[ModelWithLocation] = []
    found = find_substitutes(WANTED, [*library, local("loras/anime.sft")], read.append)
    assert len(read) == 40
    assert found[0].model.filename == "anime.sft"


LIBRARY = [
    local("loras/a.sft", key="1" * 16),
    local("loras/copy/a.sft", key="1" * 16),
    local("vae/a.sft", key="2" * 16),
    local("vae/b.sft", key="3" * 16),
]


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("loras/a.sft", ["loras/a.sft"]),
        ("vae\\a.sft", ["vae/a.sft"]),
        ("/models/loras/copy/a.sft", ["loras/copy/a.sft"]),
        ("b.sft", ["vae/b.sft"]),
        ("a.sft", ["vae/a.sft", "loras/a.sft"]),
        ("c.sft", []),
        ("", []),
    ],
)
def test_a_person_names_a_model(name: str, paths: list[str]) -> None:
    assert [model.relative_path for model in named_models(name, LIBRARY)] == paths

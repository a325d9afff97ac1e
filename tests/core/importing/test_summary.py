from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from comfydock_core.domain.acquisition import CodeOrigin
from comfydock_core.domain.bundle import BundleFile, KnownIssue
from comfydock_core.domain.lock import LockedPackage
from comfydock_core.domain.manifest import (
    Manifest,
    ManifestWorkflow,
    ManifestWorkflowModel,
    NodeInfo,
)
from comfydock_core.importing.summary import (
    DevelopmentSource,
    OpenedBundle,
    Surroundings,
    free_name,
    summarise,
)

from tests.core.importing.summaries import KEY, OFFICIAL, bundle, content, manifest

HERE = Surroundings(
    environment_names=frozenset(),
    comfyui_repository=OFFICIAL,
    registry="https://api.comfy.org",
    version="2.0.0",
)


def opened(given: Manifest | None = None, **changes: Any) -> OpenedBundle:
    values: dict[str, Any] = {"bundle": bundle(), "lock": (), "development": (), "digest": "d"}
    return OpenedBundle(manifest=given or manifest(), **values | changes)


def code(bundle: OpenedBundle, kind: str) -> list[CodeOrigin]:
    return [origin for origin in summarise(bundle, "", HERE).code if origin.kind == kind]


def flow(*models: ManifestWorkflowModel) -> dict[str, ManifestWorkflow]:
    return {"w": ManifestWorkflow(name="w", path="workflows/w.json", models=models)}


def used(filename: str, **more: Any) -> ManifestWorkflowModel:
    return ManifestWorkflowModel(
        filename=filename, category="loras", criticality="required", status="resolved", **more
    )


@pytest.mark.parametrize(
    ("name", "taken", "expected"),
    [
        ("a", (), "a"),
        ("a", ("b",), "a"),
        ("a", ("a",), "a-1"),
        ("a", ("a", "a-1", "a-3"), "a-2"),
        ("A", ("a",), "A-1"),
        ("a" * 63, ("a" * 63,), "a" * 61 + "-1"),
    ],
)
def test_a_taken_name_gets_a_suffix(name: str, taken: tuple[str, ...], expected: str) -> None:
    assert free_name(name, frozenset(taken)) == expected


def test_the_name_that_was_asked_for_wins() -> None:
    here = replace(HERE, environment_names=frozenset({"studio", "mine"}))
    found = summarise(opened(), "", here)
    assert (found.requested_name, found.environment) == ("studio", "studio-1")
    found = summarise(opened(), "mine", here)
    assert (found.requested_name, found.environment, found.digest) == ("mine", "mine-1", "d")


@pytest.mark.parametrize(
    ("theirs", "warned"),
    [
        ("2.0.0", False),
        ("1.9.9", False),
        ("2.0.0rc1", False),
        ("2.0.1", True),
        ("10.0", True),
        ("", True),
        ("²", True),
        ("9" * 6000, True),
        ("nonsense", True),
    ],
)
def test_a_newer_exporter_is_pointed_out(theirs: str, warned: bool) -> None:
    told = opened(bundle=bundle(comfydock_version=theirs), warnings=("first",))
    warnings = summarise(told, "", HERE).warnings
    assert warnings[0] == "first"
    assert len(warnings) == 1 + warned


def test_every_host_is_named_once() -> None:
    nodes = {
        "g": NodeInfo(name="g", source="git", version="0" * 40, repository="https://git.org/g"),
        "r": NodeInfo(
            name="r", source="registry", version="1", download_url="https://cdn.org/r.zip"
        ),
    }
    model = content("loras/a.sft", sources=("https://one.org/a", "https://one.org/b"))
    given = manifest(nodes, flow(used("a.sft", hash=KEY, sources=("http://two.org:8080/a",))))
    found = summarise(opened(replace(given, models={KEY: model})), "", HERE)
    assert found.hosts == (
        *("github.com", "git.org", "api.comfy.org", "cdn.org"),
        *("one.org", "two.org:8080"),
    )
    assert found.total_size == 5
    assert summarise(opened(), "", HERE).hosts == ("github.com",)


@pytest.mark.parametrize(
    ("repository", "pinned"),
    [
        (OFFICIAL, True),
        (OFFICIAL + ".git", True),
        ("https://github.com/Comfy-Org/ComfyUI", True),
        ("https://github.com/someone/ComfyUI", False),
        ("https://github.com.evil.org/comfyanonymous/ComfyUI", False),
        ("http://github.com/comfyanonymous/ComfyUI", False),
        ("", False),
    ],
)
def test_only_a_known_comfyui_is_vouched_for(repository: str, pinned: bool) -> None:
    [origin] = code(opened(manifest(repository=repository)), "comfyui")
    assert (origin.name, origin.pinned) == ("v0.3.75", pinned)
    assert repository in origin.detail


@pytest.mark.parametrize(
    ("node", "pinned", "words"),
    [
        (
            NodeInfo(name="n", source="registry", version="1", sha256="f" * 64),
            True,
            "sha256 ffffff",
        ),
        (NodeInfo(name="n", source="registry", version="1"), False, "no digest recorded"),
        (
            NodeInfo(name="n", source="registry", version="1", registry_id="other"),
            False,
            "registry other v1",
        ),
        (
            NodeInfo(name="n", source="git", version="a" * 40, repository="https://h.org/n"),
            False,
            "https://h.org/n at aaaaaaaa",
        ),
        (
            NodeInfo(name="n", source="development"),
            False,
            "3 files in the bundle, sha256 eeeeeeeeeeee, brings install.py",
        ),
    ],
)
def test_nodes_are_code(node: NodeInfo, pinned: bool, words: str) -> None:
    source = DevelopmentSource(name="n", files=3, digest="e" * 64, scripts=("install.py",))
    [origin] = code(opened(manifest({node.name: node}), development=(source,)), node.source)
    assert (origin.name, origin.pinned) == (node.name, pinned)
    assert words in origin.detail


def test_a_development_node_without_its_source_brings_no_code() -> None:
    told = opened(manifest({"m": NodeInfo(name="m", source="development")}))
    assert not code(told, "development")
    assert summarise(told, "", HERE).absent == {"m"}


def test_another_tool_has_no_version_to_compare() -> None:
    told = opened(bundle=bundle(comfydock_version="", tool="ComfyGit"))
    assert not summarise(told, "", HERE).warnings


def test_a_package_without_a_built_file_is_code() -> None:
    lock = (
        LockedPackage(name="built", version="1", source="registry", wheels=1),
        LockedPackage(name="raw", version="2", source="registry"),
    )
    assert [o.name for o in code(opened(lock=lock), "python-source")] == ["raw 2"]


@pytest.mark.parametrize(
    ("filename", "path", "found"),
    [
        ("a.safetensors", "loras/a.safetensors", False),
        ("a.ckpt", "loras/a.ckpt", True),
        ("a.PT", "loras/a.PT", True),
        ("a.safetensors", "loras/a.ckpt", True),
        ("a.safetensors", "loras/a.CKPT", True),
        ("a.pth", "loras/a.safetensors", True),
    ],
)
def test_a_pickle_is_found_under_each_of_its_names(filename: str, path: str, found: bool) -> None:
    model = content(path)
    given = manifest(workflows=flow(used(filename, hash=KEY)), models={KEY: model})
    assert [o.name for o in code(opened(given), "pickle")] == ([filename] if found else [])


def test_a_pickle_without_content_is_found_by_the_workflows_path() -> None:
    given = manifest(workflows=flow(used("a.safetensors", relative_path="loras/a.pkl")))
    [origin] = code(opened(given), "pickle")
    assert not origin.pinned


FILE = BundleFile(size=5, sha256="b" * 64)


@pytest.mark.parametrize(
    ("files", "digest", "inside"),
    [
        ({"loras/a.safetensors": FILE}, "b" * 64, True),
        ({"loras/a.safetensors": FILE}, "B" * 64, True),
        ({"loras/a.safetensors": FILE}, "", True),
        ({"loras/a.safetensors": FILE}, "c" * 64, False),
        ({"loras/a.safetensors": BundleFile(size=6, sha256="b" * 64)}, "", False),
        ({"vae/a.safetensors": FILE}, "b" * 64, False),
        ({}, "b" * 64, False),
    ],
)
def test_a_model_is_inside_where_its_file_is_what_the_manifest_says(
    files: dict[str, BundleFile], digest: str, inside: bool
) -> None:
    known = {KEY: content("loras/a.safetensors", sha256_hash=digest, sources=("https://h.org/a",))}
    given = manifest(workflows=flow(used("a.safetensors", hash=KEY)), models=known)
    found = summarise(opened(given, models=files), "", HERE)
    assert found.inside == (frozenset({KEY}) if inside else frozenset())
    assert ("h.org" in found.hosts) != inside


def test_what_the_sender_left_open_is_a_warning() -> None:
    issues = tuple(
        KnownIssue(workflow="w", kind="node", subject=f"N{n}", sentence=f"`N{n}` is missing")
        for n in range(22)
    )
    names = tuple(f"{n}.png" for n in range(21))
    told = bundle(issues=issues, missing_inputs=names)
    warnings = summarise(opened(bundle=told), "", HERE).warnings
    assert warnings[0] == "the sender left this open: w: `N0` is missing"
    assert warnings[20] == "the sender left 2 more things open"
    assert warnings[21].startswith("files that workflows load are not in the bundle: 0.png, 1.png")
    assert warnings[21].endswith("19.png and 1 more")
    assert len(warnings) == 22

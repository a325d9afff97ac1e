from __future__ import annotations

import pytest
from comfydock_core.domain.manifest import (
    ManifestWorkflow,
    ManifestWorkflowModel,
    NodeReference,
)
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.workflow_models import ModelReference
from comfydock_core.resolution.models import ModelResolution, resolve_models

SHA = "ab" * 32
Known = tuple[ModelWithLocation, ...]


def here(relative_path: str, key: str = "", sha256: str = "") -> ModelWithLocation:
    folder, _, _ = relative_path.partition("/")
    return ModelWithLocation(
        hash=key or relative_path,
        filename=relative_path.rpartition("/")[2],
        size=1,
        relative_path=relative_path,
        category=folder,
        path=f"/models/{relative_path}",
        sha256_hash=sha256,
    )


def asked(value: str, category: str = "loras", sha256: str = "") -> ModelReference:
    place = NodeReference(node_id="1", node_type="LoraLoader", widget_value=value)
    return ModelReference(reference=place, category=category, sha256=sha256)


def resolve(reference: ModelReference, known: Known, key: str = "") -> ModelResolution:
    entry = ManifestWorkflowModel(
        filename="x",
        category="loras",
        criticality="flexible",
        status="resolved",
        nodes=(reference.reference,),
        hash=key,
    )
    recorded = ManifestWorkflow(name="w", path="workflows/w.json", models=(entry,))
    (found,) = resolve_models([reference], recorded if key else None, known)
    return found


@pytest.mark.parametrize(
    ("reference", "known", "state", "chosen", "reason"),
    [
        (asked("a.sft"), (here("loras/a.sft"), here("vae/a.sft")),
         "verified", "loras/a.sft", "exactly"),
        (asked("s\\a.sft"), (here("loras/s/a.sft"),), "verified", "loras/s/a.sft", "separator"),
        (asked("S\\A.sft"), (here("loras/s/a.sft"),), "probable", "loras/s/a.sft", "case"),
        (asked("old/a.sft"), (here("loras/new/a.sft"),),
         "probable", "loras/new/a.sft", "only file of that name"),
        (asked("a.sft"), (here("vae/a.sft"),), "probable", "vae/a.sft", "may not look"),
        (asked("a.sft", "diffusion_models"), (here("unet/a.sft"),),
         "verified", "unet/a.sft", "exactly"),
        (asked("a.sft", ""), (here("anything/a.sft"),), "verified", "anything/a.sft", "exactly"),
        (asked("loras/a.sft", ""), (here("loras/a.sft"),), "verified", "loras/a.sft", "exactly"),
        (asked("x/a.sft"), (here("loras/1/a.sft"), here("loras/2/a.sft")),
         "ambiguous", None, "2 different files"),
        (asked("x/a.sft"), (here("loras/1/a.sft", "k"), here("loras/2/a.sft", "k")),
         "probable", "loras/1/a.sft", "has that name"),
        (asked("x/a.sft"), (here("vae/a.sft"), here("loras/2/a.sft")),
         "probable", "loras/2/a.sft", "has that name"),
        (asked("gro\u0308\u00dfe.sft"), (here("loras/gr\u00f6\u00dfe.sft"),),
         "probable", "loras/gr\u00f6\u00dfe.sft", "case"),
        (asked("gone.sft", sha256=SHA), (here("loras/renamed.sft", sha256=SHA),),
         "verified", "loras/renamed.sft", "SHA-256"),
        (asked("old/a.sft", sha256=SHA), (here("loras/a.sft", sha256=SHA),),
         "verified", "loras/a.sft", "SHA-256"),
        (asked("a.sft", sha256=SHA), (here("loras/a.sft", sha256="cd" * 32),),
         "ambiguous", None, "differs"),
        (asked("a.sft", sha256=SHA), (here("loras/a.sft"),), "verified", "loras/a.sft", "exactly"),
        (asked("zzz.sft"), (here("loras/a.sft"),), "missing", None, "no file of that name"),
        (asked("some choice"), (), "not-a-file", None, "no file"),
    ],
)  # fmt: skip
def test_states(
    reference: ModelReference, known: Known, state: str, chosen: str | None, reason: str
) -> None:
    found = resolve(reference, known)
    assert (found.state, found.model and found.model.relative_path) == (state, chosen)
    assert reason in found.reason


def test_what_the_manifest_says_comes_first() -> None:
    known = (here("loras/a.sft", "other"), here("loras/decided.sft", "key"))
    found = resolve(asked("a.sft"), known, "key")
    assert (found.state, found.model) == ("verified", known[1])


def test_of_two_copies_the_one_at_the_named_path_is_taken() -> None:
    known = (here("loras/0/a.sft", "key"), here("loras/b/a.sft", "key"), here("vae/a.sft", "key"))
    found = resolve(asked("b/a.sft"), known, "key")
    assert found.model == known[1]
    assert [each.model for each in found.candidates] == [known[1], known[0], known[2]]


def test_a_name_is_not_taken_where_the_manifest_names_other_content() -> None:
    found = resolve(asked("a.sft"), (here("loras/a.sft", "other"),), "key")
    assert (found.state, found.model) == ("missing", None)
    assert [each.reason for each in found.candidates] == ["it has that name"]


def test_a_changed_widget_is_resolved_anew() -> None:
    known = (here("loras/new.sft", "new"), here("loras/old.sft", "key"))
    entry = ManifestWorkflowModel(
        filename="old.sft",
        category="loras",
        criticality="flexible",
        status="resolved",
        nodes=(asked("old.sft").reference,),
        hash="key",
    )
    recorded = ManifestWorkflow(name="w", path="workflows/w.json", models=(entry,))
    (found,) = resolve_models([asked("new.sft")], recorded, known)
    assert found.model == known[0]


def test_close_names_are_suggested_where_the_node_looks() -> None:
    known = (here("loras/style_v2.sft"), here("vae/style_v3.sft"), here("loras/far.sft"))
    found = resolve(asked("style_v1.sft"), known)
    assert [each.model for each in found.candidates] == [known[0]]
    assert found.candidates[0].reason == "its name is similar"

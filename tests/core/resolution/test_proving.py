from __future__ import annotations

from typing import Any

import pytest
from comfydock_core.domain.comfyui_log import FailedPack
from comfydock_core.domain.manifest import ManifestWorkflow, ManifestWorkflowModel, NodeReference
from comfydock_core.domain.models import ModelWithLocation
from comfydock_core.domain.proof import Proof
from comfydock_core.domain.workflow import parse_workflow
from comfydock_core.domain.workflow_needs import needs_of
from comfydock_core.resolution.proving import proved_issues
from comfydock_core.resolution.workflow_analysis import AnalysedWorkflow, KnownFacts, analyse

from tests.core.domain.workflow_samples import SUBGRAPH, loader_subgraph, node, ui

LOADER = "CheckpointLoaderSimple"
KEY = "a" * 16
BAD = FailedPack(pack="bad-pack", reason="ImportError: no (x.py, line 1)")
SAID = "ComfyUI cannot import node pack `bad-pack` (ImportError: no (x.py, line 1))"


def local(path: str) -> ModelWithLocation:
    folder, _, name = path.rpartition("/")
    return ModelWithLocation(
        hash=KEY, filename=name, size=5, relative_path=path, category=folder, path=f"/m/{path}"
    )


def analysed(
    *nodes: dict[str, Any],
    here: tuple[str, ...] = (),
    recorded: ManifestWorkflow | None = None,
    definitions: tuple[dict[str, Any], ...] = (),
) -> AnalysedWorkflow:
    """Analyse a workflow where ``InBad`` and ``InGood`` are read from the files of packs."""
    facts = KnownFacts(
        core_classes={LOADER, "CoreNode"},
        installed={"InBad": "bad-pack", "InBadToo": "bad-pack", "InGood": "good", "InFolder": ""},
        frontend={"Label": "good", "BadLabel": "bad-pack"},
        models=[local(path) for path in here],
    )
    document = ui(*nodes, definitions=definitions)
    return analyse(needs_of(parse_workflow(document, "w"), facts.loaders), recorded, facts)


def proof(*classes: str, lists: tuple[str, ...] = (), failed: tuple[FailedPack, ...] = ()) -> Proof:
    """Return what a start of ComfyUI with these classes proves."""
    served = {LOADER: {"ckpt_name": frozenset(lists)}, **{name: {} for name in classes}}
    return Proof(started=True, served=served, failed_packs=failed)


def told(workflow: AnalysedWorkflow, proved: Proof) -> list[tuple[str, str, str, bool]]:
    issues = proved_issues("studio", [workflow], proved)
    return [(i.workflow, i.kind, i.sentence, i.blocking) for i in issues]


def entry(criticality: Any = "required", key: str = KEY) -> ManifestWorkflow:
    place = NodeReference(node_id="1", node_type=LOADER, widget_value="a.safetensors")
    model = ManifestWorkflowModel(
        filename="a.safetensors",
        category="checkpoints",
        criticality=criticality,
        status="resolved",
        hash=key,
        nodes=(place,),
    )
    return ManifestWorkflow(name="w", path="workflows/w.json", models=(model,))


@pytest.mark.parametrize(
    ("node_type", "proved", "expected"),
    [
        ("CoreNode", proof("CoreNode"), []),
        ("InGood", proof("InGood"), []),
        ("Note", proof(), []),
        ("workflow>group", proof(), []),
        (
            "CoreNode",
            proof(),
            ["node class `CoreNode` is in the files of this ComfyUI, but ComfyUI does not have it"],
        ),
        (
            "InGood",
            proof(),
            ["node class `InGood` is in the files of node pack `good`, "
             "but ComfyUI does not have it"],
        ),
        (
            "InFolder",
            proof(),
            ["node class `InFolder` is in the files of an unrecorded node pack, "
             "but ComfyUI does not have it"],
        ),
        ("InBad", proof(failed=(BAD,)), [f"{SAID}: `InBad` is missing"]),
        ("Label", proof(), []),
        ("BadLabel", proof(), []),
        ("BadLabel", proof(failed=(BAD,)), [f"{SAID}: `BadLabel` is missing"]),
        ("Computed", proof("Computed"), []),
        ("Nowhere", proof(), ["node class `Nowhere` is not installed"]),
    ],
)  # fmt: skip
def test_comfyui_is_believed_about_classes(
    node_type: str, proved: Proof, expected: list[str]
) -> None:
    kinds = [sentence for _, _, sentence, _ in told(analysed(node(1, node_type)), proved)]
    assert kinds == expected


def test_the_classes_of_a_broken_pack_are_one_issue() -> None:
    computed = node(3, "Computed", properties={"aux_id": "owner/Bad-Pack"})
    found = told(analysed(node(1, "InBad"), node(2, "InBadToo"), computed), proof(failed=(BAD,)))
    missing = f"{SAID}: `Computed`, `InBad`, `InBadToo` are missing"
    assert found == [("w", "pack", missing, True)]


def test_a_class_that_was_left_out_on_purpose_is_no_issue() -> None:
    left_out = ManifestWorkflow(name="w", path="w", custom_node_map={"Nowhere": False})
    assert told(analysed(node(1, "Nowhere"), recorded=left_out), proof()) == []


def test_a_broken_pack_that_no_class_is_known_of_is_said_and_blocks_nothing() -> None:
    found = told(analysed(node(1, "Note")), proof(failed=(BAD,)))
    assert found == [("", "pack", SAID, False)]


@pytest.mark.parametrize(
    ("value", "here", "lists", "expected"),
    [
        ("a.safetensors", ("checkpoints/a.safetensors",), ("a.safetensors",), ""),
        (
            "a.safetensors",
            ("loras/a.safetensors",),
            ("b.safetensors",),
            f"required model: `{LOADER}` does not list `a.safetensors`",
        ),
        (
            "x\\a.safetensors",
            ("checkpoints/x/a.safetensors",),
            ("x/a.safetensors",),
            f"required model: `{LOADER}` does not list `x\\a.safetensors`, only `x/a.safetensors`",
        ),
        (
            "A.safetensors",
            ("checkpoints/a.safetensors",),
            ("a.safetensors",),
            f"required model: `{LOADER}` does not list `A.safetensors`, only `a.safetensors`",
        ),
        ("a.safetensors", (), (), "required model `a.safetensors` is not here"),
        ("a.safetensors", (), ("a.safetensors",), ""),
    ],
)
def test_comfyui_is_believed_about_what_loaders_list(
    value: str, here: tuple[str, ...], lists: tuple[str, ...], expected: str
) -> None:
    found = told(analysed(node(1, LOADER, [value]), here=here), proof(lists=lists))
    assert found == ([("w", "model", expected, True)] if expected else [])


@pytest.mark.parametrize(("criticality", "blocking"), [("required", True), ("optional", False)])
def test_only_a_required_model_blocks(criticality: str, blocking: bool) -> None:
    workflow = analysed(
        node(1, LOADER, ["a.safetensors"]),
        here=("loras/a.safetensors",),
        recorded=entry(criticality),
    )
    sentence = f"{criticality} model: `{LOADER}` does not list `a.safetensors`"
    assert told(workflow, proof()) == [("w", "model", sentence, blocking)]


def test_a_file_of_the_right_name_is_not_yet_the_recorded_model() -> None:
    recorded = entry(key="b" * 16)
    workflow = analysed(node(1, LOADER, ["a.safetensors"]), recorded=recorded)
    [found] = told(workflow, proof(lists=("a.safetensors",)))
    assert found[2] == "required model `a.safetensors` is not here"


def test_what_is_switched_off_need_not_be_listed() -> None:
    muted = node(1, LOADER, ["a.safetensors"], mode=2)
    assert told(analysed(muted, here=("loras/a.safetensors",)), proof()) == []


def test_a_loader_without_a_list_is_not_asked() -> None:
    workflow = analysed(node(1, LOADER, ["a.safetensors"]), here=("loras/a.safetensors",))
    assert told(workflow, Proof(started=True, served={LOADER: {}})) == []


def test_a_promoted_value_is_asked_of_the_loader_inside() -> None:
    instance = node(5, SUBGRAPH, ["promoted.safetensors"], inputs=[])
    workflow = analysed(
        instance, here=("loras/promoted.safetensors",), definitions=(loader_subgraph(),)
    )
    [found] = told(workflow, proof())
    assert found[2] == f"required model: `{LOADER}` does not list `promoted.safetensors`"
    assert told(workflow, proof(lists=("promoted.safetensors",))) == []


def test_a_comfyui_that_does_not_start_is_an_issue_beside_what_the_files_tell() -> None:
    workflow = analysed(node(1, "Nowhere"))
    found = told(workflow, Proof(started=False, problem="it ended with exit code 1"))
    assert found == [
        ("", "comfyui", "ComfyUI does not start in `studio`: it ended with exit code 1", True),
        ("w", "node", "node class `Nowhere` is not installed", True),
    ]


def test_a_file_that_is_no_workflow_stays_an_issue() -> None:
    broken = AnalysedWorkflow(name="w", problem="it is no JSON")
    assert told(broken, proof()) == [("w", "file", "it is no JSON", True)]

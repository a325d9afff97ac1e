from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from comfydock_core.domain.acquisition import ImportPlan
from comfydock_core.domain.comfyui_log import FailedPack
from comfydock_core.domain.import_summary import LocalModels
from comfydock_core.domain.manifest import ManifestWorkflow, NodeInfo
from comfydock_core.domain.proof import Proof
from comfydock_core.importing.plan import PlanChoices, make_plan
from comfydock_core.importing.verification import absent_models, find_issues

from tests.core.domain.workflow_samples import node, ui
from tests.core.importing.summaries import aggregate, local_file, manifest, summary
from tests.core.workspace.workspaces import SMALL, environment_in, workspace_at

URL = "https://h.org/fetched.sft"
PACK = "NODE_CLASS_MAPPINGS = {'Mixer': object}"
NODES = {"mixing": NodeInfo(name="mixing", source="development", version="dev")}
FAILED = FailedPack(pack="mixing", reason="ImportError: no")
BROKEN = "ComfyUI cannot import node pack `mixing` (ImportError: no): `Mixer` is missing"


def plan_of(*names: str) -> ImportPlan:
    flows = {name: ManifestWorkflow(name=name, path=f"workflows/{name}.json") for name in names}
    told = replace(summary(), manifest=manifest({}, flows))
    return make_plan(told, LocalModels(), PlanChoices())


@pytest.mark.parametrize(
    ("proof", "expected"),
    [
        (None, []),
        (Proof(started=True, served={"Mixer": {}}), []),
        (Proof(started=True, failed_packs=(FAILED,)), [BROKEN]),
        (Proof(started=False, problem="no"), ["ComfyUI does not start in `studio`: no"]),
    ],
)
def test_what_a_start_of_comfyui_showed_is_added_to_what_the_files_say(
    tmp_path: Path, proof: Proof | None, expected: list[str]
) -> None:
    workspace = workspace_at(tmp_path)
    environment = environment_in(workspace, manifest=replace(SMALL, nodes=NODES))
    pack = environment.custom_nodes_path / "mixing" / "__init__.py"
    flow = environment.workflows_path / "mix.json"
    for file, data in ((pack, PACK.encode()), (flow, ui(node(1, "Mixer")))):
        file.parent.mkdir(parents=True)
        file.write_bytes(data)
    issues = find_issues(workspace, environment, plan_of("mix", "gone"), proof)
    found = [issue.sentence for issue in issues]
    assert found[:1] == ["the workflow's file is not in the bundle"]
    assert found[1:] == expected


@pytest.mark.parametrize(
    ("files", "absent"),
    [
        ({"loras/here.sft": 7, "loras/fetched.sft": 9}, set()),
        ({"loras/here.sft": 7}, {"b" * 16}),
        ({"loras/here.sft": 6, "loras/fetched.sft": 9}, {"a" * 16}),
        ({"loras/fetched.sft": 8}, {"a" * 16, "b" * 16}),
    ],
)
def test_models_are_looked_for_where_the_plan_has_them(
    tmp_path: Path, files: dict[str, int], absent: set[str]
) -> None:
    workspace = workspace_at(tmp_path)
    folder = workspace.download_directory
    for name, size in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * size)
    wanted = {
        "a" * 16: aggregate(key="a" * 16, filename="here.sft", size=7),
        "b" * 16: aggregate(
            key="b" * 16,
            filename="fetched.sft",
            size=9,
            sources=(URL,),
            content="loras/fetched.sft",
        ),
        "c" * 16: aggregate(key="c" * 16, filename="nowhere.sft", size=9),
    }
    here = replace(local_file("loras/here.sft"), path=str(folder / "loras/here.sft"), size=7)
    local = LocalModels(verified={"a" * 16: here})
    plan = make_plan(summary(aggregates=wanted), local, PlanChoices())
    assert absent_models(workspace, plan) == absent

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.domain.proof import Proof
from comfydock_core.resolution.proving import proved_issues
from comfydock_core.workspace.workflows import analyse_all

from tests.core.domain.workflow_samples import node, ui
from tests.core.workspace.workspaces import SMALL, environment_in, workspace_at


def test_a_class_that_a_pack_has_in_the_browser_alone_is_there(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    pack = NodeInfo(name="js-pack", source="development", version="dev")
    manifest = replace(SMALL, nodes={pack.name: pack})
    environment = environment_in(workspace, manifest=manifest)
    for path, text in {
        environment.custom_nodes_path / "js-pack/web/set.js": 'registerNodeType("SetNode", X);',
        environment.custom_nodes_path / "by-hand/js/label.js": 'registerNodeType("Label", X);',
        environment.workflows_path / "w.json": ui(
            node(1, "SetNode"), node(2, "Label"), node(3, "GetNode")
        ).decode(),
    }.items():
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    analysed = analyse_all(workspace, environment, manifest)
    assert analysed[0].record().nodes == ("js-pack",)
    missing = ["node class `GetNode` is not installed"]
    assert [issue.sentence for issue in analysed[0].issues()] == missing
    proof = Proof(started=True, served={"KSampler": {}})
    assert [issue.sentence for issue in proved_issues("studio", analysed, proof)] == missing

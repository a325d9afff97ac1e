"""The workflows and models of ComfyDock 1.x and ComfyGit, in our own tables (pure).

``models.<key>`` {filename, size, relative_path, category, sources}: the key is the short hash of
``storage/foreign_hashes.py``, or a whole blake3 where two files shared one.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from comfydock_core.domain.fields import Fields
from comfydock_core.domain.names import SHA256, model_path_problem, url_problem
from comfydock_core.domain.path_rules import broken_rule
from comfydock_core.importing.foreign_nodes import shown

_MODEL = ("filename", "size", "relative_path", "category", "sources")
_USE = ("filename", "category", "criticality", "status", "hash", "relative_path", "sources")
_REFERENCE = ("node_id", "node_type", "widget_idx", "widget_index", "widget_value")

Table = dict[str, Any]


def converted_models(fields: Fields, dropped: list[str]) -> dict[str, Table]:
    """Return our tables of the models, without the files that are no weights."""
    models: dict[str, Table] = {}
    for key, _ in fields.items():
        model = fields.table(key)
        if _is_other_file(model):
            dropped.append(f"file {shown(model.text('relative_path'))}: no model file")
            continue
        models[key] = _picked(model, _MODEL, dropped)
        if SHA256.fullmatch(key):
            models[key]["blake3_hash"] = key
    return models


def converted_workflows(
    fields: Fields, paths: Collection[str], dropped: list[str]
) -> dict[str, Table]:
    """Return our tables of the workflows whose files are among the members ``paths``."""
    workflows: dict[str, Table] = {}
    for name, _ in fields.items():
        workflow = fields.table(name)
        if f"workflows/{name}.json" not in paths:
            dropped.append(f"workflow {shown(name)}: its file is not in the bundle")
            continue
        workflows[name] = {
            "nodes": list(workflow.strings("nodes")),
            "models": [
                _use(model, dropped)
                for model in workflow.tables("models")
                if not _is_other_file(model)
            ],
            "custom_node_map": dict(workflow.table("custom_node_map").items()),
        }
        if workflow.has("execution_contract"):
            dropped.append(f"workflow {shown(name)}: its execution contract")
    return workflows


def _use(model: Fields, dropped: list[str]) -> Table:
    table = _picked(model, _USE, dropped)
    table["nodes"] = [
        _picked(reference, _REFERENCE, dropped) for reference in model.tables("nodes")
    ]
    return table


def _is_other_file(model: Fields) -> bool:
    """Whether a path is sound, but ends like no model: a configuration beside one."""
    path = model.text("relative_path", "")
    return bool(path and model_path_problem(path)) and not broken_rule(path)


def _picked(fields: Fields, keys: tuple[str, ...], dropped: list[str]) -> Table:
    table = {key: value for key, value in fields.items() if key in keys}
    if "sources" in table:
        sources = fields.strings("sources")
        table["sources"] = [url for url in sources if not url_problem(url)]
        for url in dict.fromkeys(sources):
            if problem := url_problem(url):
                dropped.append(f"source {shown(url)} of {shown(fields.path)} {problem}")
    return table

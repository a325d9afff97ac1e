"""The node packs of ComfyDock 1.x and ComfyGit and what they ask of Python, in our tables (pure).

A node is ``nodes.<id>`` {name, registry_id, repository, version, download_url, source,
criticality?, branch?, pinned_commit?}; what it asks for is a dependency group ``<name>-<8 hex>``,
where the digits are of the sha256 of its repository, else of its registry id or name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from hashlib import sha256
from typing import Any

from comfydock_core.domain.fields import Fields
from comfydock_core.domain.names import COMMIT
from comfydock_core.domain.requirements import sort_requirements
from comfydock_core.domain.untrusted import escape_text, redact_secrets

_SCP = re.compile(r"git@([A-Za-z0-9.-]+):([\w./~-]+)")
_NO_LETTERS = re.compile(r"[^a-z0-9]+")
_DIGITS = re.compile(r"[0-9a-f]{8}")
_SHOWN_LENGTH = 80
# More than is shown: a password that is cut in two is no longer known for one.
_READ_LENGTH = 2_000

Table = dict[str, Any]


def shown(text: object) -> str:
    """Return a stranger's words as one short, harmless piece of a sentence, without secrets."""
    return escape_text(redact_secrets(str(text)[:_READ_LENGTH])[:_SHOWN_LENGTH])


def converted_nodes(
    fields: Fields, sources: Collection[str], dropped: list[str]
) -> dict[str, Table]:
    """Return our tables of the nodes; ``sources`` are the folders in ``dev_nodes``."""
    nodes: dict[str, Table] = {}
    for name, _ in fields.items():
        table = _node(fields.table(name), name)
        if table["source"] == "development":
            nodes[name] = _development(name, table, table["name"] in sources, dropped)
        elif problem := _unfit(table):
            dropped.append(f"node {shown(name)} is left out: {problem}")
        else:
            nodes[name] = table
        if fields.table(name).text("criticality", "required") != "required":
            dropped.append(f"node {shown(name)}: that it is optional")
    return {name: _said(table) for name, table in nodes.items()}


def _node(fields: Fields, name: str) -> Table:
    keys = ("version", "registry_id", "download_url", "branch", "pinned_commit")
    table: Table = {key: fields.text(key, "") for key in keys}
    table["name"] = fields.text("name", name)
    table["repository"] = https_address(fields.text("repository", ""))
    table["source"] = fields.text("source", "unknown")
    if table["source"] == "unknown":
        table["source"] = "registry" if table["registry_id"] else "git"
    return table


def https_address(repository: str) -> str:
    """Return a repository that was cloned over ssh by its public address; others as they are."""
    ssh = _SCP.fullmatch(repository)
    return f"https://{ssh[1]}/{ssh[2]}" if ssh else repository


def _unfit(table: Table) -> str:
    """Say why a node cannot be had again; ``""`` where it can."""
    if table["source"] == "git" and not COMMIT.fullmatch(table["version"]):
        return f"its version {shown(table['version'])} is no full commit"
    if table["source"] == "git" and not table["repository"]:
        return "it names no repository"
    if table["source"] == "registry" and not table["version"]:
        return "it names no version"
    return ""


def _development(name: str, table: Table, is_here: bool, dropped: list[str]) -> Table:
    """Take the source in the bundle, else the commit that it stood at."""
    if is_here:
        return table
    where = shown(table["repository"])
    if table["repository"] and COMMIT.fullmatch(table["pinned_commit"]):
        commit = table["pinned_commit"]
        dropped.append(f"node {shown(name)}: not in development here, but {where} at {commit[:8]}")
        return table | {"source": "git", "version": commit}
    ask = f"; there is {where}, without a commit" if where else "; ask the sender for it"
    dropped.append(f"development node {shown(name)}: its source is not in the bundle{ask}")
    return table


def _said(table: Table) -> Table:
    theirs = ("branch", "pinned_commit")
    return {key: value for key, value in table.items() if value and key not in theirs}


def converted_groups(
    fields: Fields, nodes: dict[str, Table], dropped: list[str]
) -> dict[str, list[str]]:
    """Return the dependency groups that belong to nodes, whose tables are told their names.

    What a group asks of torch goes into its node's table.
    """
    names = [name for name, _ in fields.items()]
    owners = {group: key for key, table in nodes.items() for group in _groups_of(table, names)}
    groups: dict[str, list[str]] = {}
    for group in names:
        entries = _entries(fields, group)
        lines = [line for line in entries if isinstance(line, str)]
        if len(lines) < len(entries):
            dropped.append(f"dependency group {shown(group)}: what it includes of other groups")
        if group not in owners:
            words = ", ".join(map(shown, lines[:3]))
            dropped.append(f"dependency group {shown(group)} ({words}): belongs to no node")
            continue
        kept = kept_lines(lines, f"node {shown(owners[group])}", dropped)
        sorted_lines = sort_requirements(kept)
        groups[group] = list(sorted_lines.packages)
        nodes[owners[group]] |= {
            "group": group,
            "torch_requirements": list(sorted_lines.torch),
        }
    return groups


def _entries(fields: Fields, key: str) -> list[object]:
    value = dict(fields.items())[key]
    if not isinstance(value, list):
        raise fields.wrong(key, "must be a list of texts")
    return value


def _groups_of(table: Table, groups: Iterable[str]) -> tuple[str, ...]:
    """Return the one group of a node, or none; a node of the same name has other digits."""
    stem = _NO_LETTERS.sub("-", table["name"].lower()).strip("-")
    origins = (table.get("repository"), table.get("registry_id"), table["name"])
    exact = [f"{stem}-{sha256(origin.encode()).hexdigest()[:8]}" for origin in origins if origin]
    alike = [
        g for g in groups if g.startswith(f"{stem}-") and _DIGITS.fullmatch(g[len(stem) + 1 :])
    ]
    found = [group for group in exact if group in alike] or alike
    return tuple(found[:1])


def kept_lines(lines: Iterable[str], owner: str, dropped: list[str]) -> list[str]:
    """Return the requirements that an index can answer; ``owner`` is who asks for the others."""
    found = sort_requirements(lines)
    for line in (*found.refused, *found.ignored):
        dropped.append(f"{owner}: asks for {shown(line)}, no version of a package index")
    return [*found.packages, *found.torch]

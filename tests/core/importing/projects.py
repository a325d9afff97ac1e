"""The pyproject.toml of a bundle in a few words."""

from __future__ import annotations


def project(*development: str) -> bytes:
    """Return one that lists these development nodes and nothing else."""
    lines = ["[tool.comfydock]", 'comfyui_version = "v0.3.75"', 'python_version = "3.11"']
    for name in development:
        lines += [f'[tool.comfydock.nodes."{name}"]', 'source = "development"']
    return "\n".join(lines).encode()

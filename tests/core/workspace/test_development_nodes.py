from __future__ import annotations

from pathlib import Path

import pytest
from comfydock_core.workspace.development_nodes import requirements_problems

from tests.journeys.town import write_files


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, []),
        ({"requirements.txt": "numpy>=1\ntorch @ https://h.org/torch.whl\n# -e .\n"}, []),
        ({"requirements.txt": "-e ../shared\n"}, ["asks for `-e ../shared`"]),
        ({"requirements.txt": "./wheels/a.whl"}, ["asks for `./wheels/a.whl`"]),
        ({"requirements.txt": "a @ file:///home/bob/a"}, ["asks for `a @ file:///home/bob/a`"]),
        ({"requirements.txt": "a @ git+https://bob:word@h.org/a.git\n"},
         ["asks for `a @ git+https://***@h.org/a.git`"]),
        ({"requirements.txt": "git+https://h.org/a.git"}, ["asks for `git+https://h.org/a.git`"]),
        ({"requirements.txt": "-r more.txt\n--extra-index-url https://h.org\n--pre\n"},
         ["has the pip option `-r more.txt`",
          "has the pip option `--extra-index-url https://h.org`"]),
        ({"pyproject.toml": '[project]\ndependencies = ["a @ git+https://h.org/a.git"]\n'},
         ["asks for `a @ git+https://h.org/a.git`"]),
        ({"pyproject.toml": "[project\n"},
         ["cannot say what it asks for: the node's `pyproject.toml` cannot be read"]),
    ],
)  # fmt: skip
def test_what_others_cannot_be_given_is_named(
    tmp_path: Path, files: dict[str, str], expected: list[str]
) -> None:
    assert list(requirements_problems(write_files(tmp_path, files))) == expected

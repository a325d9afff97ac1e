from __future__ import annotations

import pytest
from comfydock_core.domain.requirements import (
    Requirements,
    package_name,
    parse_requirements,
    sort_requirements,
)

HASH = "--hash=sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Requirements()),
        ("numpy\n", Requirements(packages=("numpy",))),
        ("\ufeffnumpy\r\npillow>=10\r\n", Requirements(packages=("numpy", "pillow>=10"))),
        ("# all\nnumpy # why\n  \n", Requirements(packages=("numpy",))),
        (f"numpy==1 \\\n  {HASH}\n", Requirements(packages=("numpy==1",))),
        ("a ; python_version<'3.12'", Requirements(packages=('a; python_version < "3.12"',))),
        ("a[x,y] >=1", Requirements(packages=("a[x,y]>=1",))),
        ("a\na\n", Requirements(packages=("a",))),
        ("torch==2.1.0\nTorchVision\nxformers", Requirements(
            torch=("torch==2.1.0", "TorchVision", "xformers")
        )),
        ("torchsde\ntorchmetrics\nnvidia-ml-py\nnvidia_ml_py>=12", Requirements(
            packages=("torchsde", "torchmetrics", "nvidia-ml-py", "nvidia_ml_py>=12")
        )),
        ("nvidia-cublas-cu12\ntriton-windows", Requirements(
            torch=("nvidia-cublas-cu12", "triton-windows")
        )),
        ("torch @ https://h.org/t.whl ; os_name == 'nt'", Requirements(
            torch=('torch ; os_name == "nt"',)
        )),
        ("a @ https://h.org/a.whl", Requirements(refused=("a@ https://h.org/a.whl",))),
        ("git+https://h.org/x.git#egg=x", Requirements(refused=("git+https://h.org/x.git#egg=x",))),
        ("./local\n-e .\n--editable=../x", Requirements(
            refused=("./local", "-e .", "--editable=../x")
        )),
        ("-r more.txt\n--extra-index-url https://h.org\n--find-links x", Requirements(
            ignored=("-r more.txt", "--extra-index-url https://h.org", "--find-links x")
        )),
        ("a ==", Requirements(refused=("a ==",))),
        ("a;" + "(" * 9000, Requirements(refused=("a;" + "(" * 9000,))),
    ],
)  # fmt: skip
def test_lines_are_sorted(text: str, expected: Requirements) -> None:
    found = parse_requirements(text)
    assert normal(found) == normal(expected)


def normal(found: Requirements) -> list[list[str]]:
    """packaging has spelled white space before ``;`` and ``@`` in more than one way."""
    lists = (found.packages, found.torch, found.refused, found.ignored)
    return [["".join(line.split()) for line in lines] for lines in lists]


def test_what_was_sorted_is_sorted_the_same_way_again() -> None:
    once = parse_requirements("torch @ https://h.org/t.whl\nb>=1,<2\na[x]; os_name=='nt'\n")
    assert sort_requirements((*once.packages, *once.torch)) == once


def test_the_name_of_a_requirement_is_normalised() -> None:
    assert package_name("Foo_Bar.baz[x]>=1; os_name == 'nt'") == "foo-bar-baz"

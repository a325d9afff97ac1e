from __future__ import annotations

from pathlib import Path

import pytest
from comfydock_core.domain.model_loaders import NO_INDEX, LoaderWidget
from comfydock_core.storage.node_classes import scan_node_classes

Found = list[tuple[str, int | None, str]]

LORAS = 'folder_paths.get_filename_list("loras")'


def learned(folder: Path, **files: str) -> dict[str, tuple[LoaderWidget, ...]]:
    """Return what is learned from files given by name without ``.py``."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return dict(scan_node_classes(folder).classes)


def old_style(inputs: str, before: str = "", members: str = "") -> str:
    """Return the source of a node ``N`` whose ``INPUT_TYPES`` returns ``inputs``."""
    return f"""
import folder_paths
class Node:
{members or "    pass"}
    @classmethod
    def INPUT_TYPES(cls):
        {before or "pass"}
        return {inputs}
NODE_CLASS_MAPPINGS = {{"N": Node}}
"""


def new_style(inputs: str, before: str = "") -> str:
    """Return the source of a node ``N`` of the second style."""
    return f"""
class Node(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        {before or "pass"}
        return io.Schema(node_id="N", inputs=[{inputs}])
"""


def shown(widgets: tuple[LoaderWidget, ...]) -> Found:
    return [(widget.name, widget.index, widget.folder) for widget in widgets]


AT_0 = [("m", 0, "loras")]
AT_1 = [("m", 1, "loras")]
AT_2 = [("m", 2, "loras")]


@pytest.mark.parametrize(
    ("inputs", "before", "expected"),
    [
        (f'{{"required": {{"m": ({LORAS},)}}}}', "", AT_0),
        (f'{{"required": {{"m": ({LORAS}, {{"tooltip": "t"}})}}}}', "", AT_0),
        (f'{{"required": {{"m": (["None"] + {LORAS},)}}}}', "", AT_0),
        (f'{{"required": {{"m": ([*{LORAS}, "None"],)}}}}', "", AT_0),
        ('{"required": {"m": (names,)}}', f"names = [x for x in {LORAS} if 'hq' not in x]", AT_0),
        ('{"required": {"m": (names,)}}', f"names = sorted({LORAS}); names.append('none')", AT_0),
        ('{"required": {"m": (a + b,)}}', f"a = ['x']; b = {LORAS}", AT_0),
        ('{"required": {"m": (names,)}}', f"names = []; names += {LORAS}", AT_0),
        ('{"required": {"m": one}}', f"one = ({LORAS},)", AT_0),
        (f'{{"required": {{"m": ("COMBO", {{"options": {LORAS}}})}}}}', "", AT_0),
        (f'{{"required": {{"m": (["a"] if x else {LORAS},)}}}}', "", AT_0),
        (f'{{"required": {{"model": ("MODEL",), "m": ({LORAS},)}}}}', "", AT_0),
        (f'{{"required": {{"n": ("INT", {{}}), "m": ({LORAS},)}}}}', "", AT_1),
        (f'{{"required": {{"n": (["a", "b"],), "m": ({LORAS},)}}}}', "", AT_1),
        (f'{{"required": {{"n": (IO.STRING, {{}}), "m": ({LORAS},)}}}}', "", AT_1),
        (f'{{"required": {{"n": ("INT", {{"forceInput": True}}), "m": ({LORAS},)}}}}', "", AT_0),
        (f'{{"required": {{"seed": ("INT", {{}}), "m": ({LORAS},)}}}}', "", AT_2),
        (f'{{"required": {{"n": ("INT", {{"control_after_generate": True}}), "m": ({LORAS},)}}}}',
         "", AT_2),
        (f'{{"required": {{"noise_seed": ("INT", {{"control_after_generate": False}}), '
         f'"m": ({LORAS},)}}}}', "", AT_1),
        (f'{{"required": {{"i": (["a.png"], {{"image_upload": True}}), "m": ({LORAS},)}}}}', "",
         AT_2),
        (f'{{"optional": {{"m": ({LORAS},)}}, "required": {{"n": ("INT",)}}}}', "", AT_1),
        (f'{{"required": {{}}, "hidden": {{"m": ({LORAS},)}}}}', "", []),
        (f'{{"required": {{"n": (SAMPLERS,), "m": ({LORAS},)}}}}', "", [("m", NO_INDEX, "loras")]),
        (f'{{"required": {{**others, "m": ({LORAS},)}}}}', "", [("m", NO_INDEX, "loras")]),
        (f'{{"required": {{f"m{{i}}": ({LORAS},) for i in range(1, 3)}}}}', "",
         [("m1", 0, "loras"), ("m2", 1, "loras")]),
        ('t', f't = {{"required": {{}}}}; t["required"]["m"] = ({LORAS},)', AT_0),
        ('{"required": {"m": (a + b,)}}',
         f'a = folder_paths.get_filename_list("unet"); b = {LORAS}', [("m", 0, "unet")]),
        ('{"required": {"c": (folder_paths.get_filename_list("configs"),), '
         f'"m": ({LORAS},)}}}}', "", AT_1),
        ('{"required": {"f": (folder_paths.get_filename_list("kjnodes_fonts"),)}}', "", []),
        (f'{{"required": {{"m": (["bbox/" + x for x in {LORAS}],)}}}}', "", []),
        ('{"required": {"m": (folder_paths.get_filename_list(unknown),)}}', "", []),
        ("unknown()", "", []),
    ],
)  # fmt: skip
def test_the_first_style(inputs: str, before: str, expected: Found, tmp_path: Path) -> None:
    assert shown(learned(tmp_path, nodes=old_style(inputs, before))["N"]) == expected


@pytest.mark.parametrize(
    "members",
    [
        f"    names = {LORAS}",
        f"    files = {LORAS}\n    names = ['None'] + files",
    ],
)
def test_an_attribute_of_the_class(members: str, tmp_path: Path) -> None:
    source = old_style('{"required": {"m": (cls.names,)}}', members=members)
    assert shown(learned(tmp_path, nodes=source)["N"]) == AT_0


def test_a_method_with_a_loop_and_conditions(tmp_path: Path) -> None:
    members = f"""
    @staticmethod
    def names(s):
        found = {LORAS}
        for v in folder_paths.get_filename_list("vae_approx"):
            if v.startswith("taesd"):
                both = True
            else:
                found.append(v)
        if both:
            found.append("taesd")
        return found
"""
    source = old_style('{"required": {"m": (cls.names(cls),)}}', members=members)
    (widget,) = learned(tmp_path, nodes=source)["N"]
    assert (widget.folder, widget.fixed) == ("loras", ("taesd",))


@pytest.mark.parametrize(
    ("inputs", "before", "expected"),
    [
        (f'io.Combo.Input("m", options={LORAS})', "", AT_0),
        (f'io.Combo.Input("m", {LORAS} + ["[None]"])', "", AT_0),
        ('io.Combo.Input(id="m", options=names)', f"names = {LORAS}", AT_0),
        (f'io.Model.Input("x"), io.Combo.Input("m", options={LORAS})', "", AT_0),
        (f'io.Custom("X").Input("x"), io.Combo.Input("m", options={LORAS})', "", AT_0),
        (f'io.Float.Input("x"), io.Combo.Input("m", options={LORAS})', "", AT_1),
        (f'io.Int.Input("seed"), io.Combo.Input("m", options={LORAS})', "", AT_2),
        (f'io.Combo.Input("f", options=["a"], upload=io.UploadType.image), '
         f'io.Combo.Input("m", options={LORAS})', "", AT_2),
        (f'io.Int.Input("x", force_input=True), io.Combo.Input("m", options={LORAS})', "", AT_0),
        (f'io.Combo.Input("m", options={LORAS}, optional=True), io.Float.Input("x")', "", AT_1),
        (f'io.MultiType.Input(io.Float.Input("x"), [io.Int]), io.Combo.Input("m", options={LORAS})',
         "", AT_1),
        (f'io.DynamicCombo.Input("x"), io.Combo.Input("m", options={LORAS})', "",
         [("m", NO_INDEX, "loras")]),
    ],
)  # fmt: skip
def test_the_second_style(inputs: str, before: str, expected: Found, tmp_path: Path) -> None:
    assert shown(learned(tmp_path, nodes=new_style(inputs, before))["N"]) == expected


def test_constants_and_bases_of_other_files(tmp_path: Path) -> None:
    found = learned(
        tmp_path,
        __init__="from .nodes import *\nfrom .nodes import NODE_CLASS_MAPPINGS",
        lists=f"import folder_paths\nNAMES = ['None'] + {LORAS}",
        base="from . import lists\nclass Base:\n    @classmethod\n    def INPUT_TYPES(s):\n"
        "        return {'required': {'m': (lists.NAMES,)}}",
        nodes="from .base import Base\nclass A(Base):\n    pass\n"
        "class B(Base):\n    @classmethod\n    def INPUT_TYPES(s):\n"
        "        types = super().INPUT_TYPES()\n        types['optional'] = {'x': ('INT',)}\n"
        "        return types\n"
        "NODE_CLASS_MAPPINGS = {'A': A, 'B': B}",
    )
    assert {name: shown(widgets) for name, widgets in found.items()} == {"A": AT_0, "B": AT_0}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("NAMESPACE = 'me'\ndef get_name(n):\n    return '{} ({})'.format(n, NAMESPACE)\n"
         "class A:\n    NAME = get_name('Loader')\nNODE_CLASS_MAPPINGS = {A.NAME: A}",
         {"Loader (me)"}),
        ("P = 'me'\nclass A:\n    ID = f'{P}-loader'\nNODE_CLASS_MAPPINGS = {A.ID: A}",
         {"me-loader"}),
        ("class A:\n    NAME = 'a'\nclass B:\n    NAME = 'b'\n"
         "NODE_CLASS_MAPPINGS = {cls.NAME: cls for cls in [A, B]}", {"a", "b"}),
        ("class A:\n    pass\ndef made(c):\n    found = {}\n    for k, v in c.items():\n"
         "        found[k] = v['class']\n    return found, {}\n"
         "NODE_CLASS_MAPPINGS, NAMES = made({'a': {'class': A}})", {"a"}),
        ("P = 'x'\nclass A(io.ComfyNode):\n    @classmethod\n    def define_schema(cls):\n"
         "        return io.Schema(node_id=P + '_a')", {"x_a"}),
        ("class Base(io.ComfyNode):\n    node_id = None\n    @classmethod\n"
         "    def define_schema(cls):\n        return io.Schema(node_id=cls.node_id)\n"
         "class A(Base):\n    node_id = 'a'\nclass B(Base):\n    node_id = 'b'", {"a", "b"}),
    ],
)  # fmt: skip
def test_names_that_are_computed(source: str, expected: set[str], tmp_path: Path) -> None:
    assert set(learned(tmp_path, nodes=source)) == expected


@pytest.mark.parametrize(
    "source",
    [
        "def f(x):\n    return f(x)\nNODE_CLASS_MAPPINGS = {f(1): f}",
        "NODE_CLASS_MAPPINGS = {'a' * 10 ** 9: 1}",
        "A = [1] * 99\nNODE_CLASS_MAPPINGS = {str(a): a for a in A for b in A for c in A}",
        "X = 'a'\n" + "X = X + X\n" * 200 + "NODE_CLASS_MAPPINGS = {X: 1}",
        "NODE_CLASS_MAPPINGS = {" + "+".join(["'a'"] * 5_000) + ": 1}",
        "class A(A):\n    pass\nNODE_CLASS_MAPPINGS = {A.NAME: A}",
    ],
)
def test_source_that_asks_for_endless_work_ends(source: str, tmp_path: Path) -> None:
    found = learned(tmp_path, bad=source, good=old_style(f'{{"required": {{"m": ({LORAS},)}}}}'))
    assert shown(found["N"]) == AT_0

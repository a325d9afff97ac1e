from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from comfydock_core.storage.frontend_classes import LARGEST_FILE, frontend_classes
from comfydock_core.storage.node_classes import scan_node_classes
from comfydock_core.storage.node_scan_cache import NodeScanCache

REGISTER = "LiteGraph.registerNodeType"


def registered(folder: Path, **scripts: str) -> tuple[str, ...]:
    """Return the classes that scripts register, by their names without the ending."""
    for name, text in scripts.items():
        (folder / f"{name}.js").write_text(text, encoding="utf-8")
    return frontend_classes(sorted(folder.glob("*.js")))


@pytest.mark.parametrize(
    ("script", "names"),
    [
        (f'{REGISTER}("SetNode", SetNode);', ("SetNode",)),
        (f"{REGISTER}('It\\'s |b', class X {{}})", ("It's |b",)),
        (f'{REGISTER}(`Get Node`, X);g.registerNodeType(\n  "B", Y)', ("B", "Get Node")),
        (f'const NAME = "Label (p)";\n{REGISTER}(NAME, Label);', ("Label (p)",)),
        (f'let n="A", m=1;{REGISTER}(n, X)', ("A",)),
        (f'class L {{\n  static type = "Label";\n}}\n{REGISTER}(L.type, L);', ("Label",)),
        (f'L.title = "Label";\n{REGISTER}(L.title, L);', ("Label",)),
        (f'const T = {{\n  A: "One",\n  B: "Two"\n}};\n{REGISTER}(T.B, X);', ("Two",)),
        (f'const P = "p/";\n{REGISTER}(P + "A", X);\n{REGISTER}(`${{P}}B`, Y);', ("p/A", "p/B")),
        (f'const f = (n) => n + " (p)";\n{REGISTER}(f("A"), X);', ("A (p)",)),
        (f'// {REGISTER}("Old", X);\n/* {REGISTER}("Older", X); */\n', ()),
        (f"{REGISTER}(name, X);\n{REGISTER}(Y.type, Y);", ()),
        (f'const o = {{\n  type: "no class"\n}};\n{REGISTER}(node.type, X);', ()),
        (f'{REGISTER} = function (name, X) {{ old(name + "!", X); }};', ()),
        (f"const a = b;\nconst b = a;\n{REGISTER}(a, X);", ()),
        (f'const a = "{"x" * 400}";\n{REGISTER}(a, X);', ()),
        ('app.registerExtension({ name: "SetNode" });', ()),
    ],
)
def test_one_script(script: str, names: tuple[str, ...], tmp_path: Path) -> None:
    assert registered(tmp_path, pack=script) == names


def test_scripts_that_share_their_names(tmp_path: Path) -> None:
    assert registered(
        tmp_path,
        constants='export function own(text) {\n    return text + " (mine)";\n}\n'
        'export const Names = {\n    LABEL: own("Label"),\n    MUTER: own("Muter"),\n'
        '    SERVED: own("Served"),\n};\n',
        base="class Base {\n  static other() {}\n  static setUp() {\n    if (this.type) {}\n"
        f"    {REGISTER}(this.type, this);\n  }}\n  static later() {{}}\n}}\n",
        label="class Label extends Base {}\nLabel.type = Names.LABEL;\nLabel.setUp();\n",
        muter="class Muter extends Base {}\nMuter.type = Names.MUTER;\n"
        f"{REGISTER}(Muter.type, Muter);\n",
        served="class Served extends Base {}\nServed.type = Names.SERVED;\n"
        "Served.setUp(nodeType, data);\nServed.other();\n",
    ) == ("Label (mine)", "Muter (mine)")


@pytest.mark.parametrize(
    "script",
    [
        "".join(f"const a{n} = a{n + 1} + a{n + 1} + a{n + 1};\n" for n in range(40))
        + f'const a40 = "x";\n{REGISTER}(a0, X);',
        f"{REGISTER}(this.a, X);static f(){{" * 20_000,
        "/*\n" * 300_000 + f'{REGISTER}("A", X)',
        "const a='" * 100_000 + f"\n{REGISTER}(",
        f"{REGISTER}(" + "(" * 500_000,
        f"{REGISTER}({'a+' * 200_000}",
    ],
)
def test_a_script_that_is_meant_to_take_long_does_not(script: str, tmp_path: Path) -> None:
    began = time.process_time()
    registered(tmp_path, pack=script)
    assert time.process_time() - began < 5


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "gone.js").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder.js").mkdir()
    (tmp_path / "bytes.js").write_bytes(b"\xff\xfe\0" + f'{REGISTER}("A", X)'.encode())
    (tmp_path / "large.js").write_text(f'{REGISTER}("B", X)' + " " * LARGEST_FILE)
    assert frontend_classes(sorted(tmp_path.glob("*.js"))) == ("A",)


def test_a_pack_has_both_kinds_and_python_comes_first(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    for place in ("web/js", "node_modules/x", ".git"):
        (pack / place).mkdir(parents=True)
        (pack / place / "nodes.js").write_text(
            f'{REGISTER}("In {place}", X);\n{REGISTER}("Both", X);\n', encoding="utf-8"
        )
    (pack / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {'Both': X}", encoding="utf-8")
    for found in (
        scan_node_classes(pack),
        NodeScanCache(tmp_path / "cache").pack(pack),
        NodeScanCache(tmp_path / "cache").pack(pack),
    ):
        assert (set(found.classes), found.frontend) == ({"Both"}, ("In web/js",))


def test_a_changed_script_is_read_again(tmp_path: Path) -> None:
    scans, script = NodeScanCache(tmp_path / "cache"), tmp_path / "pack" / "a.js"
    script.parent.mkdir()
    for number, name in enumerate(("A", "B")):
        script.write_text(f'{REGISTER}("{name}", X)', encoding="utf-8")
        os.utime(script, (number, number))
        assert scans.pack(script.parent).frontend == (name,)

from __future__ import annotations

from pathlib import Path

import pytest
from comfydock_core.domain.model_loaders import INPUT_FOLDER, NO_INDEX
from comfydock_core.storage.node_catalogue import NodeCatalogue
from comfydock_core.storage.node_classes import scan_node_classes
from comfydock_core.storage.node_scan_cache import NodeScanCache

Found = list[tuple[str, int | None]]

HEAD = "import os\nimport pathlib\nimport folder_paths\nfrom x import filter_files\n"
AT_0: Found = [("f", 0)]
LISTED = "files = [f for f in os.listdir(d) if os.path.isfile(os.path.join(d, f))]"
LOOP = """files = []
        for f in os.listdir(d):
            if os.path.isfile(os.path.join(d, f)):
                parts = f.split('.')
                if len(parts) > 1 and parts[-1] in endings:
                    files.append(f)"""
WALKED = """files = [os.path.relpath(os.path.join(root, file), d)
                 for root, dirs, names in os.walk(d) for file in names]"""


def scanned(folder: Path, source: str) -> NodeCatalogue:
    (folder / "nodes.py").write_text(HEAD + source, encoding="utf-8")
    return scan_node_classes(folder)


def inputs(catalogue: NodeCatalogue) -> Found:
    widgets = catalogue.inputs.get("N", ())
    assert {widget.folder for widget in widgets} <= {INPUT_FOLDER}
    return [(widget.name, widget.index) for widget in widgets]


def old_style(types: str, before: str) -> str:
    return f"""class Node:
    @classmethod
    def INPUT_TYPES(cls):
        d = folder_paths.get_input_directory()
        {before or "pass"}
        return {{"required": {types}}}
NODE_CLASS_MAPPINGS = {{"N": Node}}
"""


@pytest.mark.parametrize(
    ("types", "before", "expected"),
    [
        ('{"f": (sorted(files),)}', LISTED, AT_0),
        ('{"f": (sorted(files),)}', LOOP, AT_0),
        ('{"f": [sorted(files), ]}', WALKED, AT_0),
        ('{"f": (sorted(files),)}', f"{LISTED}; files = filter_files(files, ['image'])", AT_0),
        ('{"f": (["none"] + files,)}', LISTED, AT_0),
        ('{"f": ("COMBO", {"options": files})}', LISTED, AT_0),
        ('{"f": (names,)}', "names = [e.name for e in os.scandir(d) if e.is_file()]", AT_0),
        ('{"f": (names,)}', "names = [p.name for p in pathlib.Path(d).iterdir()]", AT_0),
        ('{"f": (names,)}',
         "names = [str(p.relative_to(d)) for p in pathlib.Path(os.path.join(d, '3d')).rglob('*')]",
         AT_0),
        ('{"f": (folder_paths.get_input_subfolders(), {})}', "", AT_0),
        ('{"n": ("INT",), "f": (files,)}', LISTED, [("f", 1)]),
        ('{"n": (UNKNOWN,), "f": (files,)}', LISTED, [("f", NO_INDEX)]),
        ('{"f": (unknown, {"image_upload": True})}', "", AT_0),
        ('{"f": (unknown(), {"video_upload": True}), "g": (["a"], {"audio_upload": True})}', "",
         [("f", 0), ("g", 2)]),
        ('{"f": ("COMBO", {"image_upload": True, "image_folder": "output"})}', "", AT_0),
        ('{"f": (unknown, {"file_upload": True}), "g": (files,)}', LISTED, [("f", 0), ("g", 1)]),
        ('{"f": (["a"], {"image_upload": False})}', "", []),
        ('{"f": ("STRING", {"default": d})}', "", []),
        ('{"f": (os.listdir(folder_paths.get_output_directory()),)}', "", []),
        ('{"f": (os.listdir(here),)}', "", []),
    ],
)  # fmt: skip
def test_the_first_style(types: str, before: str, expected: Found, tmp_path: Path) -> None:
    assert inputs(scanned(tmp_path, old_style(types, before))) == expected


@pytest.mark.parametrize(
    ("widget", "expected"),
    [
        ('io.Combo.Input("f", options=sorted(os.listdir(d)))', AT_0),
        ('io.Combo.Input("f", options=sorted(files), upload=io.UploadType.video)', AT_0),
        ('io.Combo.Input("f", options=folder_paths.get_input_subfolders())', AT_0),
        ('io.Combo.Input("f", options=["a"])', []),
        ('io.String.Input("f", default="a.png")', []),
    ],
)
def test_the_second_style(widget: str, expected: Found, tmp_path: Path) -> None:
    source = f"""class Node(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        d = folder_paths.get_input_directory()
        return io.Schema(node_id="N", inputs=[{widget}])
"""
    assert inputs(scanned(tmp_path, source)) == expected


def test_inputs_and_models_are_told_apart_and_kept(tmp_path: Path) -> None:
    models = 'folder_paths.get_filename_list("loras")'
    source = old_style(f'{{"f": (sorted(os.listdir(d)),), "m": ({models},)}}', "")
    pack = tmp_path / "pack"
    pack.mkdir()
    fresh = scanned(pack, source)
    assert inputs(fresh) == AT_0
    assert [(each.name, each.folder) for each in fresh.classes["N"]] == [("m", "loras")]
    for _ in range(2):
        assert NodeScanCache(tmp_path / "cache").pack(pack) == fresh

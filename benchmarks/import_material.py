"""What the import benchmark works with: three node packs, the hosts that offer them, two bundles.

ComfyUI, its Python packages and the workflows are real; the packages come from an index on
loopback. The packs have 72 files and 1.7 MB each and ask for one small Python package each; one is
the registry's, one is in git, one is in development.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import uv
from comfydock_cli.demo.hub import INDEX, serving
from packaging.utils import parse_wheel_filename

from benchmarks.material import cache_folder, comfyui_checkout, template_workflows

COMFYUI = "https://github.com/comfyanonymous/ComfyUI"
GIT_NODE = "https://github.com/bench/bench-git"
TAG = "v0.3.75"
_REGISTRY = "https://api.comfy.org"
_REGISTRY_NODE, _VERSION = "bench-registry", "1.0.0"
_ARCHIVE = f"https://cdn.comfy.org/bench/{_REGISTRY_NODE}/{_VERSION}/node.zip"
_OFFERED_AT = ("https://api.comfy.org/", "https://cdn.comfy.org/", "https://github.com/")
_REQUIREMENTS = {_REGISTRY_NODE: "tabulate", "bench-git": "colorama", "bench-dev": "humanize"}
_PYTHON_FILES, _OTHER_FILES, _OTHER_SIZE = 30, 40, 32_000
_MODULE_SIZES = range(8_000, 32_000)
_COMFYDOCK = shutil.which("comfydock", path=str(Path(sys.executable).parent)) or "comfydock"
# Without its bytecode, comfydock would be compiled anew at every start.
_NOT_INHERITED = ("COMFYDOCK_", "CI", "GIT_", "HF_", "UV_", "PYTHONDONTWRITEBYTECODE")
_UV_EXPORT = ("export", "--quiet", "--frozen", "--all-groups", "--no-emit-project", "--no-hashes")
_GIT = ("git", "-c", "user.name=bench", "-c", "user.email=bench@example.invalid")
_DEPENDS_ON_ISSUES = (0, 3)
_NODE = """import {module}

class {name}:
    @classmethod
    def INPUT_TYPES(cls):
        return {{"required": {{"image": ("IMAGE",)}}}}
    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "work"
    CATEGORY = "bench"
    def work(self, image):
        return (image,)

NODE_CLASS_MAPPINGS = {{"{name}": {name}}}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """One user's comfydock, its workspace at ``home``; ``variables`` lead it to the bench hosts."""

    home: Path
    variables: Mapping[str, str]

    def run(self, *words: str) -> None:
        """Run the real command to its end; an import that leaves issues open has ended well."""
        done = subprocess.run(
            [_COMFYDOCK, *words],
            env={**self.variables, "COMFYDOCK_HOME": str(self.home)},
            cwd=self.home.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in _DEPENDS_ON_ISSUES:
            raise RuntimeError(f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    def environment(self, name: str) -> Path:
        """Where an environment lies."""
        return self.home / "environments" / name


def node_packs(folder: Path) -> dict[str, Path]:
    """Write the three packs below ``folder`` and return their folders by name."""
    modules = _modules()
    packs = {}
    for number, (name, module) in enumerate(_REQUIREMENTS.items()):
        pack = packs[name] = folder / name
        files = {
            f"py/{path.name}": path.read_bytes() for path in modules[number :: len(_REQUIREMENTS)]
        }
        files |= {f"web/part{n:02}.js": _noise(f"{name} {n}") for n in range(_OTHER_FILES)}
        files["__init__.py"] = _NODE.format(
            module=module, name=name.title().replace("-", "")
        ).encode()
        files["requirements.txt"] = f"{module}\n".encode()
        for path, data in files.items():
            (pack / path).parent.mkdir(parents=True, exist_ok=True)
            (pack / path).write_bytes(data)
    return packs


def _modules() -> list[Path]:
    """Real Python of ordinary size, enough for all packs."""
    sources = sorted(Path(sysconfig.get_path("stdlib")).glob("*/*.py"))
    fitting = [
        path
        for path in sources
        if path.stat().st_size in _MODULE_SIZES and "site-packages" not in path.parts
    ]
    by_name = {path.name: path for path in fitting}
    return sorted(by_name.values())[: _PYTHON_FILES * len(_REQUIREMENTS)]


def _noise(seed: str) -> bytes:
    return hashlib.shake_128(seed.encode()).hexdigest(_OTHER_SIZE // 2).encode()


@contextmanager
def bench_hosts(folder: Path, packs: Mapping[str, Path]) -> Iterator[Mapping[str, str]]:
    """Offer ComfyUI and the packs on loopback; yield the variables that lead a machine there."""
    _offer_repository(_place(folder, COMFYUI), comfyui_checkout())
    _offer_repository(_place(folder, GIT_NODE), _committed(packs["bench-git"], folder / "git-node"))
    _offer_registry_node(folder, packs[_REGISTRY_NODE])
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_INHERITED)}
    with serving(folder) as hub:
        mirrors = (f"{url}={hub}/{url.removeprefix('https://')}" for url in _OFFERED_AT)
        variables = inherited | {
            "COMFYDOCK_MIRRORS": " ".join(mirrors),
            "COMFYDOCK_ALLOWED_HOSTS": "127.0.0.1",
            "COMFYDOCK_TORCH_BACKEND": "none",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        wheels = _wheels(variables, packs)
        with _package_index(wheels, folder.parent / "index") as index:
            cache = str(folder.parent / "uv-cache")
            yield variables | {"COMFYDOCK_PYTHON_INDEX": index, "COMFYDOCK_UV_CACHE": cache}


def _wheels(variables: Mapping[str, str], packs: Mapping[str, Path]) -> Path:
    """Fetch once, with pip, what this machine's own index has for ComfyUI and the packs."""
    folder = cache_folder() / "import-wheels"
    if not folder.is_dir():
        aside = Path(tempfile.mkdtemp(dir=cache_folder(), prefix=".import-wheels-"))
        machine = Machine(home=aside / "home", variables=variables)
        _sender(machine, packs)
        listed = [uv.find_uv_bin(), *_UV_EXPORT, "--no-config", "--output-file", "pins.txt"]
        project = machine.environment("sender") / ".cec"
        subprocess.run(listed, cwd=project, env=variables, check=True, capture_output=True)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
        what = ["--no-deps", "--only-binary", ":all:", "--dest", str(aside / "wheels")]
        subprocess.run([*pip, *what, "-r", str(project / "pins.txt")], check=True)
        (aside / "wheels").rename(folder)
        shutil.rmtree(aside)
    return folder


@contextmanager
def _package_index(wheels: Path, folder: Path) -> Iterator[str]:
    """Serve wheels as a package index does (PEP 503), its pages below ``folder``."""
    for wheel in sorted(wheels.glob("*.whl")):
        project = folder / parse_wheel_filename(wheel.name)[0]
        project.mkdir(parents=True, exist_ok=True)
        (project / wheel.name).symlink_to(wheel)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        line = f'<a href="{wheel.name}#sha256={digest}">{wheel.name}</a>\n'
        (project / "index.html").write_text(line, encoding="utf-8")
    handler = partial(_QuietFiles, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class _QuietFiles(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Send a wheel; uv turns away as soon as it has read a wheel's table of contents."""
        with suppress(ConnectionError):
            shutil.copyfileobj(source, outputfile)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name it has)
        """Requests are not shown."""


def _offer_repository(place: Path, checkout: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    run_git("clone", "--quiet", "--bare", str(checkout), str(place), cwd=checkout)
    run_git("update-server-info", cwd=place)


def _committed(pack: Path, folder: Path) -> Path:
    shutil.copytree(pack, folder)
    run_git("init", "--quiet", "--initial-branch=main", ".", cwd=folder)
    run_git("add", "--all", ".", cwd=folder)
    run_git("commit", "--quiet", "--message", "all of it", cwd=folder)
    return folder


def run_git(*words: str, cwd: Path) -> None:
    """Run git and insist on success."""
    variables = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run([*_GIT, *words], cwd=cwd, env=variables, check=True, capture_output=True)


def _offer_registry_node(folder: Path, pack: Path) -> None:
    """Write the registry's answers about its one pack as files."""
    version = {
        "node_id": _REGISTRY_NODE,
        "version": _VERSION,
        "status": "NodeVersionStatusActive",
        "downloadUrl": _ARCHIVE,
        "dependencies": [],
    }
    asked = {"node_id": _REGISTRY_NODE, "version": _VERSION}
    found = {"identifier": asked, "status": "success", "node_version": version}
    node = {"id": _REGISTRY_NODE, "name": _REGISTRY_NODE, "status": "NodeStatusActive"}
    answers: dict[str, object] = {
        f"nodes/{_REGISTRY_NODE}": {**node, "latest_version": version},
        f"nodes/{_REGISTRY_NODE}/versions": [version],
        f"nodes/{_REGISTRY_NODE}/versions/{_VERSION}": version,
        f"nodes/{_REGISTRY_NODE}/install": version,
        "bulk/nodes/versions": {"node_versions": [found]},
    }
    for call, answer in answers.items():
        _write(_place(folder, f"{_REGISTRY}/{call}") / INDEX, json.dumps(answer).encode())
    _write(_place(folder, _ARCHIVE), _zip_of(pack))


def _zip_of(pack: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(pack.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(pack).as_posix())
    return buffer.getvalue()


def _place(folder: Path, url: str) -> Path:
    return folder / url.removeprefix("https://")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _sender(machine: Machine, packs: Mapping[str, Path]) -> None:
    """Make an environment with the packs."""
    machine.run("create", "sender", "--comfyui", TAG)
    machine.run("node", "add", _REGISTRY_NODE)
    machine.run("node", "add", GIT_NODE)
    machine.run("node", "add", "--dev", str(packs["bench-dev"]))


def exported_bundles(machine: Machine, packs: Mapping[str, Path]) -> tuple[Path, Path]:
    """Make an environment with the packs; export it with one workflow, then with all 644."""
    _sender(machine, packs)
    saved = machine.environment("sender") / "ComfyUI/user/default/workflows"
    templates = template_workflows()
    one, every = machine.home.parent / "one.tar.gz", machine.home.parent / "every.tar.gz"
    for bundle, names in ((one, list(templates)[:1]), (every, list(templates))):
        for name in names:
            _write(saved / name, templates[name])
        machine.run("commit", "-m", f"{len(names)} workflows")
        machine.run("export", "--yes", "--allow-issues", "--output", str(bundle))
    return one, every


def scratch_folder() -> Path:
    """Return a new, empty folder for one run; what the run before left goes first."""
    scratch = cache_folder() / "scratch" / "imports"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    return scratch

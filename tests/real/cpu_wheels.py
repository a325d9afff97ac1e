"""A folder of torch wheels that run without a GPU, and the pins that keep every other build out.

The registry's torchvision and torchaudio for Linux link CUDA libraries, so against a CPU torch
their import fails (no operator torchvision::nms, no libc10_cuda.so). Their Python code is enough
for ComfyUI: the wheels are repacked without native libraries, under the local version +cpu.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from comfydock_core.errors import PythonEnvironmentError
from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename

from tests.real.wheel_downloads import announced_requirements, downloaded_wheel, wheel_in

TORCH = "torch==2.13.0"
REPACKED = ("torchvision==0.28.0", "torchaudio==2.11.0")
LARGEST_CPU_TORCH = 300_000_000
GPU_PACKAGE = re.compile(r"(nvidia|cuda|triton|rocm)", re.IGNORECASE)
NATIVE_LIBRARY = re.compile(r"\.so($|\.)|\.libs/")
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class CpuWheels:
    """``folder`` is a find-links folder; ``requirements`` pin its three wheels exactly.

    ``constraints`` is a file with the same pins. A registry has no local versions, so whoever obeys
    it can never take a CUDA build from there.
    """

    folder: Path
    requirements: tuple[str, ...]
    constraints: Path

    def environment(self) -> dict[str, str]:
        """What makes every ``uv pip install`` use these wheels, for ``subprocess`` calls."""
        return {"UV_FIND_LINKS": str(self.folder), "UV_CONSTRAINT": str(self.constraints)}


def cpu_wheels(folder: Path, *, downloads: Path) -> CpuWheels:
    """torch, torchvision and torchaudio for CPU in ``folder``; what is there already is kept.

    The wheels fit the running interpreter's version only. Raises PythonEnvironmentError when pip
    would bring a GPU build, before it is fetched where the index allows that.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wheels = [_torch(folder)]
    for requirement in REPACKED:
        kept = wheel_in(folder, requirement)
        wheels.append(kept or repacked(downloaded_wheel(requirement, downloads), folder))
    pins = tuple(_pin(wheel) for wheel in wheels)
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(pins) + "\n", encoding="utf-8")
    return CpuWheels(folder=folder, requirements=pins, constraints=constraints)


def refuse_gpu_build(requirements: Iterable[str], *, size: int = 0) -> None:
    """PythonEnvironmentError for a torch that asks for GPU packages or is too large (bytes)."""
    found = sorted(
        {name for name in _unconditional_names(requirements) if GPU_PACKAGE.search(name)}
    )
    if found or size > LARGEST_CPU_TORCH:
        raise PythonEnvironmentError(
            f"The `{TORCH}` that pip finds here is a GPU build.",
            hint="Name a folder with a CPU wheel in PIP_FIND_LINKS.",
            cause=f"It asks for {', '.join(found)}." if found else f"It has {size:,} bytes.",
            subject=TORCH,
        )


def repacked(wheel: Path, folder: Path) -> Path:
    """A copy of ``wheel`` in ``folder`` without native libraries, its version ending in +cpu."""
    name, version, _, _ = parse_wheel_filename(wheel.name)
    python_tag, abi_tag = wheel.stem.split("-")[2:4]
    tag = f"{python_tag}-{abi_tag}-linux_x86_64"
    target = folder / f"{name}-{version}+cpu-{tag}.whl"
    partial = target.with_suffix(".part")
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(partial, "w") as sink:
        record = [
            _stored(sink, path, content)
            for path, content in _members(source, old=f"{name}-{version}", tag=tag)
        ]
        record_path = f"{name}-{version}+cpu.dist-info/RECORD"
        _stored(sink, record_path, "\n".join([*record, f"{record_path},,", ""]).encode())
    return partial.replace(target)


def _torch(folder: Path) -> Path:
    kept = wheel_in(folder, TORCH)
    if kept is None:
        refuse_gpu_build(announced_requirements(TORCH))
        kept = downloaded_wheel(TORCH, folder)
    refuse_gpu_build(_own_requirements(kept), size=kept.stat().st_size)
    return kept


def _pin(wheel: Path) -> str:
    name, version, _, _ = parse_wheel_filename(wheel.name)
    return f"{name}=={version}"


def _own_requirements(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        path = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(path).decode("utf-8").splitlines()
    prefix = "Requires-Dist: "
    return [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]


def _unconditional_names(requirements: Iterable[str]) -> Iterator[str]:
    for line in requirements:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement.name


def _members(source: zipfile.ZipFile, *, old: str, tag: str) -> Iterator[tuple[str, bytes]]:
    for path in source.namelist():
        if NATIVE_LIBRARY.search(path) or path.endswith(("/", "/RECORD")):
            continue
        renamed = path.replace(f"{old}.dist-info/", f"{old}+cpu.dist-info/", 1)
        yield renamed, _rewritten(path, source.read(path), tag)


def _rewritten(path: str, content: bytes, tag: str) -> bytes:
    if path.endswith(".dist-info/METADATA"):
        content = re.sub(rb"(?m)^(Version: \S+)$", rb"\1+cpu", content, count=1)
        return re.sub(
            rb"(?m)^Requires-Dist: torch\b.*$", f"Requires-Dist: {TORCH}".encode(), content
        )
    if path.endswith(".dist-info/WHEEL"):
        return re.sub(rb"(?m)^Tag: .*$", f"Tag: {tag}".encode(), content)
    if path == "torchvision/_meta_registrations.py":
        return _only_with_operators(content)
    return content


def _only_with_operators(module: bytes) -> bytes:
    """torchvision registers shapes for native operators, which fails when they are absent."""
    guard = b"from torchvision.extension import _has_ops\nif _has_ops():\n"
    lines = module.splitlines(keepends=True)
    return guard + b"".join(b"    " + line if line.strip() else line for line in lines)


def _stored(sink: zipfile.ZipFile, path: str, content: bytes) -> str:
    """Writes one member, the same bytes every time, and returns its line for RECORD."""
    member = zipfile.ZipInfo(path, EPOCH)
    member.external_attr = 0o644 << 16
    sink.writestr(member, content, zipfile.ZIP_DEFLATED, compresslevel=6)
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(content)}"

"""What the demo's hosts offer is the same everywhere, and only that is served."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from comfydock_cli.demo import content
from comfydock_cli.demo.hub import serving

GITHUB = Path("github.com")


def published(folder: Path, *, comfyui: bool = True) -> Path:
    content.publish(folder, comfyui=comfyui)
    return folder


def tags(repository: Path) -> list[str]:
    shown = ["git", "--git-dir", str(repository), "for-each-ref", "refs/tags"]
    return subprocess.run(shown, capture_output=True, text=True, check=True).stdout.split()[2::3]


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "hooks" not in path.parts
    }


def test_it_is_the_same_each_time(tmp_path: Path) -> None:
    assert files(published(tmp_path / "a")) == files(published(tmp_path / "b"))


def test_comfyui_has_two_releases_and_only_where_it_is_wanted(tmp_path: Path) -> None:
    repository = published(tmp_path / "small") / GITHUB / "comfyanonymous/ComfyUI"
    assert tags(repository) == ["refs/tags/v0.3.74", "refs/tags/v0.3.75"]
    show = ["git", "--git-dir", str(repository), "show", "v0.3.74:comfyui_version.py"]
    assert b'"0.3.74"' in subprocess.run(show, capture_output=True, check=True).stdout
    real = published(tmp_path / "real", comfyui=False)
    assert [path.name for path in (real / GITHUB).iterdir()] == ["comfydock-demo"]


def test_mirrors_lead_to_everything_that_is_offered(tmp_path: Path) -> None:
    pairs = content.mirrors("http://hub", comfyui=True).split()
    offered = {url.partition("=")[0].removeprefix("https://") for url in pairs}
    strays = [name for name in files(published(tmp_path)) if not name.startswith(tuple(offered))]
    assert strays == []
    assert "https://github.com/comfyanonymous/" not in content.mirrors("http://hub", comfyui=False)


def test_only_the_folder_is_served(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    shelf = tmp_path / "shelf"
    (shelf / "call").mkdir(parents=True)
    (shelf / "call/index").write_text("{}")
    with serving(shelf) as url:
        with urllib.request.urlopen(f"{url}/call?version=1") as answer:
            assert (answer.read(), answer.headers["Content-Type"]) == (b"{}", "application/json")
        for wrong in ("/none", "/../secret", "/%2e%2e/secret"):
            with pytest.raises(urllib.error.HTTPError) as refusal:
                urllib.request.urlopen(url + wrong)
            assert refusal.value.code == 404
            refusal.value.close()

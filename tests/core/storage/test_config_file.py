from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from comfydock_core.domain.settings import HostSettings, PythonSettings, Settings
from comfydock_core.errors import ComfydockError, ManifestError, StorageError
from comfydock_core.storage.config_file import change_settings, read_settings

TEXT = """# mine
active_environment = "studio"
unknown = 3
[models]
directories = ["/models", "/more"]
[hosts]
registry = "https://registry.acme.org"
allowed = ["nas.local"]
ca_bundle = "/etc/ca.pem"
[hosts.mirrors]
"https://github.com/" = "https://git.acme.org/"
[python]
index = "https://pip.acme.org/simple"
find_links = ["/wheels"]
torch_backend = "cpu"
"""


def read(tmp_path: Path, text: str, **environment: str) -> Settings:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return read_settings(path, environment)


def test_a_missing_file_is_an_empty_one(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "none.toml", {}) == Settings() == read(tmp_path, "")


def test_a_whole_file(tmp_path: Path) -> None:
    assert read(tmp_path, TEXT) == Settings(
        models_directories=("/models", "/more"),
        active_environment="studio",
        hosts=HostSettings(
            registry="https://registry.acme.org",
            allowed=frozenset({"nas.local"}),
            ca_bundle="/etc/ca.pem",
            mirrors={"https://github.com/": "https://git.acme.org/"},
        ),
        python=PythonSettings(
            index="https://pip.acme.org/simple", find_links=("/wheels",), torch_backend="cpu"
        ),
    )


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("COMFYDOCK_REGISTRY", "https://r", lambda s: s.hosts.registry == "https://r"),
        ("COMFYDOCK_REGISTRY", "", lambda s: s.hosts.registry == "https://registry.acme.org"),
        ("COMFYDOCK_COMFYUI_REPOSITORY", "x", lambda s: s.hosts.comfyui_repository == "x"),
        (
            "COMFYDOCK_ALLOWED_HOSTS",
            "a b:1",
            lambda s: s.hosts.allowed == {"nas.local", "a", "b:1"},
        ),
        (
            "COMFYDOCK_MIRRORS",
            "https://github.com/=http://h https://x/=http://y?a=b",
            lambda s: (
                s.hosts.mirrors == {"https://github.com/": "http://h", "https://x/": "http://y?a=b"}
            ),
        ),
        ("COMFYDOCK_PYTHON_INDEX", "https://i", lambda s: s.python.index == "https://i"),
        ("COMFYDOCK_FIND_LINKS", "/a /b", lambda s: s.python.find_links == ("/wheels", "/a", "/b")),
        ("COMFYDOCK_TORCH_WHEELS", "/t", lambda s: s.python.torch_wheels == "/t"),
        ("COMFYDOCK_TORCH_BACKEND", "cu128", lambda s: s.python.torch_backend == "cu128"),
    ],
)
def test_a_variable_wins_over_the_file(tmp_path: Path, name: str, value: str, found: Any) -> None:
    assert found(read(tmp_path, TEXT, **{name: value}))


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("active_environment = 3", "active_environment", "must be a text"),
        ("models = 3", "models", "must be a table"),
        ('[models]\ndirectories = "/x"', "models.directories", "must be a list of texts"),
        ("[hosts]\nregistry = 3", "hosts.registry", "must be a text"),
        ("[hosts]\nallowed = [1]", "hosts.allowed", "must be a list of texts"),
        ("[hosts]\nmirrors = []", "hosts.mirrors", "must be a table"),
        ('[hosts.mirrors]\n"https://x/" = 1', "hosts.mirrors.https://x/", "must be a text"),
        ("[python]\nfind_links = {}", "python.find_links", "must be a list of texts"),
        ("[python]\ntorch_backend = true", "python.torch_backend", "must be a text"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, text: str, place: str, problem: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read(tmp_path, text)
    assert caught.value.sentence == f"`{place}` in `{tmp_path / 'config.toml'}` {problem}"


@pytest.mark.parametrize("data", [b"a =", b"\xff", b"a = " + b"[" * 9999, b"a = " + b"1" * 9999])
def test_a_file_that_cannot_be_parsed_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "config.toml").write_bytes(data)
    with pytest.raises(ManifestError, match=r"config\.toml` is (not valid TOML|nested too deeply)"):
        read_settings(tmp_path / "config.toml", {})


def test_a_folder_in_its_place_and_a_half_mirror_are_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        read_settings(tmp_path, {})
    with pytest.raises(ComfydockError, match="COMFYDOCK_MIRRORS"):
        read(tmp_path, "", COMFYDOCK_MIRRORS="https://github.com/")


def test_keys_are_set_and_all_else_stays_as_written(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(TEXT, encoding="utf-8")
    change_settings(path, {"active_environment": "other", "models.directories": ["/one"]})
    expected = TEXT.replace('"studio"', '"other"').replace('["/models", "/more"]', '["/one"]')
    assert path.read_text(encoding="utf-8") == expected


def test_keys_of_a_file_that_is_not_there_are_set(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    change_settings(path, {"models.directories": ["/one", 'x "y"', "~/models"]})
    assert read_settings(path, {}).models_directories == (
        "/one",
        str(tmp_path / 'x "y"'),
        str(Path.home() / "models"),
    )

from __future__ import annotations

import re

import pytest
from comfydock_core.domain import names
from comfydock_core.errors import UsageError


@pytest.mark.parametrize(
    ("form", "fits", "fails"),
    [
        (names.PYTHON_VERSION, ["3.9", "3.11", "3.12.10"], ["3", "2.7", "3.1١", "3.11\n", "/x"]),
        (names.COMMIT, ["0" * 40], ["0" * 39, "A" * 40, "0" * 41, "HEAD"]),
        (names.SHA256, ["f" * 64], ["f" * 63, "F" * 64, "f" * 64 + "\n"]),
        (names.MODEL_KEY, ["a" * 8, "a" * 64], ["a" * 7, "a" * 65, "g" * 8]),
    ],
)
def test_forms(form: re.Pattern[str], fits: list[str], fails: list[str]) -> None:
    assert [text for text in fits if not form.fullmatch(text)] == []
    assert [text for text in fails if form.fullmatch(text)] == []


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("checkpoints/a.safetensors", ""),
        ("a.SFT", ""),
        ("模型/工作.gguf", ""),
        ("loras/a.b/c d (1).pt", ""),
        ("../a.safetensors", "`.` or `..`"),
        ("/etc/a.safetensors", "absolute"),
        ("a\\b.safetensors", "one of"),
        ("C:/a.safetensors", "one of"),
        ("loras/con.safetensors", "device"),
        ("loras/a.py", "`.py`, which no model does"),
        ("loras/a.safetensors/x", "no model does"),
        ("loras/safetensors", "no model does"),
        ("loras/a.safetensors\0", "control"),
        (".git/a.safetensors", "repository"),
        ("", "no name"),
    ],
)
def test_model_paths(path: str, problem: str) -> None:
    found = names.model_path_problem(path)
    assert problem in found
    assert bool(problem) == bool(found)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("ComfyUI-Pack_2.0", ""),
        ("a", ""),
        ("my pack", ""),
        ("", "no name"),
        (".hidden", "no name"),
        ("-x", "no name"),
        ("a/b", "no name"),
        ("..", "no name"),
        ("a.", "no name"),
        ("a" * 101, "no name"),
        ("pack\n", "no name"),
        ("pack.disabled", "passes over"),
        ("Pack.DISABLED", "passes over"),
        ("nul", "device"),
        ("com1.pack", "device"),
    ],
)
def test_node_names(name: str, problem: str) -> None:
    found = names.node_name_problem(name)
    assert problem in found
    assert bool(problem) == bool(found)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://huggingface.co/a/b/resolve/main/c.safetensors?download=true", ""),
        ("http://h:8080/x", ""),
        ("https://[::1]/x", ""),
        ("ftp://h.org/x", "no http or https"),
        ("file:///etc/passwd", "no http or https"),
        ("ext::sh -c id", "character"),
        ("https:///nohost", "no http or https"),
        ("https://user:pw@h.org/x", "user name or password"),
        ("https://@h.org/x", "user name or password"),
        ("https://h.org/a b", "character"),
        ("https://h.org/\x1b", "character"),
        ("https://h.org\\@evil.org/", "character"),
        ("https://h.org/é", "character"),
        ("https://h.org:99999/", "no address"),
        ("https://[::1/", "no address"),
        ("https://h.org/" + "a" * 2000, "character"),
        ("", "character"),
    ],
)
def test_addresses(url: str, problem: str) -> None:
    found = names.url_problem(url)
    assert problem in found
    assert bool(problem) == bool(found)


@pytest.mark.parametrize("name", ["a", "My.Env-2_x", "0" * 63])
def test_environment_names(name: str) -> None:
    assert names.checked_environment_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".x", "-x", "a/b", "..", "a.", "nul", "0" * 64, "a b", "é", "a\n", "CON.x", "a\x1b"],
)
def test_environment_names_that_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is no name for an environment") as caught:
        names.checked_environment_name(name)
    assert caught.value.sentence.isprintable()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("CON", "it has a part that Windows reserves for a device; use another one"),
        ("x" * 300, "use at most 63 characters"),
        ("a b", "use letters, digits, `-`, `_` and `.`, beginning with a letter or digit"),
    ],
)
def test_a_refused_name_gets_the_rule_that_it_breaks(name: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        names.checked_environment_name(name)
    assert caught.value.hint == hint

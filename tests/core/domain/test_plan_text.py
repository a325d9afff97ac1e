from __future__ import annotations

from dataclasses import replace

import pytest
from comfydock_core.domain.acquisition import (
    ImportPlan,
    ModelAcquisitionDecision,
    ModelAggregate,
    NodeAcquisitionDecision,
)
from comfydock_core.domain.manifest import NodeInfo
from comfydock_core.domain.plan_text import (
    PlanLine,
    PlanTextError,
    model_names,
    parse_plan,
    quoted,
    write_plan,
)

from tests.core.importing.summaries import aggregate, local_file, manifest

URL = "https://h.org/a.safetensors"
DIGEST = "c" * 64
WANTED = replace(aggregate(sources=(URL,), size=5), workflows=("u", "v 1"))


def plan(*models: ModelAcquisitionDecision) -> ImportPlan:
    node = NodeInfo(name="a b", source="registry", version="1")
    return ImportPlan(
        environment="studio",
        bundle=DIGEST,
        manifest=manifest(),
        aggregates={WANTED.key: WANTED},
        nodes=(NodeAcquisitionDecision(node=node, action="install", source="a b@1"),),
        models=models,
    )


def decided(action: str, **changes: object) -> ModelAcquisitionDecision:
    return ModelAcquisitionDecision(
        key=WANTED.key,
        model=WANTED.model,
        action=action,  # type: ignore[arg-type]
        **changes,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("decision", "line"),
    [
        (decided("download", source_url=URL), "download     a.safetensors"),
        (
            decided("download", source_url="https://o.org/x"),
            "download     a.safetensors  https://o.org/x",
        ),
        (decided("unpack"), "unpack       a.safetensors"),
        (decided("existing"), "use          a.safetensors"),
        (decided("skip", reason="not chosen"), "skip         a.safetensors"),
        (
            decided("substitute", substitute=local_file("loras/b c.sft")),
            'substitute   a.safetensors  "loras/b c.sft"',
        ),
        (
            decided("substitute", substitute=local_file("loras/b.sft"), workflows=("u", "v 1")),
            'substitute   a.safetensors  loras/b.sft  in  u  "v 1"',
        ),
    ],
)
def test_each_decision_is_a_line(decision: ModelAcquisitionDecision, line: str) -> None:
    text = write_plan(plan(decision), lambda size: f"{size} bytes")
    lines = text.splitlines()
    assert lines[0] == f"# bundle: {DIGEST}"
    assert lines[-1] == line
    assert lines[-2].startswith(f"# {line.split(maxsplit=1)[0]} a.safetensors  5 bytes  required")
    assert "u, v 1" in lines[-2]
    parsed = parse_plan(text)
    assert parsed.bundle == DIGEST
    assert (parsed.lines[0].word, parsed.lines[0].name) == ("install-node", "a b")
    [_, model] = parsed.lines
    assert (model.name, model.workflows) == ("a.safetensors", decision.workflows)


@pytest.mark.parametrize(
    ("line", "word", "name", "value", "workflows"),
    [
        ("download a.sft", "download", "a.sft", "", ()),
        ("  download   a.sft\thttps://h/x#y  # why", "download", "a.sft", "https://h/x#y", ()),
        ("skip a#b.sft # no", "skip", "a#b.sft", "", ()),
        ('substitute "a b" "c \\"d\\"" in "in"', "substitute", "a b", 'c "d"', ("in",)),
        ("substitute a C:\\models\\b.sft", "substitute", "a", "C:\\models\\b.sft", ()),
        ('skip "in"', "skip", "in", "", ()),
        ("skip-node x", "skip-node", "x", "", ()),
    ],
)
def test_lines_are_read(
    line: str, word: str, name: str, value: str, workflows: tuple[str, ...]
) -> None:
    [parsed] = parse_plan(f"# a remark\n\n{line}\r\n").lines
    assert parsed == PlanLine(
        place="line 3",
        word=word,  # type: ignore[arg-type]
        name=name,
        value=value,
        workflows=workflows,
    )


@pytest.mark.parametrize(
    ("line", "words", "expected"),
    [
        ("dowload a", "`dowload` is no decision", "`download`"),
        ('"skip" a', "is no decision", "`skip`"),
        ("skip", "too many or too few", "`skip NAME`"),
        ("skip a b", "too many or too few", "`skip NAME`"),
        ("substitute a", "too many or too few", "`substitute NAME PATH [in WORKFLOW ...]`"),
        ("substitute a b in", "too many or too few", "in WORKFLOW"),
        ("download a b c", "too many or too few", "`download NAME [URL]`"),
        ("download a in u", "cannot be limited", "`download NAME [URL]`"),
        ('skip "a', "is not closed", '`"a name with spaces"`'),
        ('skip "\\x"', "cannot be read", '`"a name with spaces"`'),
    ],
)
def test_a_wrong_line_is_named(line: str, words: str, expected: str) -> None:
    with pytest.raises(PlanTextError) as caught:
        parse_plan(f"skip fine\n{line}\n")
    assert caught.value.sentence.startswith("line 2: ")
    assert words in caught.value.sentence
    assert expected in caught.value.hint


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "a b",
        "in",
        '"',
        '"a"',
        'a"b',
        "#a",
        "a#b",
        "",
        " ",
        "ä",
        "a\u202eb",
        "a\nb",
        "\\",
        "\ud800",
    ],
)
def test_every_name_comes_back(name: str) -> None:
    assert "\n" not in quoted(name)
    [line] = parse_plan(f"skip {quoted(name)}").lines
    assert line.name == name


def named(filename: str, path: str, key: str) -> ModelAggregate:
    return replace(aggregate(key=key, content=path, filename=filename), key=key)


@pytest.mark.parametrize(
    ("models", "names"),
    [
        ((("a", "loras/a"), ("b", "loras/b")), ["a", "b"]),
        ((("a", "loras/a"), ("a", "vae/a")), ["loras/a", "vae/a"]),
        ((("a", "loras/a"), ("a", "loras/a")), ["0" * 16, "1" * 16]),
        ((("loras/a", "x/y"), ("a", "loras/a"), ("a", "vae/a")), ["x/y", "2" * 16, "vae/a"]),
    ],
)
def test_models_are_told_apart(models: tuple[tuple[str, str], ...], names: list[str]) -> None:
    keys = [str(number) * 16 for number in range(len(models))]
    every = {k: named(name, path, k) for k, (name, path) in zip(keys, models, strict=True)}
    found = list(model_names(every).values())
    assert found == [keys[1] if name == "2" * 16 else name for name in names]

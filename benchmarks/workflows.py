"""Reading workflows: the models of 644 official templates, against the JSON parser alone."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from comfydock_core.domain.lenient_json import Decoder, fast_decoder, plain_decoder
from comfydock_core.domain.model_loaders import LOADERS
from comfydock_core.domain.workflow import parse_workflow
from comfydock_core.domain.workflow_models import ModelReference, model_references
from comfydock_core.domain.workflow_splice import rewrite_values
from comfydock_core.storage.workflow_readings import WorkflowReadings

from benchmarks.material import template_workflows
from benchmarks.rows import Row, medians

ROUNDS = 9


def run() -> list[Row]:
    """Measure recall, precision and speed."""
    files = template_workflows()
    return [*_accuracy(files), *_speed(files), *_again(files)]


def _accuracy(files: Mapping[str, bytes]) -> Iterator[Row]:
    wanted = found = unfounded = total = 0
    for name, data in files.items():
        workflow = parse_workflow(data, name)
        references = model_references(workflow)
        here = {(each.reference.node_id, each.reference.widget_value) for each in references}
        for node in workflow.nodes:
            for model in node.declared_models:
                wanted += 1
                found += (node.id, model.name) in here
        declared = {m.name for node in workflow.nodes for m in node.declared_models}
        total += len(references)
        unfounded += sum(not _is_founded(each, declared) for each in references)
    yield Row(
        name=f"declared models found at their node ({len(files)} workflows)",
        figure=f"{found}",
        floor=f"{wanted}",
        ratio=f"{found / wanted:.3f}",
        target="1.000",
    )
    yield _rewriting(files)
    yield Row(
        name="references that are a declared model, or a loader's choice",
        figure=f"{total - unfounded}",
        floor=f"{total}",
        ratio=f"{(total - unfounded) / total:.3f}",
        target="1.000",
    )


def _rewriting(files: Mapping[str, bytes]) -> Row:
    """Give every model another name and then its own again: the same bytes must come out."""
    same = 0
    for name, data in files.items():
        there = {
            each.reference: f"other/{each.reference.widget_value}"
            for each in model_references(parse_workflow(data, name))
        }
        changed = rewrite_values(data, there, name=name)
        back = {
            replace(reference, widget_value=value): reference.widget_value
            for reference, value in there.items()
        }
        same += rewrite_values(changed.data, back, name=name).data == data
    return Row(
        name="workflows that are the same bytes after renaming all models and back",
        figure=f"{same}",
        floor=f"{len(files)}",
        ratio=f"{same / len(files):.3f}",
        target="1.000",
    )


def _is_founded(reference: ModelReference, declared: set[str]) -> bool:
    return bool(reference.category) or reference.reference.widget_value in declared


def _reading(decode: Decoder) -> Callable[[str, bytes], object]:
    return lambda name, data: model_references(parse_workflow(data, name, decode))


def _each(work: Callable[[str, bytes], object], files: Mapping[str, bytes]) -> None:
    """Do it for every file and let each result go: what is kept slows the collector down."""
    for name, data in files.items():
        work(name, data)


def _speed(files: Mapping[str, bytes]) -> Iterator[Row]:
    taken = medians(
        ROUNDS,
        {
            "json": lambda: _each(lambda _, data: json.loads(data), files),
            "fast": lambda: _each(_reading(fast_decoder()), files),
            "plain": lambda: _each(_reading(plain_decoder), files),
        },
    )
    targets = {"fast": "<= 1.5", "plain": ""}
    names = {"fast": "read and find models, msgspec", "plain": "read and find models, json"}
    for key, name in names.items():
        yield Row(
            name=name,
            figure=f"{len(files) / taken[key]:,.0f} workflows/s",
            floor=f"{len(files) / taken['json']:,.0f} (json alone)",
            ratio=f"{taken[key] / taken['json']:.2f}",
            target=targets[key],
        )


def _again(files: Mapping[str, bytes]) -> Iterator[Row]:
    """Look at unchanged files again, against one stat of each."""
    with tempfile.TemporaryDirectory() as folder:
        places = {name: Path(folder, f"{number}.json") for number, name in enumerate(files)}
        for name, place in places.items():
            place.write_bytes(files[name])
        readings = WorkflowReadings(Path(folder, "kept"), LOADERS)
        for name, place in places.items():
            readings.needs(name, place)
        taken = medians(
            ROUNDS,
            {
                "stat": lambda: [place.stat() for place in places.values()],
                "again": lambda: [readings.needs(name, place) for name, place in places.items()],
            },
        )
    yield Row(
        name="look at unchanged workflows again",
        figure=f"{len(files) / taken['again']:,.0f} workflows/s",
        floor=f"{len(files) / taken['stat']:,.0f} (a stat)",
        ratio=f"{taken['again'] / taken['stat']:.2f}",
        target="<= 2",
    )

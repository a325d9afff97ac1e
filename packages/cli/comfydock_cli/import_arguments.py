"""The flags of an import that answer its questions beforehand, and what they decide."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

from comfydock_core.domain.names import checked_python_version, checked_torch_backend
from comfydock_core.domain.plan_text import PlanLine
from comfydock_core.errors import UsageError
from comfydock_core.interaction import AfterFailures, ModelStrategy
from comfydock_core.services.import_service import ImportOptions
from comfydock_core.storage.user_paths import user_path

from comfydock_cli.context import Context
from comfydock_cli.import_prompts import ImportAnswers
from comfydock_cli.plan_editing import read_plan


def decision_arguments(parser: ArgumentParser) -> None:
    """Everything that decides about nodes and models."""
    strategies = get_args(ModelStrategy)
    parser.add_argument("--models", choices=strategies, help="which missing models to download")
    parser.add_argument("--skip-models", action="store_true", help="download no models")
    parser.add_argument("--skip-nodes", action="store_true", help="install only bundled nodes")
    _several(parser, "--skip-node", "NODE", "do not install this node")
    _several(parser, "--skip-model", "MODEL", "do without it; MODEL is a file name, path or hash")
    _several(parser, "--model-url", "MODEL=URL", "download MODEL from this address")
    _several(parser, "--substitute", "MODEL=LOCAL", "use a model of this machine instead")
    _several(
        parser, "--per-workflow", "MODEL=A,B", "substitute MODEL in the workflows A and B only"
    )
    parser.add_argument(
        "--existing", choices=("use", "download"), help="what becomes of files that only look alike"
    )
    parser.add_argument(
        "--on-failure",
        choices=get_args(AfterFailures),
        help="after failed downloads: once more, go on without them, or stop",
    )
    parser.add_argument("--plan", default="", metavar="FILE", help="follow a saved plan")
    parser.add_argument("--save-plan", default="", metavar="FILE", help="save the plan")


def _several(parser: ArgumentParser, flag: str, metavar: str, help_text: str) -> None:
    parser.add_argument(flag, action="append", default=[], metavar=metavar, help=help_text)


def import_options(arguments: Namespace, context: Context) -> ImportOptions:
    """Return what the flags decide; UsageError where they contradict each other."""
    lines = tuple(decision_lines(arguments))
    whole = [
        flag
        for flag, given in (
            ("--models", arguments.models),
            ("--skip-models", arguments.skip_models),
            ("--skip-nodes", arguments.skip_nodes),
            *((line.place, True) for line in lines),
        )
        if given
    ]
    if arguments.plan and whole:
        raise UsageError(
            f"`--plan` decides about everything, so `{whole[0]}` has nothing to say",
            hint="change the plan file, or leave one of them out",
            subject=whole[0],
        )
    return ImportOptions(
        models="skip" if arguments.skip_models else arguments.models,
        skip_nodes=arguments.skip_nodes,
        lines=lines,
        plan_text=read_plan(user_path(arguments.plan)) if arguments.plan else "",
        torch_backend=checked_torch_backend(arguments.torch_backend),
        python_version=checked_python_version(arguments.python),
        # A dry run goes on without an answer, but that is no consent to ask strangers' hosts.
        ask_hosts=context.terminal.interactive or context.options.yes,
        verify=not arguments.no_verify,
        trust_code=arguments.trust_code,
        person=context.terminal.interactive and not context.options.yes,
        answers=tuple(_answered(arguments)),
    )


def _answered(arguments: Namespace) -> Iterator[str]:
    if arguments.existing:
        yield f"--existing {arguments.existing}"
    if path := plan_file(arguments):
        yield f"--save-plan {path}"


def refuse_beside_resume(given: Iterable[str], command: str, name: str) -> None:
    """Raise UsageError for the first of what was ``given`` beside ``--resume``, empty ones aside.

    What goes on is what was agreed to.
    """
    for words in filter(None, given):
        raise UsageError(
            f"`{words}` has nothing to say beside `--resume`: what was agreed to goes on",
            hint=f"comfydock {command} --resume {name}",
            subject=words,
        )


def import_answers(arguments: Namespace) -> ImportAnswers:
    """Return what the flags answer while the import runs."""
    return ImportAnswers(
        existing=arguments.existing or "",
        on_failure=arguments.on_failure or "",
        save_plan=plan_file(arguments),
    )


def plan_file(arguments: Namespace) -> Path | None:
    """Return where the plan is saved, if anywhere; UsageError where no folder is there for it."""
    if not arguments.save_plan:
        return None
    path = user_path(arguments.save_plan)
    if not path.parent.is_dir():
        raise UsageError(
            f"`{path.parent}` is no folder, so the plan cannot be saved there",
            hint="make it first, or choose another place for `--save-plan`",
            subject=str(path),
        )
    return path


def decision_lines(arguments: Namespace) -> Iterator[PlanLine]:
    """Yield the decisions about single nodes and models, in the words of a plan."""
    for node in arguments.skip_node:
        yield PlanLine(place="--skip-node", word="skip-node", name=node)
    for model in arguments.skip_model:
        yield PlanLine(place="--skip-model", word="skip", name=model)
    for text in arguments.model_url:
        model, url = _pair("--model-url", "MODEL=URL", text)
        yield PlanLine(place="--model-url", word="download", name=model, value=url)
    limits = dict(_pair("--per-workflow", "MODEL=A,B", text) for text in arguments.per_workflow)
    for text in arguments.substitute:
        model, local = _pair("--substitute", "MODEL=LOCAL", text)
        names = limits.pop(model, "")
        workflows = tuple(name.strip() for name in names.split(",") if name.strip())
        yield PlanLine(
            place="--substitute", word="substitute", name=model, value=local, workflows=workflows
        )
    for model in limits:
        raise UsageError(
            f"`--per-workflow {model}=...` limits nothing",
            hint=f"it belongs to `--substitute {model}=LOCAL`, with the same words for the model",
            subject="--per-workflow",
        )


def _pair(flag: str, form: str, text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not name or not value:
        raise UsageError(f"`{flag} {text}` is not `{flag} {form}`", subject=flag)
    return name, value

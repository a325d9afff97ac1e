"""A small table of commands that try the shell; ``python -m tests.cli.toy_commands WORDS``."""

from __future__ import annotations

import argparse
import sys
import threading

from comfydock_cli.context import Context
from comfydock_cli.main import main
from comfydock_cli.result import CommandResult, ErrorItem
from comfydock_core.errors import GitError
from comfydock_core.events import ItemFinished, ItemStarted, StepFinished, StepStarted

_HERE = "tests.cli.toy_commands"
COMMANDS = (
    ("greet", "Say hello", _HERE, "greet", "Share"),
    ("fail", "Fail", _HERE, "fail", "Share"),
    ("crash", "Hit a bug", _HERE, "crash", "Share"),
    ("wait", "Wait for ever", _HERE, "wait", "Share"),
    ("box open", "Ask before opening a box", _HERE, "open_box", "Nodes"),
    ("box lid fit", "Do some steps", _HERE, "fit_lid", "Nodes"),
)


def greet_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("who")
    parser.add_argument("passed_on", nargs="*", default=[])
    parser.add_argument("--tone", choices=("kind", "plain"), default="plain")


def greet(arguments: argparse.Namespace, context: Context) -> CommandResult:
    data = {"who": arguments.who, "passed_on": arguments.passed_on, "env": context.options.env}
    return CommandResult(
        command="greet",
        data=data,
        text=f"✓ hello {arguments.who}",
        notes=("warning: only a toy",),
        next_command="comfydock greet again",
    )


def fail_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--partly", action="store_true")


def fail(arguments: argparse.Namespace, context: Context) -> CommandResult:
    if not arguments.partly:
        raise GitError(
            "`box` is shut", cause="said git\ntwice", hint="comfydock box", subject="box"
        )
    item = ErrorItem(code="model-missing", message="`a` is missing", subject="a")
    return CommandResult(
        command="fail", text="⚠ not all", status="partial", exit_code=3, errors=(item,)
    )


def crash_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--secret", default="")


def crash(arguments: argparse.Namespace, context: Context) -> CommandResult:
    raise ZeroDivisionError(f"https://me:{arguments.secret}@host/")


def wait_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Waits."


def wait(arguments: argparse.Namespace, context: Context) -> CommandResult:
    context.output.side.write_line("waiting")
    threading.Event().wait()
    return CommandResult(command="wait")


def open_box_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", action="store_true")


def open_box(arguments: argparse.Namespace, context: Context) -> CommandResult:
    lines = ("📋 A box:", "", "   [Y] Execute plan  [e] Edit plan  [c] Cancel")
    choices = {"Y": "execute the plan", "e": "edit it", "c": "cancel"}
    letter = context.terminal.choose(lines, choices, default="Y", flag="--yes")
    sure = context.terminal.confirm("Continue?", default=False, flag="--sure")
    name = context.terminal.ask_text("Its name:", flag="--name") if arguments.name else ""
    return CommandResult(
        command="box open", data={"letter": letter}, text=f"{letter} {sure} {name}"
    )


def fit_lid_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Reports."


def fit_lid(arguments: argparse.Namespace, context: Context) -> CommandResult:
    for event in (
        StepStarted(step="nodes", title="Installing custom nodes", count=1),
        ItemStarted(step="nodes", item="acme"),
        ItemFinished(step="nodes", item="acme"),
        StepFinished(step="nodes", detail="Installed 1/1 nodes"),
        StepStarted(step="models", title="Downloading models", count=1),
        ItemStarted(step="models", item="sd15.safetensors", size=4509715660),
        ItemFinished(step="models", item="sd15.safetensors"),
        StepFinished(step="models"),
    ):
        context.reporter.report(event)
    return CommandResult(command="box lid fit", text="fitted")


if __name__ == "__main__":
    sys.exit(main(commands=COMMANDS))

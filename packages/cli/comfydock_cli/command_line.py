"""The words of a command line: options of every command, the command, the arguments it takes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NoReturn

from comfydock_core.errors import UsageError

from comfydock_cli.command_table import Command
from comfydock_cli.help_text import OPTIONS
from comfydock_cli.output import Form

_FLAGS = {
    "-y": "yes",
    "--yes": "yes",
    "--no-interactive": "no_interactive",
    "--json": "json",
    "--json-stream": "json_stream",
    "-h": "help",
    "--help": "help",
}
_REQUIRED = "the following arguments are required: "


@dataclass(frozen=True, kw_only=True, slots=True)
class GlobalOptions:
    """What may stand anywhere before ``--``; ``env`` is empty for the active environment."""

    env: str = ""
    yes: bool = False
    no_interactive: bool = False
    json: bool = False
    json_stream: bool = False
    help: bool = False


def form_of(words: list[str]) -> Form:
    """Return the form of the answer that ``words`` ask for, even if they are wrong otherwise."""
    own, _ = _cut(words)
    if "--json-stream" in own:
        return "json-stream"
    return "json" if "--json" in own else "text"


def split_global_options(words: list[str]) -> tuple[GlobalOptions, list[str]]:
    """Take the options of every command out of ``words``; what follows ``--`` stays untouched."""
    own, passed_on = _cut(words)
    env = ""
    flags: set[str] = set()
    rest: list[str] = []
    following = iter(own)
    for word in following:
        name, has_value, value = word.partition("=")
        if name in ("-e", "--env"):
            env = _environment_name(value if has_value else next(following, ""))
        elif word in _FLAGS:
            flags.add(_FLAGS[word])
        else:
            rest.append(word)
    if rest[:1] == ["help"]:
        del rest[0]
        flags.add("help")
    return GlobalOptions(env=env, **dict.fromkeys(flags, True)), rest + passed_on


def _cut(words: list[str]) -> tuple[list[str], list[str]]:
    end = words.index("--") if "--" in words else len(words)
    return words[:end], words[end:]


def _environment_name(value: str) -> str:
    if not value or value.startswith("-"):
        raise UsageError("`--env` needs the name of an environment", hint="comfydock list")
    return value


def find_command(words: list[str], commands: tuple[Command, ...]) -> tuple[Command, list[str]]:
    """Split ``words`` into the command with the most words and what follows it."""
    by_words = {command[0]: command for command in commands}
    for count in range(min(3, len(words)), 0, -1):
        command = by_words.get(" ".join(words[:count]))
        if command:
            return command, words[count:]
    raise _unknown_command(words, commands)


def _unknown_command(words: list[str], commands: tuple[Command, ...]) -> UsageError:
    first = words[0]
    if first.startswith("-"):
        meant = _closest(first, ["--env", "--version", *_FLAGS])
        return _unknown(f"`{first}` is no option of comfydock", first, meant, "comfydock --help")
    names = {" ".join(place) for command in commands for place in _beginnings(command[0].split())}
    group = next((name for name in _typed(words) if name in names), "")
    typed = " ".join(words[: len(group.split()) + 1])
    meant = next(filter(None, (_closest(name, names) for name in _typed(words))), "")
    meant = f"comfydock {meant}" if meant and meant != group else ""
    page = f"comfydock {group} --help" if group else "comfydock --help"
    return _unknown(f"`{typed}` is no command of comfydock", typed, meant, page)


def _beginnings(words: list[str]) -> Iterator[list[str]]:
    return (words[:count] for count in range(1, len(words) + 1))


def _typed(words: list[str]) -> Iterator[str]:
    return (" ".join(words[:count]) for count in range(min(3, len(words)), 0, -1))


def _closest(word: str, names: Iterator[str] | list[str] | set[str]) -> str:
    return next(iter(get_close_matches(word, sorted(names), n=1, cutoff=0.7)), "")


def _unknown(sentence: str, subject: str, meant: str, page: str) -> UsageError:
    return UsageError(sentence, hint=f"did you mean `{meant}`?" if meant else page, subject=subject)


class CommandParser(argparse.ArgumentParser):
    """The arguments of one command; wrong ones are a UsageError, help is only text."""

    def __init__(self, command: str, summary: str) -> None:
        super().__init__(
            prog=f"comfydock {command}",
            description=f"{summary}.",
            epilog=OPTIONS,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=False,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in our form."""
        needed = message.removeprefix(_REQUIRED)
        if needed != message:
            names = "`, `".join(needed.split(", "))
            raise self._wrong(f"`{self.prog}` needs `{names}`", needed)
        raise self._wrong(f"`{self.prog}` cannot take that: {message}", "")

    def parsed(self, words: list[str]) -> argparse.Namespace:
        """Read ``words``, all of them."""
        arguments, unknown = self.parse_known_args(words)
        if not unknown:
            return arguments
        first = unknown[0]
        if not first.startswith("-"):
            raise self._wrong(f"`{self.prog}` takes no further word `{first}`", first)
        options = [name for action in self._actions for name in action.option_strings]
        meant = _closest(first, options)
        raise _unknown(
            f"`{first}` is no option of `{self.prog}`", first, meant, f"{self.prog} --help"
        )

    def _wrong(self, sentence: str, subject: str) -> UsageError:
        return UsageError(sentence, hint=f"{self.prog} --help", subject=subject)

"""The methods and built-in functions that node packs put their names and choices together with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from comfydock_core.storage.folded_values import MOST_ITEMS, UNKNOWN, bounded

Arguments = Sequence[object]
Named = Mapping[str, object]

_MOST_WORK = 1_000_000
_TEXT_METHODS = frozenset(
    {"capitalize", "lower", "lstrip", "removeprefix", "removesuffix", "replace", "rstrip"}
    | {"strip", "title", "upper"}
)


def method_result(owner: object, name: str, arguments: Arguments, named: Named) -> object:
    """Return what ``owner.name(…)`` returns; lists and dicts are changed as their methods do."""
    if isinstance(owner, str):
        return _of_text(owner, name, arguments, named)
    if isinstance(owner, dict):
        return _of_dict(owner, name, arguments, named)
    if isinstance(owner, list):
        return _of_list(owner, name, arguments)
    return UNKNOWN


def _of_text(owner: str, name: str, arguments: Arguments, named: Named) -> object:
    if name == "join" and arguments and isinstance(arguments[0], list | tuple):
        parts = [part for part in arguments[0] if isinstance(part, str)]
        return bounded(owner.join(parts)) if len(parts) == len(arguments[0]) else UNKNOWN
    if name == "format":
        return _formatted(owner, arguments, named)
    texts = [each for each in arguments if isinstance(each, str)]
    if name not in _TEXT_METHODS or len(texts) != len(arguments):
        return UNKNOWN
    if len(owner) * sum(map(len, texts)) > _MOST_WORK:
        return UNKNOWN
    try:
        result: str = getattr(owner, name)(*texts)
    except TypeError:
        return UNKNOWN
    return bounded(result)


def _formatted(owner: str, arguments: Arguments, named: Named) -> object:
    """Fill in plain fields (``{}``, ``{0}``, ``{name}``): others can ask for any amount of work."""
    values = {str(position): value for position, value in enumerate(arguments)} | dict(named)
    text = owner
    for position in range(owner.count("{}")):
        text = text.replace("{}", f"{{{position}}}", 1)
    for key, value in values.items():
        if not isinstance(value, str | int):
            return UNKNOWN
        text = text.replace(f"{{{key}}}", str(value))
    return UNKNOWN if "{" in text else bounded(text)


def _of_dict(owner: dict[object, object], name: str, arguments: Arguments, named: Named) -> object:
    first = arguments[0] if arguments else UNKNOWN
    if name == "update":
        owner.update(first if isinstance(first, dict) else {})
        owner.update(named)
        return None
    if name in ("get", "pop", "setdefault"):
        default = arguments[1] if len(arguments) > 1 else UNKNOWN
        if not isinstance(first, str | int):
            return UNKNOWN
        change = {"get": owner.get, "pop": owner.pop, "setdefault": owner.setdefault}[name]
        return change(first, default)
    views: Mapping[str, Callable[[], object]] = {
        "copy": owner.copy,
        "items": lambda: list(owner.items()),
        "keys": lambda: list(owner),
        "values": lambda: list(owner.values()),
    }
    return views[name]() if name in views else UNKNOWN


def _of_list(owner: list[object], name: str, arguments: Arguments) -> object:
    first = arguments[0] if arguments else UNKNOWN
    if name == "copy":
        return list(owner)
    if len(owner) > MOST_ITEMS:
        return None
    if name == "append":
        owner.append(first)
    elif name == "extend":
        owner.extend(first if isinstance(first, list | tuple) else [UNKNOWN])
    elif name == "insert" and len(arguments) > 1 and isinstance(first, int):
        owner.insert(first, arguments[1])
    return None


def _as_list(arguments: Arguments, _: Named) -> object:
    first = arguments[0] if arguments else []
    return list(first) if isinstance(first, list | tuple | dict) else UNKNOWN


def _as_dict(arguments: Arguments, named: Named) -> object:
    first = arguments[0] if arguments else {}
    return {**first, **named} if isinstance(first, dict) else UNKNOWN


def _filtered(arguments: Arguments, _: Named) -> object:
    return _as_list(arguments[1:], {}) if len(arguments) > 1 else UNKNOWN


def _numbers(arguments: Arguments, _: Named) -> object:
    whole = [each for each in arguments if isinstance(each, int)]
    if len(whole) != len(arguments) or not 1 <= len(whole) <= 3 or 0 in whole[2:]:
        return UNKNOWN
    return list(range(*whole)[:MOST_ITEMS])


def _numbered(arguments: Arguments, _: Named) -> object:
    items = _as_list(arguments, {})
    return list(enumerate(items)) if isinstance(items, list) else UNKNOWN


def _as_text(arguments: Arguments, _: Named) -> object:
    first = arguments[0] if arguments else ""
    return str(first) if isinstance(first, str | int) else UNKNOWN


BUILTINS: Mapping[str, Callable[[Arguments, Named], object]] = {
    "dict": _as_dict,
    "enumerate": _numbered,
    "filter": _filtered,
    "list": _as_list,
    "natsorted": _as_list,
    "range": _numbers,
    "reversed": _as_list,
    "set": _as_list,
    "sorted": _as_list,
    "str": _as_text,
    "tuple": _as_list,
}

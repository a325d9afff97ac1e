"""A prompt (API form): what is wrong with it, and its run from the output nodes backwards."""

from __future__ import annotations

import traceback

import nodes


class PromptRefusedError(Exception):
    """A prompt that is not run; ``body`` is what POST /prompt answers with 400."""

    def __init__(self, kind: str, message: str, details: str = "", node_errors=None) -> None:
        super().__init__(message)
        error = {"type": kind, "message": message, "details": details, "extra_info": {}}
        self.body = {"error": error, "node_errors": node_errors or {}}


class NodeFailedError(Exception):
    """A node raised while it ran; ``node_id`` is the node's, the cause is what it raised."""

    def __init__(self, node_id: str) -> None:
        super().__init__(node_id)
        self.node_id = node_id


def validate(prompt: dict) -> tuple[list[str], dict]:
    """The output nodes that can run, and what is wrong at nodes that others need.

    Raises PromptRefusedError when no output node can run, or when a node's class is not there.
    """
    for node_id, node in prompt.items():
        if node["class_type"] not in nodes.NODE_CLASS_MAPPINGS:
            message = f"Cannot execute because node {node['class_type']} does not exist."
            raise PromptRefusedError("invalid_prompt", message, f"Node ID '#{node_id}'")
    outputs = [node_id for node_id, node in prompt.items() if _is_output(node)]
    if not outputs:
        raise PromptRefusedError("prompt_no_outputs", "Prompt has no outputs")
    errors: dict = {}
    sound = []
    for output in outputs:
        wrong = {
            node_id for node_id in _upstream(prompt, output) if _check(prompt, node_id, errors)
        }
        for node_id in wrong:
            errors[node_id]["dependent_outputs"].append(output)
        if not wrong:
            sound.append(output)
    if not sound:
        message = "Prompt outputs failed validation"
        raise PromptRefusedError("prompt_outputs_failed_validation", message, "", errors)
    return sound, errors


def run(prompt: dict, outputs: list[str], extra_data: dict) -> tuple[dict, dict]:
    """What the output nodes showed, by node, and the status, both as /history has them."""
    shown: dict = {}
    results: dict = {}
    try:
        for output in outputs:
            _result(prompt, output, extra_data, results, shown)
    except NodeFailedError as failed:
        return shown, _failed_status(prompt, failed)
    messages = [["execution_success", {}]]
    return shown, {"status_str": "success", "completed": True, "messages": messages}


def is_link(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[1], int)


def _is_output(node: dict) -> bool:
    return getattr(nodes.NODE_CLASS_MAPPINGS[node["class_type"]], "OUTPUT_NODE", False)


def _upstream(prompt: dict, output: str) -> set[str]:
    """``output`` and every node that it needs."""
    found, waiting = set(), [output]
    while waiting:
        node_id = waiting.pop()
        if node_id in prompt and node_id not in found:
            found.add(node_id)
            values = prompt[node_id]["inputs"].values()
            waiting += [value[0] for value in values if is_link(value)]
    return found


def _check(prompt: dict, node_id: str, errors: dict) -> bool:
    """Whether something is wrong with a node's inputs; it is put into ``errors``."""
    node = prompt[node_id]
    required = nodes.NODE_CLASS_MAPPINGS[node["class_type"]].INPUT_TYPES().get("required", {})
    found = [
        error
        for name, declared in required.items()
        if (error := _input_error(prompt, node["inputs"], name, declared[0]))
    ]
    if found and node_id not in errors:
        errors[node_id] = {
            "errors": found,
            "dependent_outputs": [],
            "class_type": node["class_type"],
        }
    return bool(found)


def _input_error(prompt: dict, inputs: dict, name: str, declared: object) -> dict | None:
    if name not in inputs:
        return _error("required_input_missing", "Required input is missing", name, name)
    value = inputs[name]
    if is_link(value):
        if value[0] in prompt:
            return None
        return _error("bad_linked_input", "Bad linked input", f"{name}: {value}", name)
    if isinstance(declared, list) and value not in declared:
        details = f"{name}: '{value}' not in {declared}"
        return _error("value_not_in_list", "Value not in list", details, name)
    return None


def _error(kind: str, message: str, details: str, name: str) -> dict:
    extra = {"input_name": name}
    return {"type": kind, "message": message, "details": details, "extra_info": extra}


def _result(prompt: dict, node_id: str, extra_data: dict, results: dict, shown: dict) -> tuple:
    """A node's outputs; each node runs once. What it shows goes into ``shown``."""
    if node_id in results:
        return results[node_id]
    inputs = {}
    for name, value in prompt[node_id]["inputs"].items():
        if is_link(value):
            source = _result(prompt, value[0], extra_data, results, shown)
            inputs[name] = source[value[1]]
        else:
            inputs[name] = value
    results[node_id], ui = _called(prompt, node_id, inputs, extra_data)
    if ui:
        shown[node_id] = ui
    return results[node_id]


def _called(prompt: dict, node_id: str, inputs: dict, extra_data: dict) -> tuple[tuple, dict]:
    node_class = nodes.NODE_CLASS_MAPPINGS[prompt[node_id]["class_type"]]
    known = {
        "PROMPT": prompt,
        "EXTRA_PNGINFO": extra_data.get("extra_pnginfo"),
        "UNIQUE_ID": node_id,
    }
    try:
        hidden = node_class.INPUT_TYPES().get("hidden", {})
        inputs.update({name: known.get(kind) for name, kind in hidden.items()})
        returned = getattr(node_class(), node_class.FUNCTION)(**inputs)
    except Exception as failure:  # whatever a stranger's node raises
        raise NodeFailedError(node_id) from failure
    if isinstance(returned, dict):
        return tuple(returned.get("result", ())), returned.get("ui", {})
    return tuple(returned or ()), {}


def _failed_status(prompt: dict, failed: NodeFailedError) -> dict:
    cause = failed.__cause__
    told = {
        "node_id": failed.node_id,
        "node_type": prompt[failed.node_id]["class_type"],
        "exception_type": type(cause).__name__,
        "exception_message": str(cause),
        "traceback": traceback.format_exception(type(cause), cause, cause.__traceback__),
    }
    print("".join(told["traceback"]), flush=True)
    messages = [["execution_error", told]]
    return {"status_str": "error", "completed": False, "messages": messages}

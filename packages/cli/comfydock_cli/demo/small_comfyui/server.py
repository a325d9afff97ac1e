"""The HTTP side: the paths that a manager and a script use, with the real shapes of answers."""

from __future__ import annotations

import json
import os
import socketserver
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

import execution
import folder_paths
import node_packs
import nodes
from comfyui_version import __version__

history: dict[str, dict] = {}
one_prompt_at_a_time = threading.Lock()


def serve(host: str, port: int) -> None:
    """Answers until it is interrupted; a port in use raises OSError."""
    with Server((host, port), Handler) as server:
        shown = "127.0.0.1" if host == "0.0.0.0" else host
        print(f"Starting server\n\nTo see the GUI go to: http://{shown}:{port}", flush=True)
        try:
            server.serve_forever(poll_interval=0.05)
        except KeyboardInterrupt:
            print("\nStopped server", flush=True)


class Server(ThreadingHTTPServer):
    # On Windows this would let two servers share a port.
    allow_reuse_address = os.name != "nt"

    def server_bind(self) -> None:
        """Without HTTPServer's look-up of the host's name, which can take seconds offline."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        first, *rest = unquote(address.path).removeprefix("/api").strip("/").split("/")
        answer = ANSWERS.get(first)
        found = answer("/".join(rest), dict(parse_qsl(address.query))) if answer else None
        self._send(404 if found is None else 200, b"" if found is None else found)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.path.removeprefix("/api") != "/prompt":
            return self._send(404, b"")
        return self._send(*queue(json.loads(body)))

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged."""

    def _send(self, status: int, answer: object) -> None:
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        kind = "application/octet-stream" if isinstance(answer, bytes) else "application/json"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def queue(asked: dict) -> tuple[int, dict]:
    """Validates and runs a prompt; the answer to POST /prompt."""
    prompt, extra_data = asked["prompt"], asked.get("extra_data", {})
    print("got prompt", flush=True)
    try:
        outputs, node_errors = execution.validate(prompt)
    except execution.PromptRefusedError as refusal:
        return 400, refusal.body
    prompt_id = str(uuid.uuid4())
    with one_prompt_at_a_time:
        shown, status = execution.run(prompt, outputs, extra_data)
        number = len(history)
        history[prompt_id] = {
            "prompt": [number, prompt_id, prompt, extra_data, outputs],
            "outputs": shown,
            "status": status,
        }
    return 200, {"prompt_id": prompt_id, "number": number, "node_errors": node_errors}


def system_stats(name: str, query: dict) -> dict:
    system = {
        "os": os.name,
        "comfyui_version": __version__,
        "python_version": sys.version,
        "pytorch_version": "none",
        "argv": sys.argv,
    }
    return {"system": system, "devices": []}


def object_info(name: str, query: dict) -> dict:
    known = nodes.NODE_CLASS_MAPPINGS
    return {each: _described(each, known[each]) for each in known if name in ("", each)}


def _described(name: str, node_class: type) -> dict:
    inputs = node_class.INPUT_TYPES()
    return {
        "input": inputs,
        "input_order": {group: list(members) for group, members in inputs.items()},
        "output": list(node_class.RETURN_TYPES),
        "output_name": list(getattr(node_class, "RETURN_NAMES", node_class.RETURN_TYPES)),
        "name": name,
        "display_name": nodes.NODE_DISPLAY_NAME_MAPPINGS.get(name, name),
        "description": getattr(node_class, "DESCRIPTION", ""),
        "python_module": node_packs.pack_of_class.get(name, "nodes"),
        "category": getattr(node_class, "CATEGORY", "sd"),
        "output_node": getattr(node_class, "OUTPUT_NODE", False),
    }


def models(name: str, query: dict) -> list[str] | None:
    if not name:
        return [kind for kind in folder_paths.folder_names_and_paths if kind != "custom_nodes"]
    known = folder_paths.map_legacy(name) in folder_paths.folder_names_and_paths
    return folder_paths.get_filename_list(name) if known else None


def finished_prompts(name: str, query: dict) -> dict:
    return {prompt_id: entry for prompt_id, entry in history.items() if name in ("", prompt_id)}


def view(name: str, query: dict) -> bytes | None:
    roots = {
        "output": folder_paths.get_output_directory(),
        "input": folder_paths.get_input_directory(),
    }
    root = roots.get(query.get("type", "output"))
    filename = os.path.basename(query.get("filename", ""))
    path = _below(root, os.path.join(query.get("subfolder", ""), filename)) if root else None
    if path is None or not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        return file.read()


def user_files(name: str, query: dict) -> list[str] | None:
    """Files in a folder of the user's data, deeper ones too when asked with recurse=true."""
    default_user = os.path.join(folder_paths.get_user_directory(), "default")
    folder = _below(default_user, query.get("dir", ""))
    if folder is None or not os.path.isdir(folder):
        return None
    found = []
    for root, folders, files in os.walk(folder):
        found += [os.path.relpath(os.path.join(root, file), folder) for file in files]
        if query.get("recurse", "").lower() != "true":
            folders.clear()
    return sorted(found)


def _below(root: str, relative: str) -> str | None:
    """The path when it lies below ``root``."""
    root = os.path.abspath(root)
    path = os.path.abspath(os.path.join(root, relative))
    return path if os.path.commonpath((root, path)) == root else None


ANSWERS = {
    "system_stats": system_stats,
    "object_info": object_info,
    "models": models,
    "history": finished_prompts,
    "view": view,
    "userdata": user_files,
}

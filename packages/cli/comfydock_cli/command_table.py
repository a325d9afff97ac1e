"""Every command: its words, one line about it, its module and function, its section of the help.

Plain tuples in a module that imports nothing: the help is drawn from them before anything else is
loaded. The module of a command has ``FUNCTION_arguments(parser)``, which declares its arguments,
beside ``FUNCTION(arguments, context)``, which returns a CommandResult.
"""

from __future__ import annotations

Command = tuple[str, str, str, str, str]

COMMANDS: tuple[Command, ...] = (
    (
        "export",
        "Write an environment to one file",
        "comfydock_cli.share_commands",
        "export_env",
        "Share",
    ),
    (
        "import",
        "Make an environment out of such a file",
        "comfydock_cli.share_commands",
        "import_env",
        "Share",
    ),
    (
        "demo",
        "Show the whole loop in a temporary folder",
        "comfydock_cli.demo.command",
        "run_demo",
        "Share",
    ),
    (
        "create",
        "Make an environment with a ComfyUI of its own",
        "comfydock_cli.global_commands",
        "create_env",
        "Environments",
    ),
    (
        "list",
        "List the environments",
        "comfydock_cli.global_commands",
        "list_envs",
        "Environments",
    ),
    (
        "use",
        "Choose the active environment",
        "comfydock_cli.global_commands",
        "use_env",
        "Environments",
    ),
    (
        "status",
        "Show what an environment holds and what it lacks",
        "comfydock_cli.environment_commands",
        "show_status",
        "Environments",
    ),
    (
        "run",
        "Start ComfyUI; its own options follow after --",
        "comfydock_cli.environment_commands",
        "run_comfyui",
        "Environments",
    ),
    (
        "delete",
        "Delete an environment; models stay",
        "comfydock_cli.global_commands",
        "delete_env",
        "Environments",
    ),
    (
        "init",
        "Choose where the workspace and the models lie",
        "comfydock_cli.global_commands",
        "init_workspace",
        "Environments",
    ),
    (
        "node add",
        "Add a node pack: a registry id, a git URL or a folder",
        "comfydock_cli.node_commands",
        "add_node",
        "Nodes",
    ),
    (
        "node list",
        "List the node packs",
        "comfydock_cli.node_commands",
        "list_nodes",
        "Nodes",
    ),
    (
        "node remove",
        "Remove a node pack",
        "comfydock_cli.node_commands",
        "remove_node",
        "Nodes",
    ),
    (
        "workflow list",
        "List the workflows and what they lack",
        "comfydock_cli.workflow_commands",
        "list_workflows",
        "Workflows",
    ),
    (
        "workflow add",
        "Take a workflow out of a JSON, picture or video file",
        "comfydock_cli.workflow_commands",
        "add_workflow_file",
        "Workflows",
    ),
    (
        "workflow show",
        "Show a workflow's nodes and models, and who asks",
        "comfydock_cli.workflow_commands",
        "show_workflow",
        "Workflows",
    ),
    (
        "workflow resolve",
        "Find the nodes and models that a workflow asks for",
        "comfydock_cli.workflow_commands",
        "resolve_workflow",
        "Workflows",
    ),
    (
        "workflow model",
        "Say how much a workflow depends on a model",
        "comfydock_cli.workflow_commands",
        "set_workflow_model",
        "Workflows",
    ),
    (
        "model list",
        "List the models",
        "comfydock_cli.model_commands",
        "list_models",
        "Models",
    ),
    (
        "model find",
        "Find models by name or hash",
        "comfydock_cli.model_commands",
        "find_models",
        "Models",
    ),
    (
        "model add-source",
        "Say where a model can be downloaded",
        "comfydock_cli.model_commands",
        "add_model_source",
        "Models",
    ),
    (
        "model index dir",
        "Choose the folder of the models",
        "comfydock_cli.model_commands",
        "set_models_directory",
        "Models",
    ),
    (
        "model index scan",
        "Look for new, changed and missing models",
        "comfydock_cli.model_commands",
        "scan_models",
        "Models",
    ),
    (
        "commit",
        "Record the state of an environment",
        "comfydock_cli.environment_commands",
        "commit_env",
        "History",
    ),
    (
        "log",
        "List the recorded states",
        "comfydock_cli.environment_commands",
        "show_log",
        "History",
    ),
)

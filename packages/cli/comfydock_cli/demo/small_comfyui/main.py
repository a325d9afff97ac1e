"""A small ComfyUI: no torch, standard library only, up in a tenth of a second.

It does what a manager and a workflow can see of the real one: the command line, folder_paths and
extra model paths, custom node packs with the real log lines, /object_info, /prompt and its
refusals, /history, /view, /userdata, exit codes. Instead of sampling, its nodes pass digests of
their inputs and of the model files on, and SaveImage draws a picture of the digest it gets.
"""

from __future__ import annotations

import sys

import folder_paths
import node_packs
import options
import server
from comfyui_version import __version__
from extra_model_paths import load_extra_model_paths


def main() -> int:
    arguments = options.parse(sys.argv[1:])
    print(f"ComfyUI version: {__version__}")
    folder_paths.use_base_directory(arguments.base_directory)
    folder_paths.use_directories(
        output=arguments.output_directory,
        input=arguments.input_directory,
        user=arguments.user_directory,
        temp=arguments.temp_directory,
    )
    for file in options.extra_model_path_files(arguments):
        load_extra_model_paths(file)
    if not arguments.disable_all_custom_nodes:
        node_packs.load_all(tells_each=arguments.verbose == "DEBUG")
    if arguments.quick_test_for_ci:
        return 0
    server.serve(arguments.listen.split(",")[0], arguments.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())

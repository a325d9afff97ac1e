"""comfydock-core: whole ComfyUI environments as one file. Never prints, never prompts."""

__version__ = "2.0.0"

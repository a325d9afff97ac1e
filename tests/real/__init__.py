"""Real ComfyUI, CPU torch, tiny models: what `make real` stands on."""

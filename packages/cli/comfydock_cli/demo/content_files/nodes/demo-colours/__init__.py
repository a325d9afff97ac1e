"""A colour's name -> the number that ComfyUI's colour inputs take."""

from __future__ import annotations

from webcolors import name_to_rgb


class DemoColour:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"name": ("STRING", {"default": "teal"})}}

    RETURN_TYPES = ("INT",)
    FUNCTION = "number"
    CATEGORY = "demo"

    def number(self, name):
        colour = name_to_rgb(name)
        return ((colour.red << 16) + (colour.green << 8) + colour.blue,)


NODE_CLASS_MAPPINGS = {"DemoColour": DemoColour}
NODE_DISPLAY_NAME_MAPPINGS = {"DemoColour": "Colour by name"}

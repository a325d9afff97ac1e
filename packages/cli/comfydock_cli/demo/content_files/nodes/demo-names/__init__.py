"""A phrase -> a name that a file can have: "Three Foxes!" -> "three-foxes"."""

from __future__ import annotations

from slugify import slugify


class DemoFileName:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"default": ""})}}

    RETURN_TYPES = ("STRING",)
    FUNCTION = "file_name"
    CATEGORY = "demo"

    def file_name(self, text):
        return (slugify(text),)


NODE_CLASS_MAPPINGS = {"DemoFileName": DemoFileName}
NODE_DISPLAY_NAME_MAPPINGS = {"DemoFileName": "File name"}

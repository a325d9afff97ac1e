"""A count and a thing -> a phrase: 3 and "foxes" -> "three foxes"."""

from __future__ import annotations

from humanize import apnumber


class DemoPhrase:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "count": ("INT", {"default": 3, "min": 1, "max": 9}),
                "things": ("STRING", {"default": "foxes"}),
            }
        }

    RETURN_TYPES = ("STRING",)
    FUNCTION = "phrase"
    CATEGORY = "demo"

    def phrase(self, count, things):
        return (f"{apnumber(count)} {things}",)


NODE_CLASS_MAPPINGS = {"DemoPhrase": DemoPhrase}
NODE_DISPLAY_NAME_MAPPINGS = {"DemoPhrase": "Phrase"}

"""The core nodes: the names, inputs and outputs of the real ones; digests in place of tensors."""

from __future__ import annotations

import json
import os
import re

import folder_paths
from digests import digest_of, file_digest, model_digest
from picture import png_of

MAX_RESOLUTION = 16384
SAMPLERS = ["euler", "euler_ancestral", "heun", "dpmpp_2m", "dpmpp_sde", "ddim", "uni_pc"]
SCHEDULERS = ["simple", "normal", "karras", "exponential", "sgm_uniform", "beta"]
SIZE = ("INT", {"default": 512, "min": 1, "max": MAX_RESOLUTION})
BATCH = ("INT", {"default": 1, "min": 1, "max": 4096})
STRENGTH = ("FLOAT", {"default": 1.0, "min": -100.0, "max": 100.0, "step": 0.01})


class DigestNode:
    """A node whose every output is a digest of its class, its inputs and the output's place."""

    RETURN_TYPES = ()
    FUNCTION = "digest"
    CATEGORY = "small"

    def digest(self, **inputs):
        everything = digest_of(type(self).__name__, inputs)
        return tuple(digest_of(everything, place) for place in range(len(self.RETURN_TYPES)))


class ModelNode(DigestNode):
    """A node that loads the file ``MODEL_INPUT`` of ``MODEL_FOLDER``: its content takes part."""

    MODEL_FOLDER = ""
    MODEL_INPUT = ""
    FUNCTION = "load"
    CATEGORY = "loaders"

    def load(self, **inputs):
        content = model_digest(self.MODEL_FOLDER, inputs[self.MODEL_INPUT])
        return self.digest(**{**inputs, self.MODEL_INPUT: content})


class CheckpointLoaderSimple(ModelNode):
    MODEL_FOLDER, MODEL_INPUT = "checkpoints", "ckpt_name"
    RETURN_TYPES = ("MODEL", "CLIP", "VAE")

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"ckpt_name": (folder_paths.get_filename_list("checkpoints"),)}}


class UNETLoader(ModelNode):
    MODEL_FOLDER, MODEL_INPUT = "diffusion_models", "unet_name"
    RETURN_TYPES = ("MODEL",)

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "unet_name": (folder_paths.get_filename_list("diffusion_models"),),
                "weight_dtype": (["default", "fp8_e4m3fn", "fp8_e4m3fn_fast", "fp8_e5m2"],),
            }
        }


class CLIPLoader(ModelNode):
    MODEL_FOLDER, MODEL_INPUT = "text_encoders", "clip_name"
    RETURN_TYPES = ("CLIP",)

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "clip_name": (folder_paths.get_filename_list("text_encoders"),),
                "type": (["stable_diffusion", "sd3", "flux", "wan"],),
            }
        }


class VAELoader(ModelNode):
    MODEL_FOLDER, MODEL_INPUT = "vae", "vae_name"
    RETURN_TYPES = ("VAE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"vae_name": (folder_paths.get_filename_list("vae"),)}}


class ControlNetLoader(ModelNode):
    MODEL_FOLDER, MODEL_INPUT = "controlnet", "control_net_name"
    RETURN_TYPES = ("CONTROL_NET",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"control_net_name": (folder_paths.get_filename_list("controlnet"),)}}


class UpscaleModelLoader(ModelNode):
    MODEL_FOLDER, MODEL_INPUT = "upscale_models", "model_name"
    RETURN_TYPES = ("UPSCALE_MODEL",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model_name": (folder_paths.get_filename_list("upscale_models"),)}}


class LoraLoader(ModelNode):
    MODEL_FOLDER, MODEL_INPUT = "loras", "lora_name"
    RETURN_TYPES = ("MODEL", "CLIP")

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "model": ("MODEL",),
                "clip": ("CLIP",),
                "lora_name": (folder_paths.get_filename_list("loras"),),
                "strength_model": STRENGTH,
                "strength_clip": STRENGTH,
            }
        }


class LoraLoaderModelOnly(ModelNode):
    MODEL_FOLDER, MODEL_INPUT = "loras", "lora_name"
    RETURN_TYPES = ("MODEL",)

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "model": ("MODEL",),
                "lora_name": (folder_paths.get_filename_list("loras"),),
                "strength_model": STRENGTH,
            }
        }


class CLIPTextEncode(DigestNode):
    RETURN_TYPES = ("CONDITIONING",)
    CATEGORY = "conditioning"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"multiline": True}), "clip": ("CLIP",)}}


class EmptyLatentImage(DigestNode):
    RETURN_TYPES = ("LATENT",)
    CATEGORY = "latent"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"width": SIZE, "height": SIZE, "batch_size": BATCH}}


class EmptySD3LatentImage(EmptyLatentImage):
    CATEGORY = "latent/sd3"


class KSampler(DigestNode):
    RETURN_TYPES = ("LATENT",)
    CATEGORY = "sampling"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "model": ("MODEL",),
                "seed": ("INT", {"default": 0, "min": 0, "max": 0xFFFFFFFFFFFFFFFF}),
                "steps": ("INT", {"default": 20, "min": 1, "max": 10000}),
                "cfg": ("FLOAT", {"default": 8.0, "min": 0.0, "max": 100.0}),
                "sampler_name": (SAMPLERS,),
                "scheduler": (SCHEDULERS,),
                "positive": ("CONDITIONING",),
                "negative": ("CONDITIONING",),
                "latent_image": ("LATENT",),
                "denoise": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0}),
            }
        }


class VAEDecode(DigestNode):
    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "latent"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"samples": ("LATENT",), "vae": ("VAE",)}}


class VAEEncode(DigestNode):
    RETURN_TYPES = ("LATENT",)
    CATEGORY = "latent"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"pixels": ("IMAGE",), "vae": ("VAE",)}}


class EmptyImage(DigestNode):
    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image"

    @classmethod
    def INPUT_TYPES(cls):
        colour = ("INT", {"default": 0, "min": 0, "max": 0xFFFFFF, "display": "color"})
        return {"required": {"width": SIZE, "height": SIZE, "batch_size": BATCH, "color": colour}}


class LoadImage(DigestNode):
    RETURN_TYPES = ("IMAGE", "MASK")
    FUNCTION = "load_image"
    CATEGORY = "image"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": (folder_paths.get_input_files(), {"image_upload": True})}}

    def load_image(self, image):
        path = os.path.join(folder_paths.get_input_directory(), image)
        return self.digest(image=file_digest(path))


class ImageUpscaleWithModel(DigestNode):
    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image/upscaling"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"upscale_model": ("UPSCALE_MODEL",), "image": ("IMAGE",)}}


class SaveImage:
    """Draws the digest of ``images`` and writes it with the prompt and workflow in it."""

    RETURN_TYPES = ()
    FUNCTION = "save_images"
    OUTPUT_NODE = True
    CATEGORY = "image"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "images": ("IMAGE",),
                "filename_prefix": ("STRING", {"default": "ComfyUI"}),
            },
            "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"},
        }

    def save_images(self, images, filename_prefix="ComfyUI", prompt=None, extra_pnginfo=None):
        embedded = {"prompt": prompt, **(extra_pnginfo or {})}
        content = png_of(
            digest_of(images), {key: json.dumps(value) for key, value in embedded.items()}
        )
        folder, filename = next_output(filename_prefix)
        with open(os.path.join(folder, filename), "wb") as file:
            file.write(content)
        subfolder = os.path.relpath(folder, folder_paths.get_output_directory())
        saved = {
            "filename": filename,
            "subfolder": "" if subfolder == "." else subfolder,
            "type": "output",
        }
        return {"ui": {"images": [saved]}}


def next_output(prefix: str) -> tuple[str, str]:
    """Folder and name of the next file that starts with ``prefix`` (which may name a folder)."""
    output = os.path.abspath(folder_paths.get_output_directory())
    folder, stem = os.path.split(os.path.abspath(os.path.join(output, prefix)))
    if os.path.commonpath((output, folder)) != output:
        raise ValueError("Saving an image outside the output folder is not allowed.")
    os.makedirs(folder, exist_ok=True)
    pattern = re.compile(re.escape(stem) + r"_(\d+)_")
    numbers = [int(match[1]) for match in map(pattern.match, os.listdir(folder)) if match]
    return folder, f"{stem}_{max(numbers, default=0) + 1:05}_.png"


NODE_CLASS_MAPPINGS = {
    "CheckpointLoaderSimple": CheckpointLoaderSimple,
    "UNETLoader": UNETLoader,
    "CLIPLoader": CLIPLoader,
    "VAELoader": VAELoader,
    "ControlNetLoader": ControlNetLoader,
    "UpscaleModelLoader": UpscaleModelLoader,
    "LoraLoader": LoraLoader,
    "LoraLoaderModelOnly": LoraLoaderModelOnly,
    "CLIPTextEncode": CLIPTextEncode,
    "EmptyLatentImage": EmptyLatentImage,
    "EmptySD3LatentImage": EmptySD3LatentImage,
    "KSampler": KSampler,
    "VAEDecode": VAEDecode,
    "VAEEncode": VAEEncode,
    "EmptyImage": EmptyImage,
    "LoadImage": LoadImage,
    "ImageUpscaleWithModel": ImageUpscaleWithModel,
    "SaveImage": SaveImage,
}

NODE_DISPLAY_NAME_MAPPINGS = {
    "CheckpointLoaderSimple": "Load Checkpoint",
    "UNETLoader": "Load Diffusion Model",
    "CLIPTextEncode": "CLIP Text Encode (Prompt)",
    "SaveImage": "Save Image",
}

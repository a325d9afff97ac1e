from __future__ import annotations

import pytest
from comfydock_core.domain.tensor_facts import TensorFacts, facts_of_name, facts_of_tensors


@pytest.mark.parametrize(
    ("names", "told", "architecture"),
    [
        (["cond_stage_model.transformer.text_model.x"], [], "sd15"),
        (["cond_stage_model.model.x"], [], "sd2"),
        (["conditioner.embedders.1.model.x", "first_stage_model.decoder.conv_in.x"], [], "sdxl"),
        (["double_blocks.0.img", "single_blocks.0.x"], [], "flux"),
        (["joint_blocks.0.x"], [], "sd3"),
        (["lora_te_text_model_encoder_x"], [], "sd15"),
        (["lora_te1_text_model_x", "lora_te2_text_model_x"], [], "sdxl"),
        (["lora_unet_double_blocks_0_x"], [], "flux"),
        (["encoder.conv_in.weight", "decoder.conv_in.weight"], [], "vae"),
        (["text_model.encoder.layers.0.x"], [], "clip"),
        (["conv_first.weight", "conv_last.weight"], [], "esrgan"),
        (["w"], [], ""),
        (["w"], ["", "sdxl_base_v1-0"], "sdxl"),
        (["lora_te_text_model_x"], ["stable-diffusion-xl-v1-base/lora"], "sdxl"),
    ],
)
def test_tensors_tell_the_architecture(
    names: list[str], told: list[str], architecture: str
) -> None:
    facts = facts_of_tensors(dict.fromkeys(names, ("F16", 2)), told)
    assert facts == TensorFacts(architecture=architecture, precision="fp16", tensors=len(names))


@pytest.mark.parametrize(
    ("dtypes", "precision"),
    [
        ({"a": ("F16", 10), "b": ("F32", 4)}, "fp16"),
        ({"a": ("F16", 10), "b": ("F32", 7), "c": ("F32", 4)}, "fp32"),
        ({"a": ("F8_E4M3", 1)}, "fp8"),
        ({"a": ("X9", 1)}, "x9"),
        ({}, ""),
    ],
)
def test_most_bytes_tell_the_precision(dtypes: dict[str, tuple[str, int]], precision: str) -> None:
    assert facts_of_tensors(dtypes, []).precision == precision


@pytest.mark.parametrize(
    ("name", "architecture", "precision"),
    [
        ("sd15.safetensors", "sd15", ""),
        ("v1-5-pruned-emaonly-fp16.safetensors", "sd15", "fp16"),
        ("sd_xl_base_1.0.safetensors", "sdxl", ""),
        ("ponyDiffusion_bf16.safetensors", "sdxl", "bf16"),
        ("sd3.5_large.safetensors", "sd3", ""),
        ("flux1-dev-fp8.safetensors", "flux", "fp8"),
        ("v2-1_768.ckpt", "sd2", ""),
        ("my-style.safetensors", "", ""),
        ("swan.safetensors", "", ""),
    ],
)
def test_names_tell_something(name: str, architecture: str, precision: str) -> None:
    assert facts_of_name(name) == TensorFacts(architecture=architecture, precision=precision)

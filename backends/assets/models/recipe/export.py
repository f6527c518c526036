#!/usr/bin/env python3
"""Writes a checkpoint as a Hugging Face directory: configuration, tokenizer and bf16 weights.

    export.py checkpoint.pt tokenizer.json DIRECTORY
"""

import json
import os
import shutil
import struct
import sys

import torch

from llama import CONFIG
from tokens import SPECIAL, VOCABULARY

TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] | trim + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def bfloat16(tensor):
    """The nearest bf16 of every element, ties to even, as little-endian bytes."""
    return tensor.detach().to(torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes()


def write_safetensors(path, tensors):
    header, place, parts = {"__metadata__": {"format": "pt"}}, 0, []
    for name in sorted(tensors):
        parts.append(bfloat16(tensors[name]))
        header[name] = {"dtype": "BF16", "shape": list(tensors[name].shape),
                        "data_offsets": [place, place + len(parts[-1])]}
        place += len(parts[-1])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 64)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(parts)


def write_json(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")


def main():
    checkpoint, tokenizer, folder = sys.argv[1:4]
    ids = {name: VOCABULARY - len(SPECIAL) + i for i, name in enumerate(SPECIAL)}
    ends = [ids["<|end|>"], ids["<|endoftext|>"]]
    os.makedirs(folder, exist_ok=True)
    write_json(folder, "config.json", {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", **CONFIG,
        "hidden_act": "silu", "attention_bias": False, "mlp_bias": False,
        "tie_word_embeddings": True, "torch_dtype": "bfloat16",
        "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ends})
    write_json(folder, "generation_config.json", {
        "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ends,
        "do_sample": True, "temperature": 0.7, "top_p": 0.9})
    write_json(folder, "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": False,
        "bos_token": "<|endoftext|>", "eos_token": "<|end|>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": CONFIG["max_position_embeddings"], "chat_template": TEMPLATE})
    shutil.copyfile(tokenizer, os.path.join(folder, "tokenizer.json"))
    weights = torch.load(checkpoint, map_location="cpu")["model"]
    write_safetensors(os.path.join(folder, "model.safetensors"), weights)


main()

#!/usr/bin/env python3
"""Text from a checkpoint, to see how it reads, and its loss on the chapters that were held out.

    sample.py corpus.json tokenizer.json checkpoint.pt
"""

import json
import sys

import torch

from examples import Examples
from llama import CONFIG, Llama
from tokens import SPECIAL, VOCABULARY, alphabet, load

TEMPERATURE = 0.7
LENGTH = 120
PROMPTS = ["It was a fine morning, and ",
           "<|endoftext|><|user|>Do you like to dance?<|end|><|assistant|>",
           "<|endoftext|><|user|>Hello! How are you today?<|end|><|assistant|>"]


def encode(tokenizer, prompt):
    for name in SPECIAL:
        prompt = prompt.replace(name, "\0" + name + "\0")
    ids = []
    for part in prompt.split("\0"):
        special = tokenizer.special.get(part)
        ids += tokenizer.encode(part) if special is None else [special]
    return ids


def generate(model, ids):
    first = len(ids)
    while len(ids) < first + LENGTH and ids[-1] < VOCABULARY - 1:
        logits = model(torch.tensor([ids]))[0, -1] / TEMPERATURE
        ids = ids + [int(torch.multinomial(logits.softmax(-1), 1))]
    return ids


def text_of(path):
    """What each token stands for."""
    with open(path, encoding="utf-8") as file:
        names = json.load(file)["model"]["vocab"]
    byte_of = {char: byte for byte, char in alphabet().items()}
    tokens = {i: bytes(byte_of[char] for char in name) for name, i in names.items()}
    tokens.update({VOCABULARY - len(SPECIAL) + i: name.encode() for i, name in enumerate(SPECIAL)})
    return tokens


def held_out(model, examples, context):
    rows = torch.from_numpy(examples.held_out_rows(context))
    rows = rows[:len(rows) // 4 * 4]
    return sum(float(model.loss(rows[i:i + 4])) for i in range(0, len(rows), 4)) * 4 / len(rows)


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)
    tokenizer, tokens = load(sys.argv[2]), text_of(sys.argv[2])
    with open(sys.argv[1], encoding="utf-8") as file:
        examples = Examples(json.load(file)["novels"], tokenizer)
    model = Llama()
    saved = torch.load(sys.argv[3], map_location="cpu")
    model.load_state_dict(saved["model"])
    with torch.no_grad():
        for context in (256, CONFIG["max_position_embeddings"]):
            loss = held_out(model, examples, context)
            print(f"step {saved['step']}: held out, rows of {context}: {loss:.4f} nats a token")
        for prompt in PROMPTS:
            ids = generate(model, encode(tokenizer, prompt))
            print("---\n" + b"".join(tokens[i] for i in ids).decode("utf-8", "replace"))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Learns a byte-level BPE from the corpus and writes tokenizer.json in Hugging Face's form.

    tokens.py corpus.json tokenizer.json

The learnt merges are applied here only to train the model; the program has its own tokenizer.
"""

import collections
import json
import re
import sys

VOCABULARY = 2048
SPECIAL = ["<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]

# GPT-2's pattern, which tokenizer.json names by "use_regex"; the corpus is ASCII, so Python's own
# classes say the same as \p{L} and \p{N}.
SPLIT = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")


def alphabet():
    """GPT-2's printable stand-in for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    table = {byte: chr(byte) for byte in plain}
    table.update({byte: chr(256 + i) for i, byte in enumerate(others)})
    return table


class Tokenizer:
    """Merges by rank over one piece at a time; pieces are remembered."""

    def __init__(self, merges):
        self.known = {}
        self.ranks = {pair: 256 + i for i, pair in enumerate(merges)}
        self.special = {name: VOCABULARY - len(SPECIAL) + i for i, name in enumerate(SPECIAL)}

    def piece(self, text):
        ids = list(text.encode())
        while len(ids) > 1:
            best = min(zip(ids, ids[1:]), key=lambda pair: self.ranks.get(pair, VOCABULARY))
            if best not in self.ranks:
                break
            ids = merged(ids, best, self.ranks[best])
        return ids

    def encode(self, text):
        ids = []
        for text_piece in SPLIT.findall(text):
            if text_piece not in self.known:
                self.known[text_piece] = self.piece(text_piece)
            ids.extend(self.known[text_piece])
        return ids


def merged(ids, pair, new):
    out, at = [], 0
    while at < len(ids):
        if at + 1 < len(ids) and (ids[at], ids[at + 1]) == pair:
            out.append(new)
            at += 2
        else:
            out.append(ids[at])
            at += 1
    return out


def learn(text, count):
    """The `count` most frequent merges, one after the other; among equals the smallest pair."""
    frequency = collections.Counter(SPLIT.findall(text))
    words = [(list(word.encode()), times) for word, times in frequency.items()]
    pairs, where = collections.Counter(), collections.defaultdict(set)
    for index, (ids, times) in enumerate(words):
        for pair in zip(ids, ids[1:]):
            pairs[pair] += times
            where[pair].add(index)
    merges = []
    while len(merges) < count:
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        for index in where.pop(best):
            ids, times = words[index]
            for pair in zip(ids, ids[1:]):
                pairs[pair] -= times
            ids = merged(ids, best, 256 + len(merges))
            words[index] = (ids, times)
            for pair in zip(ids, ids[1:]):
                pairs[pair] += times
                where[pair].add(index)
        del pairs[best]
        merges.append(best)
    return merges


def load(path):
    """The tokenizer of a tokenizer.json that this script wrote."""
    with open(path, encoding="utf-8") as file:
        model = json.load(file)["model"]
    return Tokenizer([(model["vocab"][left], model["vocab"][right])
                      for left, right in (merge.split(" ") for merge in model["merges"])])


def tokenizer_json(merges):
    names = [alphabet()[byte] for byte in range(256)]
    for left, right in merges:
        names.append(names[left] + names[right])
    added = [{"id": len(names) + i, "content": name, "single_word": False, "lstrip": False,
              "rstrip": False, "normalized": False, "special": True}
             for i, name in enumerate(SPECIAL)]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False,
                  "use_regex": True}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": None, "pre_tokenizer": byte_level, "post_processor": None,
            "decoder": byte_level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None,
                      "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": False, "byte_fallback": False,
                      "vocab": {name: i for i, name in enumerate(names)},
                      "merges": [names[left] + " " + names[right] for left, right in merges]}}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        novels = json.load(file)["novels"]
    text = "\n".join(paragraph for novel in novels for chapter in novel["chapters"]
                     for paragraph in chapter)
    merges = learn(text, VOCABULARY - 256 - len(SPECIAL))
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(tokenizer_json(merges), file, ensure_ascii=False, indent=0)
        file.write("\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Hugging Face's transformers on the same weights: the logits that dyno must have, and the speed
that it has to beat.

usage: transformers_rival.py logits MODEL URL [MODEL URL]...
                                              compare servers' answers, each over a folder MODEL
       transformers_rival.py speed MODEL      time passes over MODEL
       transformers_rival.py greedy URL URL   do two servers say the same?

One JSON object a line on standard output.  `logits` ends with 1 if they differ by more than rounding
explains.  Needs torch and transformers; `greedy` needs neither.
"""
import argparse
import faulthandler
import json
import math
import signal
import statistics
import sys
import time
import urllib.request

PROMPT_LENGTHS = (1, 7, 33, 300)  # one token, an odd few, beyond two blocks, many blocks
ANSWER_TOKENS = 24
TOP = 20
CHECKED_TOP = 5  # of the server's likeliest, those whose logarithm is compared

# How much larger the server's error may be than that of transformers in the same 16 bits.
ERROR_RATIO_MAX = 2.0
ERROR_FLOOR = 0.02  # what is not worth a comparison: logits are of order 1

DECODE_BATCHES = (1, 8, 64, 256)
DECODE_CONTEXT = 1024
DECODE_STEPS = 8
CACHE_ROOM = 512  # a static cache counts its tokens itself: room for those of all rounds
PREFILL_TOKENS = (2048, 8192)
ROUNDS = 5


def say(**figures):
    print(json.dumps(figures), flush=True)


def ask(url, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)


def prompts(vocab):
    """Token numbers by a fixed rule; of a random model all are alike."""
    state = 12345
    for length in PROMPT_LENGTHS:
        tokens = []
        for _ in range(length):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            tokens.append((state >> 33) % vocab)
        yield tokens


def complete(url, model, prompt):
    return ask(url, "/v1/completions",
               {"model": model, "prompt": prompt, "max_tokens": ANSWER_TOKENS, "temperature": 0,
                "logprobs": TOP, "ignore_eos": True})["choices"][0]


def token_numbers(folder):
    """Text of a token -> its number, where the text is one token's alone."""
    with open(folder + "/tokenizer.json", encoding="utf-8") as file:
        vocabulary = json.load(file)["model"]["vocab"]
    byte_of = {}
    others = 0
    for byte in range(256):  # the alphabet of byte-level vocabularies
        if 33 <= byte <= 126 or 161 <= byte <= 172 or 174 <= byte <= 255:
            byte_of[chr(byte)] = byte
        else:
            byte_of[chr(256 + others)] = byte
            others += 1
    numbers, seen = {}, set()
    for spelled, number in vocabulary.items():
        text = bytes(byte_of[c] for c in spelled if c in byte_of).decode("utf-8", "replace")
        if text in seen:
            numbers.pop(text, None)
        else:
            numbers[text] = number
        seen.add(text)
    return numbers


def answer_of(choice, numbers):
    """The tokens of an answer as far as they can be told, with the top logarithms of each."""
    told = choice["logprobs"]
    tokens, tops = [], []
    for text, top in zip(told["tokens"], told["top_logprobs"]):
        if text not in numbers:
            break
        tokens.append(numbers[text])
        tops.append({numbers[t]: p for t, p in top.items() if t in numbers})
    return tokens, tops


def load(folder, dtype, attention="sdpa"):
    from transformers import AutoModelForCausalLM

    try:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, device_map="cuda",
                                                     attn_implementation=attention)
    except (ImportError, ValueError):  # without accelerate
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype,
                                                     attn_implementation=attention).to("cuda")
    return model.eval()


def shape_of(folder):
    """A model as in `folder` with weights of its own, where only its shape matters."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(folder)
    with torch.device("cuda"):
        return AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16,
                                                attn_implementation="sdpa").eval()


def logarithms(model, tokens, count):
    """Of the probabilities at the last `count` positions but the last."""
    import torch

    with torch.no_grad():
        logits = model(torch.tensor([tokens], device="cuda")).logits[0, -count - 1:-1]
    return torch.log_softmax(logits.double(), dim=-1)


def errors_of(exact, rounded, tops):
    """Largest difference over what the server told: of the server's, and of the rival's own."""
    ours = rivals = 0.0
    for at, top in enumerate(tops):
        best = sorted(top, key=top.get, reverse=True)[:CHECKED_TOP]
        for token in best:
            true = exact[at, token].item()
            ours = max(ours, abs(top[token] - true))
            rivals = max(rivals, abs(rounded[at, token].item() - true))
    return ours, rivals


def compare_logits(folder, url):
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    name = ask(url, "/v1/models")["data"][0]["id"]
    numbers = token_numbers(folder)
    exact_model, rounded_model = load(folder, torch.float32, "eager"), load(folder, torch.bfloat16)
    ours = rivals = 0.0
    checked = other_choice = 0
    for prompt in prompts(exact_model.config.vocab_size):
        tokens, tops = answer_of(complete(url, name, prompt), numbers)
        if not tokens:
            continue
        exact = logarithms(exact_model, prompt + tokens, len(tokens))
        rounded = logarithms(rounded_model, prompt + tokens, len(tokens))
        pair = errors_of(exact, rounded, tops)
        ours, rivals = max(ours, pair[0]), max(rivals, pair[1])
        best = exact.max(dim=-1).values
        for at, token in enumerate(tokens):  # a token that was not the likeliest was near it
            other_choice += best[at].item() - exact[at, token].item() > 2 * max(ours, ERROR_FLOOR)
        checked += len(tokens)
    fine = (checked >= ANSWER_TOKENS and other_choice == 0 and math.isfinite(ours) and
            ours <= max(ERROR_RATIO_MAX * rivals, ERROR_FLOOR))
    say(test="logits", model=exact_model.config.model_type, tokens=checked, error_max=ours,
        transformers_error_max=rivals, other_choices=other_choice, ok=fine)
    return 0 if fine else 1


def try_logits(folder, url):
    """A server that is gone is one that is wrong; the others are still asked."""
    try:
        return compare_logits(folder, url)
    except OSError as error:
        say(test="logits", model=folder.rsplit("-serve-", 1)[-1], why=str(error), ok=False)
        return 1


def compare_greedy(first, second):
    """The same words?  Where two logits are nearly equal they may part; told, and no failure."""
    names = [ask(url, "/v1/models")["data"][0]["id"] for url in (first, second)]
    same = total = 0
    for prompt in prompts(257):
        one = complete(first, names[0], prompt)["logprobs"]
        two = complete(second, names[1], prompt)["logprobs"]
        for at, (a, b) in enumerate(zip(one["tokens"], two["tokens"])):
            if a != b:
                top = sorted(one["top_logprobs"][at].values(), reverse=True)
                near = len(top) > 1 and top[0] - top[1] < 2 * ERROR_FLOOR
                say(test="greedy_parts", prompt_tokens=len(prompt), at=at, near_tie=near)
                if not near:
                    return 1
                break
            same += 1
        total += len(one["tokens"])
    say(test="greedy", tokens=total, same=same, ok=same > 0)
    return 0 if same > 0 else 1


def seconds(work, rounds=ROUNDS):
    """The median time of `work` on the GPU, after one that does not count."""
    import torch

    times = []
    work()
    for _ in range(rounds):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        work()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    return statistics.median(times)


def time_prefill(model, tokens):
    import torch

    ids = torch.randint(0, model.config.vocab_size, (1, tokens), device="cuda")

    def work():
        with torch.no_grad():
            model(ids, use_cache=True, logits_to_keep=1)

    spent = seconds(work)
    say(test="prefill", tokens=tokens, seconds=spent, tokens_per_second=tokens / spent)


def filled_cache(model, batch, context):
    """Keys and values of sequences that were never computed: their time is that of any other."""
    import torch
    from transformers import StaticCache

    config = model.config
    cache = StaticCache(config=config, max_cache_len=context + CACHE_ROOM)
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    shape = (batch, config.num_key_value_heads, context, head_dim)
    places = {"cache_position": torch.arange(context, device="cuda")}
    for layer in range(config.num_hidden_layers):
        keys = torch.randn(shape, device="cuda", dtype=torch.bfloat16)
        cache.update(keys, keys, layer, places)
    return cache


def captured(step):
    """The step as a CUDA graph."""
    import torch

    graph, side = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        step()
        step()
    torch.cuda.current_stream().wait_stream(side)
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def time_decode(model, batch, call, how, as_graph=False):
    """One token more for each of `batch` sequences."""
    import torch

    with torch.no_grad():
        cache = filled_cache(model, batch, DECODE_CONTEXT)
        token = torch.randint(0, model.config.vocab_size, (batch, 1), device="cuda")
        at = torch.tensor([DECODE_CONTEXT], device="cuda")

        def step():  # the same position again and again: only the context's length costs time
            logits = call(input_ids=token, past_key_values=cache, cache_position=at,
                          position_ids=at.expand(batch, 1), use_cache=True).logits
            token.copy_(logits[:, -1].argmax(dim=-1, keepdim=True))

        run = captured(step) if as_graph else step

        def work():
            for _ in range(DECODE_STEPS):
                run()

        spent = seconds(work) / DECODE_STEPS
    say(test="decode", how=how, batch=batch, context=DECODE_CONTEXT, seconds=spent,
        tokens_per_second=batch / spent)
    del cache
    torch.cuda.empty_cache()


def try_decode(model, batch, call, how, as_graph=False):
    """What a version of transformers cannot do is told, and is no failure."""
    try:
        time_decode(model, batch, call, how, as_graph)
    except Exception as error:  # pylint: disable=broad-except
        say(test="left out", how=how, batch=batch, why=str(error).splitlines()[0][:200])


def time_passes(options):
    import torch

    begin = time.monotonic()
    batches = [int(batch) for batch in options.batches.split(",")]
    model = shape_of(options.model) if options.shape else load(options.model, torch.bfloat16)
    say(test="load", seconds=time.monotonic() - begin)
    for batch in batches:
        try_decode(model, batch, model, "sdpa")
    for tokens in PREFILL_TOKENS:
        time_prefill(model, tokens)
    for batch in batches:
        try_decode(model, batch, model, "sdpa, CUDA graph", as_graph=True)
    if not options.no_compile:
        step = torch.compile(model, mode="reduce-overhead", fullgraph=False)
        for batch in batches:
            if time.monotonic() - begin < options.limit:
                try_decode(model, batch, step, "sdpa, compiled")
    return 0


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("logits")
    one.add_argument("pairs", nargs="+")
    one = commands.add_parser("greedy")
    one.add_argument("first")
    one.add_argument("second")
    one = commands.add_parser("speed")
    one.add_argument("model")
    one.add_argument("--batches", default=",".join(map(str, DECODE_BATCHES)))
    one.add_argument("--shape", action="store_true", help="weights of its own, of that shape")
    one.add_argument("--no-compile", action="store_true")
    one.add_argument("--limit", type=float, default=150, help="seconds; no new compilation then")
    options = parser.parse_args()
    faulthandler.register(signal.SIGTERM, chain=True)  # where it was when its time was over
    if options.command == "logits":
        pairs = zip(options.pairs[::2], options.pairs[1::2])
        return max([try_logits(folder, url) for folder, url in pairs])
    if options.command == "greedy":
        return compare_greedy(options.first, options.second)
    return time_passes(options)


if __name__ == "__main__":
    sys.exit(main())

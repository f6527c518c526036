"""Random models of every family, written as transformers writes them; what `dyno serve` says of the
tokens of a prompt and of the likeliest behind it, held against a forward pass in double."""
import json
import math
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import urllib.request

FAMILIES = ["llama", "mistral", "qwen2", "qwen3", "qwen3_moe", "mixtral", "gpt2"]
TOLERANCE = 3e-4  # of a logarithm; what was seen is 8e-5 at most


def encode(values, dtype):
    """The bytes of values, and the values as they then are."""
    if dtype == "BF16":
        bits = [struct.unpack("<I", struct.pack("<f", v))[0] for v in values]
        halves = [(b + 0x7fff + (b >> 16 & 1)) >> 16 for b in bits]
        return (struct.pack(f"<{len(halves)}H", *halves),
                [struct.unpack("<f", struct.pack("<I", h << 16))[0] for h in halves])
    form = f"<{len(values)}{'e' if dtype == 'F16' else 'f'}"
    data = struct.pack(form, *values)
    return data, list(struct.unpack(form, data))


class Model:
    """A configuration, and tensors by name: (dtype, shape, bytes, values)."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.tensors = {}
        pick = self.dice.choice
        self.family = FAMILIES[seed % len(FAMILIES)]
        self.dtype = pick(["F32", "F32", "F16", "BF16"])
        self.layers, self.vocab = pick([1, 2, 3]), pick([257, 258, 300])
        self.context, self.width = pick([12, 17, 32]), pick([1, 5, 32, 47])
        self.config = {"model_type": self.family, "vocab_size": self.vocab}
        self.tied = pick([True, False])
        self.config["tie_word_embeddings"] = self.tied
        if self.family == "gpt2":
            self.make_gpt2(pick)
        else:
            self.make_llama(pick)

    def add(self, name, *shape):
        count = math.prod(shape)
        if re.search(r"norm\.weight$|ln_.\.weight$", name):
            values, dtype = [1 + 0.3 * self.dice.gauss(0, 1) for _ in range(count)], "F32"
        else:
            spread = 1 / math.sqrt(shape[-1]) if len(shape) > 1 else 0.3
            values, dtype = [self.dice.gauss(0, spread) for _ in range(count)], self.dtype
        self.tensors[name] = (dtype, list(shape), *encode(values, dtype))

    def make_gpt2(self, pick):
        self.heads, self.head = pick([1, 2, 5]), pick([1, 3, 8])
        self.kv_heads, self.hidden = self.heads, self.heads * self.head
        self.epsilon = 1e-5
        h, w, self.prefix = self.hidden, self.width, pick(["", "transformer."])
        self.config.update(n_layer=self.layers, n_embd=h, n_head=self.heads, n_positions=self.context,
                           n_inner=w)
        self.add(self.prefix + "wte.weight", self.vocab, h)
        self.add(self.prefix + "wpe.weight", self.context, h)
        for layer in range(self.layers):
            place = f"{self.prefix}h.{layer}."
            for norm in ("ln_1", "ln_2"):
                self.add(place + norm + ".weight", h)
                self.add(place + norm + ".bias", h)
            for name, rows, columns in (("attn.c_attn", h, 3 * h), ("attn.c_proj", h, h),
                                        ("mlp.c_fc", h, w), ("mlp.c_proj", w, h)):
                self.add(place + name + ".weight", rows, columns)
                self.add(place + name + ".bias", columns)
        self.add(self.prefix + "ln_f.weight", h)
        self.add(self.prefix + "ln_f.bias", h)
        if not self.tied:
            self.add("lm_head.weight", self.vocab, h)

    def make_scaling(self, pick):
        kind = pick([None, "default", "linear", "llama3", "yarn"])
        scaling = {pick(["rope_type", "type"]): kind}
        if kind not in (None, "default"):
            scaling["factor"] = pick([1.0, 2.0, 7.3])
        if kind == "llama3":
            scaling.update(low_freq_factor=pick([1.0, 1.7]), high_freq_factor=pick([4.0, 9.5]),
                           original_max_position_embeddings=pick([8, 64]))
        if kind == "yarn":
            scaling.update(original_max_position_embeddings=pick([16, 64]),
                           **pick([{}, {"attention_factor": 0.7}, {"beta_fast": 4.0},
                                   {"mscale": 0.707, "mscale_all_dim": 1.0}]))
        self.config["rope_scaling"] = scaling if kind else None

    def make_llama(self, pick):
        self.kv_heads, self.head = pick([1, 2, 3, 5]), pick([2, 6, 16, 22, 64])
        self.heads, self.hidden = self.kv_heads * pick([1, 3, 4, 7]), pick([1, 7, 32, 33, 64])
        moe = self.family in ("qwen3_moe", "mixtral")
        biased = self.family == "qwen2" or (self.family != "mistral" and not moe and pick([0, 1]))
        self.config.update(
            num_hidden_layers=self.layers, hidden_size=self.hidden, num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads, head_dim=self.head, intermediate_size=self.width,
            max_position_embeddings=self.context, attention_bias=bool(biased),
            rope_theta=pick([10.0, 1e4, 1e6]))
        self.epsilon = pick([None, 1e-3])
        if self.epsilon:
            self.config["rms_norm_eps"] = self.epsilon
        else:
            self.epsilon = 1e-5 if self.family == "mixtral" else 1e-6
        if self.family in ("mistral", "mixtral"):
            self.config["sliding_window"] = pick([None, 3, 9, 100])
        self.make_scaling(pick)
        self.experts = pick([1, 3, 8]) if moe else 0
        if moe:
            self.config.update(num_experts_per_tok=pick(range(1, self.experts + 1)))
        if self.family == "mixtral":
            self.config.update(num_local_experts=self.experts)
        if self.family == "qwen3_moe":
            self.config.update(num_experts=self.experts, moe_intermediate_size=self.width,
                               norm_topk_prob=pick([True, False]), mlp_only_layers=pick([[], [0]]))
        self.add("model.embed_tokens.weight", self.vocab, self.hidden)
        for layer in range(self.layers):
            self.make_layer(layer, biased)
        self.add("model.norm.weight", self.hidden)
        if not self.tied:
            self.add("lm_head.weight", self.vocab, self.hidden)

    def make_layer(self, layer, biased):
        place, h, w = f"model.layers.{layer}.", self.hidden, self.width
        self.add(place + "input_layernorm.weight", h)
        self.add(place + "post_attention_layernorm.weight", h)
        for name, heads in (("q", self.heads), ("k", self.kv_heads), ("v", self.kv_heads)):
            self.add(f"{place}self_attn.{name}_proj.weight", heads * self.head, h)
            if biased:
                self.add(f"{place}self_attn.{name}_proj.bias", heads * self.head)
        self.add(place + "self_attn.o_proj.weight", h, self.heads * self.head)
        if biased and self.family != "qwen2":
            self.add(place + "self_attn.o_proj.bias", h)
        if self.family.startswith("qwen3"):
            self.add(place + "self_attn.q_norm.weight", self.head)
            self.add(place + "self_attn.k_norm.weight", self.head)
        for mlp, (gate, up, down) in self.mlps(place, layer):
            self.add(mlp + gate + ".weight", w, h)
            self.add(mlp + up + ".weight", w, h)
            self.add(mlp + down + ".weight", h, w)
        if self.router(place, layer):
            self.add(self.router(place, layer), self.experts, h)

    def router(self, place, layer):
        if not self.experts or layer in self.config.get("mlp_only_layers", []):
            return None
        return place + ("block_sparse_moe" if self.family == "mixtral" else "mlp") + ".gate.weight"

    def mlps(self, place, layer):
        parts = ("gate_proj", "up_proj", "down_proj")
        if not self.router(place, layer):
            return [(place + "mlp.", parts)]
        if self.family == "mixtral":
            return [(f"{place}block_sparse_moe.experts.{i}.", ("w1", "w3", "w2"))
                    for i in range(self.experts)]
        return [(f"{place}mlp.experts.{i}.", parts) for i in range(self.experts)]

    def write(self, folder):
        """In one file or in two with an index, the tensors in any order."""
        os.makedirs(folder)
        names = list(self.tensors)
        self.dice.shuffle(names)
        cut = self.dice.choice([0, len(names) // 2])
        files = ({"model.safetensors": names} if not cut else
                 {"model-00001-of-00002.safetensors": names[:cut],
                  "model-00002-of-00002.safetensors": names[cut:]})
        for file, held in files.items():
            header, end = {}, 0
            for name in held:
                dtype, shape, data, _ = self.tensors[name]
                header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + len(data)]}
                end += len(data)
            text = json.dumps(header).encode()
            with open(f"{folder}/{file}", "wb") as out:
                out.write(struct.pack("<Q", len(text)) + text)
                out.writelines(self.tensors[name][2] for name in held)
        if cut:
            index = {name: file for file, held in files.items() for name in held}
            with open(f"{folder}/model.safetensors.index.json", "w") as out:
                json.dump({"weight_map": index}, out)
        with open(f"{folder}/config.json", "w") as out:
            json.dump(self.config, out)
        with open(f"{folder}/tokenizer.json", "w") as out:
            json.dump(tokenizer(self.vocab), out)

    # The forward pass.

    def vector(self, name):
        return self.tensors[name][3]

    def times(self, name, x):
        """A matrix [out][in] times x, and a bias where there is one."""
        width, weights = len(x), self.vector(name + ".weight")
        y = [math.fsum(weights[i + j] * x[j] for j in range(width))
             for i in range(0, len(weights), width)]
        return plus(y, self.vector(name + ".bias")) if name + ".bias" in self.tensors else y

    def conv(self, name, x):
        """GPT-2's Conv1D: a matrix [in][out]."""
        weights, bias = self.vector(name + ".weight"), self.vector(name + ".bias")
        return [b + math.fsum(weights[j * len(bias) + i] * x[j] for j in range(len(x)))
                for i, b in enumerate(bias)]

    def norm(self, name, x):
        weights = self.vector(name + ".weight")
        if self.family != "gpt2":
            scale = 1 / math.sqrt(sum(v * v for v in x) / len(x) + self.epsilon)
            return [v * scale * w for v, w in zip(x, weights)]
        mean = sum(x) / len(x)
        scale = 1 / math.sqrt(sum((v - mean) ** 2 for v in x) / len(x) + self.epsilon)
        return [(v - mean) * scale * w + b for v, w, b in zip(x, weights, self.vector(name + ".bias"))]

    def attend(self, queries, keys, values, at):
        """queries [heads][head]; keys and values [position][kv_heads][head]."""
        window = self.config.get("sliding_window") or at + 1
        seen, out = range(max(0, at - window + 1), at + 1), []
        for head, query in enumerate(queries):
            group = head // (self.heads // self.kv_heads)
            shares = softmax([sum(q * k for q, k in zip(query, keys[t][group])) / math.sqrt(self.head)
                              for t in seen])
            out += [sum(s * values[t][group][d] for s, t in zip(shares, seen))
                    for d in range(self.head)]
        return out

    def split(self, x):
        return [x[i:i + self.head] for i in range(0, len(x), self.head)]

    def gpt2_layer(self, layer, xs):
        place, keys, values, out = f"{self.prefix}h.{layer}.", [], [], []
        for at, x in enumerate(xs):
            joint = self.conv(place + "attn.c_attn", self.norm(place + "ln_1", x))
            queries = self.split(joint[:self.hidden])
            keys.append(self.split(joint[self.hidden:2 * self.hidden]))
            values.append(self.split(joint[2 * self.hidden:]))
            x = plus(x, self.conv(place + "attn.c_proj", self.attend(queries, keys, values, at)))
            inner = self.conv(place + "mlp.c_fc", self.norm(place + "ln_2", x))
            out.append(plus(x, self.conv(place + "mlp.c_proj", [gelu(v) for v in inner])))
        return out

    def llama_layer(self, layer, xs):
        place, keys, values, out = f"model.layers.{layer}.", [], [], []
        attention = place + "self_attn."
        for at, x in enumerate(xs):
            normed = self.norm(place + "input_layernorm", x)
            queries, new = (self.split(self.times(f"{attention}{n}_proj", normed)) for n in "qk")
            values.append(self.split(self.times(attention + "v_proj", normed)))
            if attention + "q_norm.weight" in self.tensors:
                queries = [self.norm(attention + "q_norm", q) for q in queries]
                new = [self.norm(attention + "k_norm", k) for k in new]
            keys.append([self.turn(k, at) for k in new])
            queries = [self.turn(q, at) for q in queries]
            x = plus(x, self.times(attention + "o_proj", self.attend(queries, keys, values, at)))
            out.append(plus(x, self.mix(place, layer, self.norm(place + "post_attention_layernorm",
                                                                x))))
        return out

    def mix(self, place, layer, x):
        """The MLP, or the chosen experts by their weights."""
        mlps, chosen = self.mlps(place, layer), {0: 1.0}
        if self.router(place, layer):
            shares = softmax(self.times(self.router(place, layer)[:-len(".weight")], x))
            best = sorted(range(self.experts), key=lambda i: -shares[i])
            best = best[:self.config["num_experts_per_tok"]]
            whole = self.family == "mixtral" or self.config["norm_topk_prob"]
            total = sum(shares[i] for i in best) if whole else 1
            chosen = {i: shares[i] / total for i in best}
        out = [0.0] * len(x)
        for i, share in chosen.items():
            name, (gate, up, down) = mlps[i]
            inner = [g / (1 + math.exp(-g)) * u
                     for g, u in zip(self.times(name + gate, x), self.times(name + up, x))]
            out = [o + share * y for o, y in zip(out, self.times(name + down, inner))]
        return out

    def turn(self, x, at):
        """The halves of a head, rotated; transformers' rotate_half."""
        half, frequencies, length = len(x) // 2, *frequencies_of(self.config, self.head)
        turns = [(math.cos(at * f) * length, math.sin(at * f) * length) for f in frequencies]
        return ([x[i] * c - x[i + half] * s for i, (c, s) in enumerate(turns)] +
                [x[i + half] * c + x[i] * s for i, (c, s) in enumerate(turns)])

    def log_probabilities(self, tokens):
        """[position][vocab]"""
        gpt2, h = self.family == "gpt2", self.hidden
        table = self.vector(self.prefix + "wte.weight" if gpt2 else "model.embed_tokens.weight")
        xs = [table[t * h:t * h + h] for t in tokens]
        if gpt2:
            places = self.vector(self.prefix + "wpe.weight")
            xs = [plus(x, places[i * h:i * h + h]) for i, x in enumerate(xs)]
        for layer in range(self.layers):
            xs = self.gpt2_layer(layer, xs) if gpt2 else self.llama_layer(layer, xs)
        last = table if self.tied else self.vector("lm_head.weight")
        out = []
        for x in xs:
            x = self.norm(self.prefix + "ln_f" if gpt2 else "model.norm", x)
            logits = [sum(last[i + j] * x[j] for j in range(h)) for i in range(0, len(last), h)]
            most = max(logits)
            total = most + math.log(sum(math.exp(v - most) for v in logits))
            out.append([v - total for v in logits])
        return out


def plus(x, y):
    return [a + b for a, b in zip(x, y)]


def softmax(x):
    most = max(x)
    powers = [math.exp(v - most) for v in x]
    return [p / sum(powers) for p in powers]


def gelu(x):
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def frequencies_of(config, head):
    """As transformers' modeling_rope_utils.py says them; and by how much all are longer."""
    theta, scaling = config["rope_theta"], config["rope_scaling"] or {}
    plain = [theta ** (-2 * i / head) for i in range(head // 2)]
    kind, factor = scaling.get("rope_type", scaling.get("type")), scaling.get("factor", 1)
    original = scaling.get("original_max_position_embeddings")
    if kind == "linear":
        return [f / factor for f in plain], 1
    if kind == "llama3":
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        shares = [(original * f / (2 * math.pi) - low) / (high - low) for f in plain]
        shares = [min(1, max(0, s)) for s in shares]
        return [(1 - s) * f / factor + s * f for f, s in zip(plain, shares)], 1
    if kind == "yarn":
        def stretch(m):
            return 0.1 * m * math.log(factor) + 1

        def pair(turns):
            return head * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(theta))
        low = max(math.floor(pair(scaling.get("beta_fast", 32))), 0)
        high = min(math.ceil(pair(scaling.get("beta_slow", 1))), head - 1)
        ramp = [min(1, max(0, (i - low) / (high - low or 0.001))) for i in range(head // 2)]
        both = "mscale" in scaling
        length = stretch(scaling["mscale"]) / stretch(scaling["mscale_all_dim"]) if both else stretch(1)
        return ([f / factor * r + f * (1 - r) for f, r in zip(plain, ramp)],
                scaling.get("attention_factor", length))
    return plain, 1


def tokenizer(vocab):
    """A token for each byte, and words that nobody writes."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [b for b in range(256) if b not in shown]
    names = {chr(b): b for b in shown} | {chr(256 + i): b for i, b in enumerate(hidden)}
    names |= {f"zz{i}": i for i in range(256, vocab)}
    return {"added_tokens": [], "normalizer": None, "pre_tokenizer": {"type": "ByteLevel"},
            "post_processor": None, "decoder": {"type": "ByteLevel"},
            "model": {"type": "BPE", "vocab": names, "merges": []}}


def ask(dyno, folder, tokens, threads):
    """What a server says of all tokens but the first, and of the one behind them."""
    server = subprocess.Popen([dyno, "serve", "--model", folder, "--port", "any", "--threads",
                               str(threads)], stdout=subprocess.PIPE, text=True)
    try:
        url = next(line.split()[-1] for line in server.stdout if line.startswith("Listening on "))
        body = {"model": os.path.basename(folder), "prompt": tokens, "echo": True, "logprobs": 1,
                "max_tokens": 1, "temperature": 0}
        request = urllib.request.Request(url + "/v1/completions", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        answer = json.load(urllib.request.urlopen(request))
        return answer["choices"][0]["logprobs"]["token_logprobs"][1:]
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def main():
    dyno, scratch, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    worst, wrong = 0, 0
    for seed in range(first, first + count):
        model, folder = Model(seed), f"{scratch}/model{seed}"
        model.write(folder)
        tokens = [model.dice.randrange(model.vocab) for _ in range(model.dice.randint(2, 11))]
        due = model.log_probabilities(tokens)
        due = [row[token] for row, token in zip(due, tokens[1:])] + [max(due[-1])]
        got = ask(dyno, folder, tokens, seed % 3 + 1)
        error = max(abs(a - b) for a, b in zip(got, due, strict=True))
        worst = max(worst, error)
        if error > TOLERANCE:
            wrong += 1
            print(f"seed {seed} is off by {error:g}: {json.dumps(model.config)}")
        shutil.rmtree(folder)
    print(f"{count} models, {wrong} wrong, the worst off by {worst:.1g}")
    sys.exit(wrong > 0)


main()

"""A small Llama in PyTorch: RMSNorm, rotary embeddings, grouped queries, SwiGLU, tied embeddings.

The names of the parameters are Hugging Face's, so that the file can be read by anyone.
"""

import torch
from torch import nn
from torch.nn import functional

CONFIG = {"vocab_size": 2048, "hidden_size": 192, "intermediate_size": 512,
          "num_hidden_layers": 4, "num_attention_heads": 6, "num_key_value_heads": 2,
          "head_dim": 32, "max_position_embeddings": 1024, "rope_theta": 10000.0,
          "rms_norm_eps": 1e-5}

CHUNK = 128  # queries that look at keys together


class Norm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + CONFIG["rms_norm_eps"])
        return x * scale * self.weight


def rotate(x, cosine, sine):
    """Pairs of element i with element i + head_dim / 2."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), dim=-1)


def attend(query, key, value, mask, first):
    """What the queries from place `first` on see, up to and with their own place."""
    count, group, length, size = query.shape
    mask = mask[first:first + length, :key.shape[1]].repeat(group, 1)
    scores = torch.baddbmm(mask, query.reshape(count, group * length, size), key.transpose(1, 2),
                           alpha=size ** -0.5)
    return torch.bmm(scores.softmax(-1), value).view(query.shape)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.heads, self.kv_heads = CONFIG["num_attention_heads"], CONFIG["num_key_value_heads"]
        self.size = CONFIG["head_dim"]
        hidden = CONFIG["hidden_size"]
        self.q_proj = nn.Linear(hidden, self.heads * self.size, bias=False)
        self.k_proj = nn.Linear(hidden, self.kv_heads * self.size, bias=False)
        self.v_proj = nn.Linear(hidden, self.kv_heads * self.size, bias=False)
        self.o_proj = nn.Linear(self.heads * self.size, hidden, bias=False)

    def forward(self, x, cosine, sine, mask):
        batch, length, _ = x.shape

        def by_head(matrix, heads):
            return matrix.view(batch, length, heads, self.size).transpose(1, 2)

        query = rotate(by_head(self.q_proj(x), self.heads), cosine, sine)
        key = rotate(by_head(self.k_proj(x), self.kv_heads), cosine, sine)
        value = by_head(self.v_proj(x), self.kv_heads)
        # The queries that share a key lie under one another, so that no key is copied; a chunk of
        # them looks no further than its own end.
        key = key.reshape(batch * self.kv_heads, length, self.size)
        value = value.reshape(batch * self.kv_heads, length, self.size)
        query = query.reshape(batch * self.kv_heads, -1, length, self.size)
        seen = torch.cat([attend(query[:, :, first:first + CHUNK], key[:, :first + CHUNK],
                                 value[:, :first + CHUNK], mask, first)
                          for first in range(0, length, CHUNK)], dim=2)
        seen = seen.view(batch, self.heads, length, self.size).transpose(1, 2)
        return self.o_proj(seen.reshape(batch, length, -1))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        hidden, inner = CONFIG["hidden_size"], CONFIG["intermediate_size"]
        self.gate_proj = nn.Linear(hidden, inner, bias=False)
        self.up_proj = nn.Linear(hidden, inner, bias=False)
        self.down_proj = nn.Linear(inner, hidden, bias=False)

    def forward(self, x):
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.input_layernorm = Norm(CONFIG["hidden_size"])
        self.self_attn = Attention()
        self.post_attention_layernorm = Norm(CONFIG["hidden_size"])
        self.mlp = Mlp()

    def forward(self, x, *positions):
        x = x + self.self_attn(self.input_layernorm(x), *positions)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed_tokens = nn.Embedding(CONFIG["vocab_size"], CONFIG["hidden_size"])
        self.layers = nn.ModuleList(Layer() for _ in range(CONFIG["num_hidden_layers"]))
        self.norm = Norm(CONFIG["hidden_size"])


class Llama(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = Body()
        depth = (2 * CONFIG["num_hidden_layers"]) ** -0.5
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                leaves = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(parameter, std=0.05 * (depth if leaves else 1.0))

    def forward(self, tokens):
        length = tokens.shape[1]
        half = CONFIG["head_dim"] // 2
        frequency = CONFIG["rope_theta"] ** (-torch.arange(half) / half)
        angle = torch.arange(length)[:, None] * frequency
        mask = torch.full((length, length), -torch.inf).triu(1)
        x = self.model.embed_tokens(tokens)
        for layer in self.model.layers:
            x = layer(x, angle.cos(), angle.sin(), mask)
        return functional.linear(self.model.norm(x), self.model.embed_tokens.weight)

    def loss(self, rows):
        logits = self(rows[:, :-1])
        return functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())

#!/usr/bin/env python3
"""Trains the model: a constant rate, then a decay to zero over longer rows.

    train.py corpus.json tokenizer.json checkpoint.pt --steps S --decay D

Two processes share the work of a step; each uses one thread.  An interrupted run goes on from its
checkpoint.  What step N does depends on the seed and on N alone, so a run that was interrupted
learns the same as one that was not.
"""

import argparse
import json
import os
import time

import numpy
import torch

from examples import Examples
from llama import Llama
from tokens import load

SEED = 1775
BATCH = 4096  # tokens of a step
CONTEXT, DECAY_CONTEXT = 256, 1024
WARM_UP = 100
REPORT = 10
MATRIX_RATE, OTHER_RATE = 0.02, 0.004
WEIGHT_DECAY = 0.1


class Muon(torch.optim.Optimizer):
    """Momentum whose every update is made nearly orthogonal (Jordan and others, 2024), by the
    quintic iteration x <- a x + (b x x' + c (x x')^2) x."""

    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                momentum = state["momentum"].mul_(0.95).add_(parameter.grad)
                update = orthogonal(parameter.grad + 0.95 * momentum)
                rows, columns = parameter.shape
                parameter.mul_(1 - group["lr"] * WEIGHT_DECAY)
                parameter.add_(update, alpha=-group["lr"] * max(1, rows / columns) ** 0.5)


def orthogonal(matrix):
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.t() if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.t()
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.t() if tall else x


def optimizers(model):
    matrices = [p for name, p in model.named_parameters() if p.dim() == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.dim() != 2 or "embed" in name]
    return [(Muon(matrices, MATRIX_RATE), MATRIX_RATE),
            (torch.optim.AdamW(others, OTHER_RATE, betas=(0.9, 0.95), weight_decay=0.0),
             OTHER_RATE)]


class Rows:
    """Step by step the rows of one pass after another."""

    def __init__(self, examples, context, stream):
        self.examples, self.context, self.stream = examples, context, stream
        self.batch = BATCH // context
        self.epoch, self.rows, self.first = -1, None, 0

    def at(self, step):
        while self.rows is None or step >= self.first + len(self.rows) // self.batch:
            self.first += 0 if self.rows is None else len(self.rows) // self.batch
            self.epoch += 1
            dice = numpy.random.default_rng([SEED, self.stream, self.epoch])
            self.rows = self.examples.rows(self.context, dice)
        place = (step - self.first) * self.batch
        return torch.from_numpy(numpy.ascontiguousarray(self.rows[place:place + self.batch]))


def rate(step, options):
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    return min(1.0, (options.steps - step) / max(1, options.decay))


def held_out_loss(model, rows, batch):
    with torch.no_grad():
        losses = [float(model.loss(torch.from_numpy(rows[i:i + batch])) * len(rows[i:i + batch]))
                  for i in range(0, len(rows), batch)]
    return sum(losses) / len(rows)


def save(path, model, opts, step):
    torch.save({"model": model.state_dict(), "step": step,
                "optimizers": [optimizer.state_dict() for optimizer, _ in opts]}, path + ".new")
    os.replace(path + ".new", path)


class Half:
    """The gradient of one half of every step's rows.  The other half's is computed by a process of
    its own that shares the parameters."""

    def __init__(self, model, examples, options, number):
        self.model, self.options, self.number = model, options, number
        self.plateau, self.decay = Rows(examples, CONTEXT, 0), Rows(examples, DECAY_CONTEXT, 1)

    def gradient(self, step):
        first_decay = self.options.steps - self.options.decay
        rows = self.plateau.at(step) if step < first_decay else self.decay.at(step - first_decay)
        half = len(rows) // 2
        loss = self.model.loss(rows[self.number * half:(self.number + 1) * half]) / 2
        self.model.zero_grad(set_to_none=True)
        loss.backward()
        return float(loss)


class Partner:
    """The process that computes the second half."""

    def __init__(self, half):
        model = half.model
        self.gradients = [torch.zeros_like(p).share_memory_() for p in model.parameters()]
        self.cell = torch.zeros(2, dtype=torch.float64).share_memory_()  # the step, its loss
        self.start, self.done = torch.multiprocessing.Barrier(2), torch.multiprocessing.Barrier(2)
        self.process = torch.multiprocessing.Process(target=self.serve, args=(half,), daemon=True)
        self.process.start()

    def serve(self, half):
        torch.set_num_threads(1)
        while True:
            self.start.wait()
            self.cell[1] = half.gradient(int(self.cell[0]))
            for gradient, parameter in zip(self.gradients, half.model.parameters()):
                gradient.copy_(parameter.grad)
            self.done.wait()

    def begin(self, step):
        self.cell[0] = step
        self.start.wait()

    def add_to(self, model):
        self.done.wait()
        for gradient, parameter in zip(self.gradients, model.parameters()):
            parameter.grad += gradient
        return float(self.cell[1])


def train_step(half, partner, opts, step, scale):
    partner.begin(step)
    loss = half.gradient(step) + partner.add_to(half.model)
    torch.nn.utils.clip_grad_norm_(half.model.parameters(), 1.0)
    for optimizer, lr in opts:
        for group in optimizer.param_groups:
            group["lr"] = lr * scale
        optimizer.step()
    return loss


def restore(path, model, opts):
    """The step to go on with."""
    if not os.path.exists(path):
        return 0
    saved = torch.load(path)
    model.load_state_dict(saved["model"])
    for (optimizer, _), state in zip(opts, saved["optimizers"]):
        optimizer.load_state_dict(state)
    return saved["step"]


def train(model, examples, options):
    opts = optimizers(model)
    step = restore(options.checkpoint, model, opts)
    model.share_memory()
    half = Half(model, examples, options, 0)
    partner = Partner(Half(model, examples, options, 1))
    losses, began, first = [], time.monotonic(), step
    while step < options.steps:
        losses.append(train_step(half, partner, opts, step, rate(step, options)))
        step += 1
        if step % REPORT == 0:
            speed = (step - first) * BATCH / (time.monotonic() - began)
            mean = sum(losses[-REPORT:]) / len(losses[-REPORT:])
            print(f"step {step} loss {mean:.3f} tokens/s {speed:.0f}", flush=True)
        if step % options.every == 0 or step == options.steps:
            save(options.checkpoint, model, opts, step)
    print(f"held out {held_out_loss(model, examples.held_out_rows(DECAY_CONTEXT), 4):.4f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus")
    parser.add_argument("tokenizer")
    parser.add_argument("checkpoint")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--decay", type=int, required=True)
    parser.add_argument("--every", type=int, default=100)
    options = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    with open(options.corpus, encoding="utf-8") as file:
        examples = Examples(json.load(file)["novels"], load(options.tokenizer))
    train(Llama(), examples, options)


main()

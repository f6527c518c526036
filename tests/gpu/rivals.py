"""Times PyTorch, and Triton where it is there, on the shapes of tests/gpu/bench*.cu and prints a JSON
object a line.

Ends with 77 where PyTorch, or a GPU that it can use, is not there.
"""
import itertools
import json
import statistics
import sys

try:
    import torch
except ImportError:
    print("PyTorch is not here", file=sys.stderr)
    sys.exit(77)
if not torch.cuda.is_available():
    print("PyTorch sees no GPU", file=sys.stderr)
    sys.exit(77)

from torch.nn import functional  # noqa: E402

try:
    import triton
    import triton_grouped
except ImportError:
    triton = None

RUNS, WARM_UPS = 15, 2
# The device sleeps while the host queues what is timed, so that Python's time does not count.
SLEEP_CYCLES = 400000


def rand(*shape):
    return torch.rand(*shape, device="cuda", dtype=torch.bfloat16) * 4 - 2


def tell(name, shape, launch, rival=f"torch {torch.__version__}"):
    times = []
    for i in range(RUNS + WARM_UPS):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda._sleep(SLEEP_CYCLES)
        begin.record()
        launch()
        end.record()
        end.synchronize()
        if i >= WARM_UPS:
            times.append(begin.elapsed_time(end) * 1e3)
    print(json.dumps({"name": name, "shape": shape, "rival": rival,
                      "us": statistics.median(times), "us_min": min(times), "us_max": max(times)}),
          flush=True)


def narrow_products():
    """e4m3 with a scale a tensor."""
    narrow = torch.float8_e4m3fn
    weights, one = rand(2, 28672, 4096).to(narrow), torch.ones((), device="cuda")
    layer = itertools.cycle(range(2))
    for count in 64, 4096:
        x = rand(count, 4096).to(narrow)
        tell("gemm", f"28672 x 4096 e4m3, {count} activations",
             lambda: torch._scaled_mm(x, weights[next(layer)].t(), one, one,
                                      out_dtype=torch.bfloat16))


def mixtures():
    """Experts' products by PyTorch's grouped product where it has one, and by a plain Triton kernel."""
    for tokens, chosen, experts, columns, rows in ((64, 2, 8, 4096, 14336), (512, 2, 8, 4096, 14336),
                                                   (64, 8, 128, 2048, 768), (512, 8, 128, 2048, 768)):
        shape = f"{tokens} tokens, {chosen} of {experts} experts, {columns} to {rows}"
        slots = tokens * chosen
        x, weights = rand(slots, columns), rand(experts, rows, columns)
        of_slot = torch.randint(experts, (slots,), device="cuda").sort().values
        ends = torch.bincount(of_slot, minlength=experts).cumsum(0).to(torch.int32)
        if hasattr(torch, "_grouped_mm"):
            tell("grouped", shape, lambda: torch._grouped_mm(x, weights.transpose(1, 2), offs=ends))
        if triton:
            y = torch.empty(slots, rows, device="cuda", dtype=torch.bfloat16)
            tiles = triton_grouped.tiles_of(ends)
            tell("grouped", shape, lambda: triton_grouped.multiply(x, weights, tiles, y),
                 f"triton {triton.__version__}")


def main():
    x, residual, weight = rand(16384, 4096), rand(16384, 4096), rand(4096)

    def norm():
        return functional.rms_norm(residual.add_(x), (4096,), weight, 1e-5)

    tell("norm", "16384 x 4096 bf16, residual", norm)
    both = rand(8192, 2 * 14336)
    tell("silu", "8192 x 14336 bf16", lambda: functional.silu(both[:, :14336]) * both[:, 14336:])
    del x, residual, both
    weights, one = rand(8, 28672, 4096), rand(1, 4096)
    layer = itertools.cycle(range(8))
    tell("gemv", "28672 x 4096 bf16, 1 activation",
         lambda: functional.linear(one, weights[next(layer)]))
    for count in 8, 16, 64, 4096:
        x = rand(count, 4096)
        tell("gemv" if count <= 16 else "gemm", f"28672 x 4096 bf16, {count} activations",
             lambda: functional.linear(x, weights[next(layer)]))
    del weights
    narrow_products()
    mixtures()
    query, key, value = rand(64, 32, 1, 128), rand(64, 8, 4096, 128), rand(64, 8, 4096, 128)
    tell("attention, decode", "64 x 4096, 32/8 heads of 128, bf16",
         lambda: functional.scaled_dot_product_attention(query, key, value, enable_gqa=True))
    query, key, value = rand(1, 32, 8192, 128), rand(1, 8, 8192, 128), rand(1, 8, 8192, 128)
    tell("attention, prefill", "8192 causal, 32/8 heads of 128, bf16",
         lambda: functional.scaled_dot_product_attention(query, key, value, is_causal=True,
                                                         enable_gqa=True))


main()

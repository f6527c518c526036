"""A plain Triton kernel for the products of a mixture's experts: a program a tile of y, of up to 64
places of one expert and 128 rows of its matrix.  Which tiles there are is found beforehand, and is
no part of what is timed.
"""
import torch
import triton
import triton.language as tl

PLACES, ROWS, COLUMNS = 64, 128, 64


@triton.jit
def grouped(x, weights, tiles, y, rows, columns, tile_places: tl.constexpr, tile_rows: tl.constexpr,
            tile_columns: tl.constexpr):
    tile = tiles + tl.program_id(0) * 3
    expert, first, end = tl.load(tile), tl.load(tile + 1), tl.load(tile + 2)
    place = first + tl.arange(0, tile_places)
    row = tl.program_id(1) * tile_rows + tl.arange(0, tile_rows)
    column = tl.arange(0, tile_columns)
    x_at = x + place[:, None] * columns + column[None, :]
    weights_at = (weights + expert.to(tl.int64) * rows * columns + row[None, :] * columns +
                  column[:, None])
    total = tl.zeros((tile_places, tile_rows), tl.float32)
    for _ in range(0, columns, tile_columns):
        a = tl.load(x_at, mask=place[:, None] < end, other=0.0)
        total += tl.dot(a, tl.load(weights_at))
        x_at += tile_columns
        weights_at += tile_columns
    tl.store(y + place[:, None] * rows + row[None, :], total.to(tl.bfloat16),
             mask=place[:, None] < end)


def tiles_of(ends):
    """[tiles][expert, first place, place behind its expert's last], for multiply."""
    tiles, begin = [], 0
    for expert, end in enumerate(ends.tolist()):
        tiles += [(expert, first, end) for first in range(begin, end, PLACES)]
        begin = end
    return torch.tensor(tiles, dtype=torch.int32, device=ends.device)


def multiply(x, weights, tiles, y):
    """x: [slots][columns]; weights: [experts][rows][columns]; y: [slots][rows]."""
    rows, columns = weights.shape[1:]
    assert rows % ROWS == 0 and columns % COLUMNS == 0
    grouped[(tiles.shape[0], rows // ROWS)](x, weights, tiles, y, rows, columns, PLACES, ROWS,
                                            COLUMNS, num_warps=4, num_stages=4)

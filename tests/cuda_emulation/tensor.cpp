/* Asynchronous copies wait in a list a thread; fragments are put together by the last lane that
 * comes. */
#include "tests/cuda_emulation/tensor.h"

#include <cstring>

#include "tests/cuda_emulation/block.h"
#include "tests/cuda_emulation/memory.h"

namespace emulation
{

constexpr unsigned copy_bytes = 16, copies_max = 256;

struct copy {
    void *to;
    unsigned char bytes[copy_bytes];
    unsigned group;
};

static struct {
    copy copies[copies_max];
    unsigned count, group;
} waiting[block_threads_max];

void copies_forget()
{
    for (auto &own : waiting) {
        if (own.count > 0) {
            complain("a thread of the last block ended with %u copies that it did not wait for",
                     own.count);
        }
        own.group = 0;
    }
}

void copy_async(void *shared, const void *from, bool seen)
{
    auto &own = waiting[here.thread];
    copy *added = &own.copies[own.count];

    if (own.count == copies_max) {
        complain("more than %u copies are under way", copies_max);
    }
    own.count++;
    if (reinterpret_cast<uintptr_t>(shared) % copy_bytes != 0 ||
        (seen && reinterpret_cast<uintptr_t>(from) % copy_bytes != 0)) {
        complain("a copy of %u bytes is not aligned: from %p to %p", copy_bytes, from, shared);
    }
    *added = {shared, {}, own.group};
    if (seen) {
        watch(from, copy_bytes, access::read);
        memcpy(added->bytes, from, copy_bytes);
    }
    watch(shared, copy_bytes, access::write);
    memset(shared, 0xff, copy_bytes);
}

void copies_commit()
{
    waiting[here.thread].group++;
}

void copies_wait(int groups)
{
    auto &own = waiting[here.thread];
    unsigned kept = 0;

    for (unsigned i = 0; i < own.count; i++) {
        const copy *copy = &own.copies[i];

        if (copy->group + static_cast<unsigned>(groups) < own.group) {
            watch(copy->to, copy_bytes, access::write);
            memcpy(copy->to, copy->bytes, copy_bytes);
        } else {
            own.copies[kept++] = *copy;
        }
    }
    own.count = kept;
}

struct matrices {
    uint16_t row[8]; /* of this lane */
    bool turned;
    uint32_t out[4];
};

static const uint16_t *row_of(void *const *arguments, unsigned matrix, unsigned row)
{
    return static_cast<const matrices *>(arguments[matrix * 8 + row])->row;
}

static void share_matrices(void *const *arguments, unsigned)
{
    for (unsigned lane = 0; lane < warp_lanes; lane++) {
        auto *own = static_cast<matrices *>(arguments[lane]);
        unsigned far = lane / 4, near = lane % 4 * 2;

        for (unsigned m = 0; m < 4; m++) {
            unsigned low =
                own->turned ? row_of(arguments, m, near)[far] : row_of(arguments, m, far)[near];
            unsigned high = own->turned ? row_of(arguments, m, near + 1)[far]
                                        : row_of(arguments, m, far)[near + 1];

            own->out[m] = low | high << 16;
        }
    }
}

void load_matrices(uint32_t (&out)[4], const void *row, bool turned)
{
    matrices own = {};

    if (reinterpret_cast<uintptr_t>(row) % copy_bytes != 0) {
        complain("ldmatrix of a row at %p, which is not aligned", row);
    }
    watch(row, copy_bytes, access::read);
    memcpy(own.row, row, copy_bytes);
    own.turned = turned;
    meet(~0U, turned ? "ldmatrix.trans" : "ldmatrix", &own, share_matrices);
    memcpy(out, own.out, sizeof out);
}

struct fragments {
    float c[4];
    uint32_t a[4], b[2];
    float (*to_float)(uint16_t);
};

static void multiply_fragments(void *const *arguments, unsigned)
{
    double a[16][16], b[16][8];

    for (unsigned lane = 0; lane < warp_lanes; lane++) {
        const auto *own = static_cast<const fragments *>(arguments[lane]);
        unsigned g = lane / 4, t = lane % 4 * 2;

        for (unsigned half = 0; half < 2; half++) {
            auto value = [&](uint32_t word) {
                return static_cast<double>(own->to_float(static_cast<uint16_t>(word >> 16 * half)));
            };

            for (unsigned i = 0; i < 4; i++) {
                a[g + i % 2 * 8][t + i / 2 * 8 + half] = value(own->a[i]);
            }
            b[t + half][g] = value(own->b[0]);
            b[t + 8 + half][g] = value(own->b[1]);
        }
    }
    for (unsigned lane = 0; lane < warp_lanes; lane++) {
        auto *own = static_cast<fragments *>(arguments[lane]);

        for (unsigned i = 0; i < 4; i++) {
            unsigned row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
            auto sum = static_cast<double>(own->c[i]);

            for (unsigned k = 0; k < 16; k++) {
                sum += a[row][k] * b[k][column];
            }
            own->c[i] = static_cast<float>(sum);
        }
    }
}

void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                  float (*to_float)(uint16_t))
{
    fragments own = {{c[0], c[1], c[2], c[3]}, {a[0], a[1], a[2], a[3]}, {b0, b1}, to_float};

    meet(~0U, "mma.m16n8k16", &own, multiply_fragments);
    memcpy(c, own.c, sizeof c);
}

} /* namespace emulation */

/* The cut of a list by weight: radix selection on the bits of a double, whose order is that of the
 * numbers, so that a bucket is as wide as its weights are large. */
#include "kernels/sample_cut.h"

#include <assert.h>
#include <string.h>

/* A key is an exponent of 0 ... 44 and 52 bits of mantissa. */
enum { FIRST_SHIFT = 46, ROUND_BITS = 11, BUCKETS = 45 << 6 };

enum amount { COUNTS, SUMS }; /* what is added up until the cut */

size_t dyno_cut_scratch(uint32_t vocab)
{
    return BUCKETS * sizeof(uint64_t) + vocab * sizeof(uint32_t);
}

static uint64_t key_of(uint64_t weight)
{
    const uint64_t one = 0x3ff0000000000000U; /* of 1.0 */
    double real = (double)weight;             /* exact: no more than 45 bits */
    uint64_t key;

    memcpy(&key, &real, sizeof key);
    return key - one;
}

static void fill(uint64_t *bucket, struct dyno_weighted list, enum amount amount, unsigned shift,
                 uint64_t mask)
{
    memset(bucket, 0, BUCKETS * sizeof *bucket);
    for (uint32_t i = 0; i < list.count; i++) {
        uint64_t weight = list.weight[list.token[i]];

        bucket[(key_of(weight) >> shift) & mask] += amount == COUNTS ? 1 : weight;
    }
}

/* The bucket in which `need` is reached; what lies before it is taken from `need`. */
static uint32_t crossing(const uint64_t *bucket, uint64_t *need)
{
    uint32_t at = BUCKETS - 1;

    while (bucket[at] < *need) {
        *need -= bucket[at--];
        assert(at < BUCKETS);
    }
    return at;
}

static struct dyno_cut cut(struct dyno_weighted list, enum amount amount, uint64_t need,
                           void *scratch)
{
    uint64_t *bucket = scratch, mask = UINT64_MAX, weight;
    uint32_t *part = (uint32_t *)(void *)(bucket + BUCKETS);

    for (unsigned shift = FIRST_SHIFT;; shift = shift > ROUND_BITS ? shift - ROUND_BITS : 0) {
        uint32_t at, kept = 0;

        fill(bucket, list, amount, shift, mask);
        at = crossing(bucket, &need);
        for (uint32_t i = 0; i < list.count; i++) {
            part[kept] = list.token[i];
            kept += ((key_of(list.weight[list.token[i]]) >> shift) & mask) == at;
        }
        list.token = part;
        list.count = kept;
        if (shift == 0 || kept == 1) {
            break;
        }
        mask = (1U << (shift > ROUND_BITS ? ROUND_BITS : shift)) - 1;
    }
    weight = list.weight[list.token[0]];
    return (struct dyno_cut){weight, amount == COUNTS ? (uint32_t)need
                                                      : (uint32_t)((need + weight - 1) / weight)};
}

struct dyno_cut dyno_cut_at_count(struct dyno_weighted list, uint32_t count, void *scratch)
{
    assert(count >= 1 && count <= list.count);
    return cut(list, COUNTS, count, scratch);
}

struct dyno_cut dyno_cut_at_sum(struct dyno_weighted list, uint64_t sum, void *scratch)
{
    assert(sum >= 1 && list.count >= 1);
    return cut(list, SUMS, sum, scratch);
}

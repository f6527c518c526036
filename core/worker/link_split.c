#include "core/worker/link_split.h"

#include <assert.h>
#include <stdlib.h>

struct half;

/* What both share; the last of them to be closed frees it. */
struct both {
    struct dyno_links *links;
    struct half *halves[2];
    uint32_t open;
};

struct half {
    struct dyno_links base;
    struct both *both;
    uint32_t number;
    uint32_t on_way; /* submitted and not yet reaped */
    /* Those of them that the other one came upon: a ring in the order of arrival, with room for all
     * that are on their way. */
    struct dyno_arrival *arrived;
    uint32_t first, count, capacity;
};

static struct half *half_of(struct dyno_links *links)
{
    return (void *)links; /* its first member */
}

static const struct half *const_half_of(const struct dyno_links *links)
{
    return (const void *)links;
}

static dyno_status reserve(struct half *half)
{
    uint32_t capacity = half->capacity ? half->capacity : 8;
    struct dyno_arrival *arrived;

    while (capacity < half->on_way + 1) {
        capacity *= 2;
    }
    if (capacity == half->capacity) {
        return DYNO_OK;
    }
    arrived = malloc(capacity * sizeof *arrived);
    if (!arrived) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < half->count; i++) {
        uint32_t place = half->first + i;

        arrived[i] = half->arrived[place < half->capacity ? place : place - half->capacity];
    }
    free(half->arrived);
    half->arrived = arrived;
    half->capacity = capacity;
    half->first = 0;
    return DYNO_OK;
}

static dyno_status split_submit(struct dyno_links *links, dyno_ns now,
                                const struct dyno_transfer *transfer)
{
    struct half *half = half_of(links);
    struct dyno_transfer own = *transfer;

    assert(transfer->id < UINT64_MAX / 2);
    DYNO_TRY(reserve(half));
    own.id = 2 * transfer->id + half->number;
    DYNO_TRY(half->both->links->ops->submit(half->both->links, now, &own));
    half->on_way++;
    return DYNO_OK;
}

static bool take(struct half *half, dyno_ns now, struct dyno_arrival *out)
{
    if (half->count == 0 || half->arrived[half->first].at > now) {
        return false;
    }
    *out = half->arrived[half->first];
    half->first = (half->first + 1) % half->capacity;
    half->count--;
    half->on_way--;
    return true;
}

static bool split_reap(struct dyno_links *links, dyno_ns now, struct dyno_arrival *out)
{
    struct half *half = half_of(links);
    struct both *both = half->both;
    struct dyno_arrival arrival;

    while (dyno_links_reap(both->links, now, &arrival)) {
        struct half *whose = both->halves[arrival.id % 2];

        arrival.id /= 2;
        whose->arrived[(whose->first + whose->count++) % whose->capacity] = arrival;
    }
    return take(half, now, out);
}

/* Among those that have arrived, and which nobody has reaped. */
static bool drop_arrived(struct half *half, uint64_t id)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < half->count; i++) {
        const struct dyno_arrival *arrival = &half->arrived[(half->first + i) % half->capacity];

        if (arrival->id == id) {
            found++;
        } else {
            half->arrived[(half->first + i - found) % half->capacity] = *arrival;
        }
    }
    half->count -= found;
    return found > 0;
}

static bool split_drop(struct dyno_links *links, dyno_ns now, uint64_t id)
{
    struct half *half = half_of(links);
    struct dyno_links *both = half->both->links;
    bool was_on_way = drop_arrived(half, id) || both->ops->drop(both, now, 2 * id + half->number);

    half->on_way -= was_on_way;
    return was_on_way;
}

static dyno_ns split_predict(const struct dyno_links *links, const struct dyno_transfer *transfer)
{
    const struct dyno_links *both = const_half_of(links)->both->links;

    return both->ops->predict(both, transfer);
}

/* It is not kept (`due` is 0): that of both changes with the links' weather, too, of which no half
 * is told. */
static dyno_ns split_next(const struct dyno_links *links)
{
    const struct half *half = const_half_of(links);

    return half->count > 0 ? half->arrived[half->first].at : dyno_links_next(half->both->links);
}

static void split_close(struct dyno_links *links)
{
    struct half *half = half_of(links);

    if (--half->both->open == 0) {
        free(half->both);
    }
    free(half->arrived);
    free(half);
}

static const struct dyno_links_ops split_ops = {
    .name = "split",
    .submit = split_submit,
    .reap = split_reap,
    .drop = split_drop,
    .predict = split_predict,
    .next = split_next,
    .close = split_close,
};

dyno_status dyno_links_split(struct dyno_links *parts[2], struct dyno_links *links)
{
    struct both *both = calloc(1, sizeof *both);
    struct half *halves[2] = {calloc(1, sizeof *halves[0]), calloc(1, sizeof *halves[1])};

    if (!both || !halves[0] || !halves[1]) {
        free(both);
        free(halves[0]);
        free(halves[1]);
        return DYNO_NO_MEMORY;
    }
    *both = (struct both){.links = links, .open = 2};
    for (uint32_t i = 0; i < 2; i++) {
        *halves[i] = (struct half){.base = {.ops = &split_ops, .moves_layers = links->moves_layers},
                                   .both = both,
                                   .number = i};
        both->halves[i] = halves[i];
        parts[i] = &halves[i]->base;
    }
    return DYNO_OK;
}

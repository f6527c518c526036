/* Ranks that are threads: each shows where its values lie, and all meet before and after they look
 * at one another's.  Between the two meetings every rank writes a part of its own. */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "backends/engine/collective.h"

/* What a rank shows the others. */
struct shown {
    const float *values; /* [count] */
    float *sums;         /* the same place, if values are summed; NULL: they are gathered */
    size_t count;
};

struct group {
    pthread_barrier_t meeting;
    atomic_uint open;     /* members */
    struct shown shown[]; /* [ranks] */
};

struct member {
    struct dyno_collective base;
    struct group *group;
};

static struct member *member_of(struct dyno_collective *base)
{
    return (struct member *)base;
}

static void meet(const struct member *member)
{
    (void)pthread_barrier_wait(&member->group->meeting);
}

static void show(const struct member *member, struct shown shown)
{
    member->group->shown[member->base.rank] = shown;
    meet(member);
    for (uint32_t rank = 0; rank < member->base.ranks; rank++) {
        assert(member->group->shown[rank].count == shown.count);
    }
}

/* Element `at` of all ranks. */
static void sum_element(const struct member *member, size_t at)
{
    const struct shown *shown = member->group->shown;
    float sum = shown[0].values[at];

    for (uint32_t rank = 1; rank < member->base.ranks; rank++) {
        sum += shown[rank].values[at];
    }
    for (uint32_t rank = 0; rank < member->base.ranks; rank++) {
        shown[rank].sums[at] = sum;
    }
}

static dyno_status all_reduce_sum(struct dyno_collective *base, void *values, size_t count,
                                  enum dyno_element element, void *stream)
{
    const struct member *member = member_of(base);
    size_t each = (count + base->ranks - 1) / base->ranks, first = each * base->rank;

    (void)stream;
    if (element != DYNO_ELEMENT_F32) {
        return DYNO_UNSUPPORTED;
    }
    show(member, (struct shown){values, values, count});
    for (size_t at = first; at < count && at < first + each; at++) {
        sum_element(member, at);
    }
    meet(member);
    return DYNO_OK;
}

static dyno_status all_gather(struct dyno_collective *base, const void *values, size_t count,
                              enum dyno_element element, void *all, void *stream)
{
    const struct member *member = member_of(base);
    float *out = all;

    (void)stream;
    if (element != DYNO_ELEMENT_F32) {
        return DYNO_UNSUPPORTED;
    }
    show(member, (struct shown){values, NULL, count});
    for (uint32_t rank = 0; rank < base->ranks; rank++) {
        memcpy(out + rank * count, member->group->shown[rank].values, count * sizeof *out);
    }
    meet(member);
    return DYNO_OK;
}

static dyno_status barrier(struct dyno_collective *base, void *stream)
{
    (void)stream;
    meet(member_of(base));
    return DYNO_OK;
}

static void close_member(struct dyno_collective *base)
{
    struct member *member = member_of(base);

    if (atomic_fetch_sub(&member->group->open, 1) == 1) {
        (void)pthread_barrier_destroy(&member->group->meeting);
        free(member->group);
    }
    free(member);
}

static const struct dyno_collective_ops local_ops = {
    .name = "threads",
    .all_reduce_sum = all_reduce_sum,
    .all_gather = all_gather,
    .barrier = barrier,
    .close = close_member,
};

static struct group *group_open(uint32_t ranks)
{
    struct group *group = malloc(sizeof *group + ranks * sizeof group->shown[0]);

    if (group && pthread_barrier_init(&group->meeting, NULL, ranks) != 0) {
        free(group);
        return NULL;
    }
    if (group) {
        atomic_init(&group->open, ranks);
    }
    return group;
}

dyno_status dyno_local_collective_open(struct dyno_collective **members, uint32_t ranks,
                                       struct dyno_error *error)
{
    struct group *group = group_open(ranks);
    struct member **opened = calloc(ranks, sizeof(struct member *));
    uint32_t count = 0;

    while (group && opened && count < ranks && (opened[count] = malloc(sizeof **opened))) {
        *opened[count] = (struct member){{&local_ops, count, ranks}, group};
        count++;
    }
    if (count < ranks) {
        while (count > 0) {
            free(opened[--count]);
        }
        if (group) {
            (void)pthread_barrier_destroy(&group->meeting);
        }
        free(group);
        free(opened);
        return dyno_fail(error, DYNO_NO_MEMORY, "there is no memory for %u ranks", ranks);
    }
    for (uint32_t rank = 0; rank < ranks; rank++) {
        members[rank] = &opened[rank]->base;
    }
    free(opened);
    return DYNO_OK;
}

/* Sticky sessions: a hash ring with a fixed number of points for every worker.
 *
 * A session goes to the first eligible worker at or after its own point.  When a worker leaves,
 * only its sessions move, and they spread over the others; when it comes back, they return.  Sticky
 * ones do not: where they went is now where their cache is, so a session that has moved is
 * remembered.  Who is only busy for a while is passed over for that while, and nobody moves.  Of
 * those that moved 65536 are remembered, one for each of so many hashes: of two the later.  Workers
 * on a ring differ in their share of it by about 1/sqrt(replicas).
 *
 * A request without a session stands on the point of its first shared span, so that equal
 * beginnings meet.  A beginning may be everybody's (a system prompt), so here a worker is passed
 * over while it has more than its bounded load: 5/4 of the mean, rounded up (Mirrokni, Thorup and
 * Zadimoghaddam, 2016).  A request with neither goes to the least loaded worker.
 */
#include <stdbool.h>
#include <stdlib.h>

#include "core/base/map.h"
#include "core/route/table.h"

enum { POINTS_MAX = 1 << 24, MOVED_MAX = 1 << 16 };

struct point {
    uint64_t at;
    uint32_t worker;
};

/* A session that is elsewhere than on the ring. */
struct moved {
    uint64_t session; /* 0: none */
    uint32_t worker;
};

struct ring {
    struct moved *moved; /* [MOVED_MAX]; NULL: sessions are not sticky */
    uint8_t *gone;       /* [workers] left and not seen since */
    uint64_t count;
    struct point points[];
};

static int compare_points(const void *left, const void *right)
{
    const struct point *a = left, *b = right;

    if (a->at != b->at) {
        return a->at < b->at ? -1 : 1;
    }
    return a->worker < b->worker ? -1 : a->worker > b->worker;
}

static void place_points(struct ring *ring, uint32_t worker_count, uint32_t replicas)
{
    for (uint32_t worker = 0; worker < worker_count; worker++) {
        for (uint32_t replica = 0; replica < replicas; replica++) {
            ring->points[ring->count++] = (struct point){
                .at = dyno_chain((uint64_t)worker + 1, replica),
                .worker = worker,
            };
        }
    }
    qsort(ring->points, ring->count, sizeof *ring->points, compare_points);
}

static void session_close(void *state)
{
    struct ring *ring = state;

    free(ring->moved);
    free(ring->gone);
    free(ring);
}

static int remember_moves(struct ring *ring, uint32_t worker_count)
{
    ring->moved = calloc(MOVED_MAX, sizeof *ring->moved);
    ring->gone = calloc(worker_count, sizeof *ring->gone);
    return ring->moved && ring->gone ? 0 : -1;
}

static int session_open(void **state, const struct dyno_route_config *config, uint32_t worker_count)
{
    uint32_t replicas = config->session_replicas ? config->session_replicas : 1;
    struct ring *ring;

    if (worker_count > POINTS_MAX / replicas) {
        return -1;
    }
    ring = malloc(sizeof *ring + (size_t)worker_count * replicas * sizeof *ring->points);
    if (!ring) {
        return -1;
    }
    ring->moved = NULL;
    ring->gone = NULL;
    ring->count = 0;
    if (config->session_sticky && remember_moves(ring, worker_count) != 0) {
        session_close(ring);
        return -1;
    }
    place_points(ring, worker_count, replicas);
    *state = ring;
    return 0;
}

/* The index of the first point at or after `at`, around the ring. */
static uint64_t seek(const struct ring *ring, uint64_t at)
{
    uint64_t low = 0, high = ring->count;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (ring->points[middle].at < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < ring->count ? low : 0;
}

/* Requests in flight that a worker may have, this one among them, not to be passed over. */
static uint64_t bounded_load(const struct dyno_route_view *view)
{
    uint64_t total = 1, eligible = 0;

    for (uint32_t worker = 0; worker < view->worker_count; worker++) {
        if (view->eligible[worker]) {
            total += view->inflight[worker];
            eligible++;
        }
    }
    return eligible ? (5 * total + 4 * eligible - 1) / (4 * eligible) : 0;
}

static uint32_t walk_ring(const struct ring *ring, const struct dyno_route_view *view, uint64_t at,
                          uint64_t load_max)
{
    uint64_t place = seek(ring, at);

    for (uint64_t i = 0; i < ring->count; i++) {
        uint32_t worker = ring->points[place].worker;

        if (view->eligible[worker] && view->inflight[worker] < load_max) {
            return worker;
        }
        place = place + 1 < ring->count ? place + 1 : 0;
    }
    return DYNO_ROUTE_NONE;
}

/* Where the session is at home, whether or not that serves now. */
static uint32_t home_of(const struct ring *ring, uint64_t at, const struct moved *moved,
                        uint64_t session)
{
    return moved->session == session ? moved->worker : ring->points[seek(ring, at)].worker;
}

static uint32_t pick_sticky(struct ring *ring, const struct dyno_route_view *view, uint64_t session)
{
    uint64_t at = dyno_mix(session);
    struct moved *moved = &ring->moved[at % MOVED_MAX];
    uint32_t worker = home_of(ring, at, moved, session);
    bool is_gone;

    if (view->eligible[worker]) {
        ring->gone[worker] = 0;
        return worker;
    }
    is_gone = ring->gone[worker] != 0;
    worker = walk_ring(ring, view, at, UINT64_MAX);
    if (is_gone && worker != DYNO_ROUTE_NONE) {
        *moved = (struct moved){.session = session, .worker = worker};
    }
    return worker;
}

static void session_worker_gone(void *state, uint32_t worker)
{
    struct ring *ring = state;

    if (ring->gone) {
        ring->gone[worker] = 1;
    }
}

static uint32_t session_pick(void *state, const struct dyno_route_config *config,
                             const struct dyno_route_request *request,
                             const struct dyno_route_view *view,
                             const struct dyno_route_services *services,
                             struct dyno_route_dice *dice, double *costs, int *scored)
{
    if (request->session && ((const struct ring *)state)->moved) {
        return pick_sticky(state, view, request->session);
    }
    if (request->session) {
        return walk_ring(state, view, dyno_mix(request->session), UINT64_MAX);
    }
    if (request->prefix) {
        return walk_ring(state, view, dyno_mix(~request->prefix), bounded_load(view));
    }
    return dyno_route_least_loaded.pick(NULL, config, request, view, services, dice, costs, scored);
}

const struct dyno_route_policy dyno_route_session = {
    .abi = DYNO_ROUTE_ABI,
    .name = "session",
    .help = "a session stays with one worker (consistent hashing); no session: equal prefixes do",
    .open = session_open,
    .close = session_close,
    .pick = session_pick,
    .worker_gone = session_worker_gone,
};

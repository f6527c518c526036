#include "reports/pairing.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A request by what it is the same by in every arm. */
struct key {
    uint64_t session;
    uint32_t turn;
    uint32_t place; /* in its arm's records */
};

static int by_session(const void *a, const void *b)
{
    const struct key *left = a, *right = b;

    if (left->session != right->session) {
        return left->session < right->session ? -1 : 1;
    }
    return (left->place > right->place) - (left->place < right->place);
}

/* Keys in the order of sessions and turns; NULL: no memory. */
static struct key *keys_of(const struct dyno_request_record *records, uint32_t count)
{
    struct key *keys = malloc((count + (size_t)1) * sizeof *keys);

    for (uint32_t i = 0; keys && i < count; i++) {
        keys[i] = (struct key){.session = records[i].session, .place = i};
    }
    if (keys) {
        qsort(keys, count, sizeof *keys, by_session);
    }
    for (uint32_t i = 1; keys && i < count; i++) {
        keys[i].turn = keys[i].session == keys[i - 1].session ? keys[i - 1].turn + 1 : 0;
    }
    return keys;
}

static int compare_keys(const struct key *left, const struct key *right)
{
    if (left->session != right->session) {
        return left->session < right->session ? -1 : 1;
    }
    return (left->turn > right->turn) - (left->turn < right->turn);
}

/* Fill `partner` [counts of the first]: the place in the other arm, or UINT32_MAX. */
static void match(uint32_t *partner, const struct key *first, uint32_t first_count,
                  const struct key *other, uint32_t other_count)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < first_count; i++) {
        while (at < other_count && compare_keys(&other[at], &first[i]) < 0) {
            at++;
        }
        partner[first[i].place] = at < other_count && compare_keys(&other[at], &first[i]) == 0
                                      ? other[at].place
                                      : UINT32_MAX;
    }
}

static dyno_status match_all(uint32_t **partners, uint32_t arms,
                             const struct dyno_request_record *const *records,
                             const uint32_t *counts)
{
    struct key *first = keys_of(records[0], counts[0]);
    dyno_status status = first ? DYNO_OK : DYNO_NO_MEMORY;

    for (uint32_t arm = 0; arm < arms && status == DYNO_OK; arm++) {
        struct key *other = keys_of(records[arm], counts[arm]);

        partners[arm] = malloc((counts[0] + (size_t)1) * sizeof *partners[arm]);
        if (other && partners[arm]) {
            match(partners[arm], first, counts[0], other, counts[arm]);
        } else {
            status = DYNO_NO_MEMORY;
        }
        free(other);
    }
    free(first);
    return status;
}

/* Whether every arm has request `i` of the first, of the same length and for the same model. */
static bool is_paired(uint32_t *const *partners, uint32_t arms,
                      const struct dyno_request_record *const *records, uint32_t i)
{
    for (uint32_t arm = 1; arm < arms; arm++) {
        const struct dyno_request_record *other;

        assert(partners[arm]);
        if (partners[arm][i] == UINT32_MAX) {
            return false;
        }
        other = &records[arm][partners[arm][i]];
        if (other->prompt_tokens != records[0][i].prompt_tokens ||
            other->model != records[0][i].model) {
            return false;
        }
    }
    return true;
}

static void take_pairs(struct dyno_pairing *out, uint32_t *const *partners,
                       const struct dyno_request_record *const *records, uint32_t first_count)
{
    for (uint32_t i = 0; i < first_count; i++) {
        bool moved = false;

        if (!is_paired(partners, out->arms, records, i)) {
            out->unpaired++;
            continue;
        }
        for (uint32_t arm = 0; arm < out->arms; arm++) {
            const struct dyno_request_record *record = &records[arm][partners[arm][i]];

            out->records[arm][out->count] = *record;
            moved = moved || record->arrival_ns != records[0][i].arrival_ns;
        }
        out->places[out->count++] = i;
        out->arrivals_moved += moved;
    }
}

static dyno_status allocate(struct dyno_pairing *out, uint32_t count)
{
    out->records = calloc(out->arms, sizeof(struct dyno_request_record *));
    out->places = malloc((count + (size_t)1) * sizeof *out->places);
    if (!out->records || !out->places) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t arm = 0; arm < out->arms; arm++) {
        out->records[arm] = malloc((count + (size_t)1) * sizeof *out->records[arm]);
        if (!out->records[arm]) {
            return DYNO_NO_MEMORY;
        }
    }
    return DYNO_OK;
}

dyno_status dyno_pairing_make(struct dyno_pairing *out, uint32_t arms,
                              const struct dyno_request_record *const *records,
                              const uint32_t *counts)
{
    uint32_t **partners = calloc(arms, sizeof *partners);
    dyno_status status = partners ? DYNO_OK : DYNO_NO_MEMORY;

    *out = (struct dyno_pairing){.arms = arms};
    if (status == DYNO_OK) {
        status = match_all(partners, arms, records, counts);
    }
    if (status == DYNO_OK) {
        status = allocate(out, counts[0]);
    }
    if (status == DYNO_OK) {
        take_pairs(out, partners, records, counts[0]);
    }
    for (uint32_t arm = 0; partners && arm < arms; arm++) {
        free(partners[arm]);
    }
    free(partners);
    if (status != DYNO_OK) {
        dyno_pairing_release(out);
    }
    return status;
}

void dyno_pairing_release(struct dyno_pairing *pairing)
{
    for (uint32_t arm = 0; pairing->records && arm < pairing->arms; arm++) {
        free(pairing->records[arm]);
    }
    free(pairing->records);
    free(pairing->places);
    *pairing = (struct dyno_pairing){.arms = 0};
}

static void earlier(dyno_ns *at, dyno_ns one, dyno_ns other)
{
    dyno_ns first = one < other ? one : other;

    if (one != other && first < *at) {
        *at = first;
    }
}

/* When two arms began to treat a request differently; DYNO_NEVER: they did not. */
static dyno_ns parted_at(const struct dyno_request_record *a, const struct dyno_request_record *b)
{
    dyno_ns at = DYNO_NEVER;

    earlier(&at, a->arrival_ns, b->arrival_ns);
    earlier(&at, a->ready_ns, b->ready_ns);
    earlier(&at, a->admitted_ns, b->admitted_ns);
    earlier(&at, a->first_token_ns, b->first_token_ns);
    earlier(&at, a->last_token_ns, b->last_token_ns);
    if (a->worker != b->worker || a->prefill_worker != b->prefill_worker ||
        a->outcome != b->outcome || a->cached_tokens != b->cached_tokens) {
        at = a->arrival_ns < at ? a->arrival_ns : at;
    }
    return at;
}

bool dyno_pairing_differs(const struct dyno_pairing *pairing, uint32_t a, uint32_t b, uint32_t pair)
{
    return parted_at(&pairing->records[a][pair], &pairing->records[b][pair]) != DYNO_NEVER;
}

uint32_t dyno_pairing_parts_at(const struct dyno_pairing *pairing, uint32_t a, uint32_t b,
                               dyno_ns *when)
{
    uint32_t found = pairing->count;

    *when = DYNO_NEVER;
    for (uint32_t i = 0; i < pairing->count; i++) {
        dyno_ns at = parted_at(&pairing->records[a][i], &pairing->records[b][i]);

        if (at < *when) {
            found = i;
            *when = at;
        }
    }
    return found;
}

/* Rows kept in memory, packed: about 12 bytes a request and 10 an identity.
 *
 * A row is written as a byte of flags, the numbers that the flags announce in groups of seven bits
 * (times as differences), then its lists.  Chunks of CHUNK_BYTES hold whole rows. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "traces/rows.h"

enum { CHUNK_BYTES = 1 << 20, NUMBER_BYTES_MAX = 10, HEAD_BYTES_MAX = 1 + 17 * NUMBER_BYTES_MAX };
enum {
    HAS_AT = 1,
    IS_ORDERED = 2,
    ENDS_SESSION = 4,
    HAS_SESSION = 8, /* session and delay */
    HAS_NAMES = 16,  /* name, parent, waits and delay */
    HAS_SEGMENTS = 32,
    HAS_TENANT = 64, /* tenant, priority and model */
};

struct chunk {
    struct chunk *next;
    size_t used, size;
    unsigned char bytes[];
};

struct store {
    struct dyno_rows rows; /* first: a struct dyno_rows * is one of these */
    struct chunk *first, *last;
    struct chunk *reading;
    size_t reading_at;
    uint64_t written_at, written_line; /* of the row written last, and ... */
    uint64_t read_at, read_line;       /* ... read last: differences start there */
    char *name;
};

static unsigned char *put_number(unsigned char *to, uint64_t number)
{
    for (; number >= 128; number >>= 7) {
        *to++ = (unsigned char)(number | 128);
    }
    *to++ = (unsigned char)number;
    return to;
}

static uint64_t get_long_number(const unsigned char **from)
{
    uint64_t number = 0;
    unsigned shift = 0;

    while (**from & 128) {
        number |= (uint64_t)(*(*from)++ & 127) << shift;
        shift += 7;
    }
    return number | (uint64_t) * (*from)++ << shift;
}

/* Most numbers have one byte or two. */
static inline uint64_t get_number(const unsigned char **from)
{
    const unsigned char *bytes = *from;

    if (bytes[0] < 128) {
        *from += 1;
        return bytes[0];
    }
    if (bytes[1] < 128) {
        *from += 2;
        return (bytes[0] & 127U) | (uint64_t)bytes[1] << 7;
    }
    return get_long_number(from);
}

static unsigned char *put_id(unsigned char *to, uint64_t id)
{
    memcpy(to, &id, sizeof id);
    return to + sizeof id;
}

static uint64_t get_id(const unsigned char **from)
{
    uint64_t id;

    memcpy(&id, *from, sizeof id);
    *from += sizeof id;
    return id;
}

/* Room for `size` bytes; NULL when memory is out. */
static unsigned char *make_room(struct store *store, size_t size)
{
    struct chunk *chunk = store->last;

    if (!chunk || chunk->size - chunk->used < size) {
        size_t capacity = size > CHUNK_BYTES ? size : CHUNK_BYTES;

        chunk = malloc(sizeof *chunk + capacity);
        if (!chunk) {
            return NULL;
        }
        *chunk = (struct chunk){.size = capacity};
        *(store->last ? &store->last->next : &store->first) = chunk;
        store->last = chunk;
    }
    return chunk->bytes + chunk->used;
}

static unsigned flags_of(const struct dyno_row *row)
{
    unsigned flags = 0;

    flags |= row->has_at ? HAS_AT : 0;
    flags |= row->is_ordered ? IS_ORDERED : 0;
    flags |= row->ends_session ? ENDS_SESSION : 0;
    flags |= row->session || row->delay ? HAS_SESSION : 0;
    flags |= row->name || row->parent || row->wait_count ? HAS_NAMES : 0;
    flags |= row->segment_count || row->block_refs ? HAS_SEGMENTS : 0;
    flags |= row->tenant || row->priority || row->model ? HAS_TENANT : 0;
    return flags;
}

static unsigned char *put_lists(unsigned char *to, const struct dyno_row *row, unsigned flags)
{
    uint32_t before = 0;

    if (flags & HAS_NAMES) {
        to = put_id(put_id(to, row->name), row->parent);
        to = put_number(put_number(to, row->waits_column), row->wait_count);
        for (uint32_t i = 0; i < row->wait_count; i++) {
            to = put_id(to, row->waits[i]);
        }
    }
    if (flags & HAS_SEGMENTS) {
        to = put_number(put_number(to, row->block_refs), row->segment_count);
        for (uint32_t i = 0; i < row->segment_count; i++) {
            to = put_number(put_id(to, row->segments[i].id), row->segments[i].end - before);
            before = row->segments[i].end;
        }
    }
    return to;
}

static bool put_row(struct store *store, const struct dyno_row *row)
{
    size_t size = HEAD_BYTES_MAX + row->wait_count * sizeof *row->waits +
                  row->segment_count * (sizeof(uint64_t) + NUMBER_BYTES_MAX);
    unsigned char *begin = make_room(store, size), *to = begin;
    unsigned flags = flags_of(row);

    if (!begin) {
        return false;
    }
    *to++ = (unsigned char)flags;
    to = put_number(to, row->at - store->written_at);
    to = put_number(to, row->line - store->written_line); /* wraps where a line comes earlier */
    to = put_number(put_number(to, row->input_tokens), row->output_tokens);
    if (flags & HAS_SESSION) {
        to = put_number(put_number(to, row->session), row->delay);
    }
    if (flags & HAS_TENANT) {
        to = put_number(put_number(to, row->tenant), (uint32_t)row->priority);
        to = put_number(to, row->model);
    }
    to = put_lists(to, row, flags);
    store->written_at = row->at;
    store->written_line = row->line;
    store->last->used += (size_t)(to - begin);
    assert(store->last->used <= store->last->size);
    return true;
}

static bool get_segments(const unsigned char **from_p, struct dyno_row *row)
{
    const unsigned char *from = *from_p;
    uint32_t count = (uint32_t)get_number(&from), end = 0;
    struct dyno_segment *segments;

    if (!dyno_row_reserve_segments(row, count)) {
        return false;
    }
    segments = row->segments;
    for (uint32_t i = 0; i < count; i++) {
        segments[i].id = get_id(&from);
        end += (uint32_t)get_number(&from);
        segments[i].end = end;
    }
    row->segment_count = count;
    *from_p = from;
    return true;
}

static bool get_lists(const unsigned char **from, struct dyno_row *row, unsigned flags)
{
    if (flags & HAS_NAMES) {
        row->name = get_id(from);
        row->parent = get_id(from);
        row->waits_column = (uint32_t)get_number(from);
        for (uint64_t count = get_number(from); count > 0; count--) {
            if (!dyno_row_add_wait(row, get_id(from))) {
                return false;
            }
        }
    }
    if (flags & HAS_SEGMENTS) {
        row->block_refs = (uint32_t)get_number(from);
        return get_segments(from, row);
    }
    return true;
}

static dyno_status store_read(struct dyno_rows *rows, struct dyno_row *row, bool *got,
                              struct dyno_error *error)
{
    struct store *store = (struct store *)rows;
    const unsigned char *from;
    unsigned flags;

    if (store->reading && store->reading_at == store->reading->used) {
        store->reading = store->reading->next;
        store->reading_at = 0;
    }
    *got = store->reading != NULL;
    if (!*got) {
        return DYNO_OK;
    }
    dyno_row_clear(row);
    from = store->reading->bytes + store->reading_at;
    flags = *from++;
    row->has_at = flags & HAS_AT;
    row->is_ordered = flags & IS_ORDERED;
    row->ends_session = flags & ENDS_SESSION;
    row->at = store->read_at += get_number(&from);
    row->line = store->read_line += get_number(&from);
    row->input_tokens = (uint32_t)get_number(&from);
    row->output_tokens = (uint32_t)get_number(&from);
    if (flags & HAS_SESSION) {
        row->session = get_number(&from);
        row->delay = get_number(&from);
    }
    if (flags & HAS_TENANT) {
        row->tenant = (uint32_t)get_number(&from);
        row->priority = (int32_t)(uint32_t)get_number(&from);
        row->model = (uint32_t)get_number(&from);
    }
    if (!get_lists(&from, row, flags)) {
        return dyno_fail(error, DYNO_NO_MEMORY, "%s: no memory for a request", rows->name);
    }
    row->is_counted = true;
    store->reading_at = (size_t)(from - store->reading->bytes);
    return DYNO_OK;
}

static void store_close(struct dyno_rows *rows)
{
    struct store *store = (struct store *)rows;

    while (store->first) {
        struct chunk *next = store->first->next;

        free(store->first);
        store->first = next;
    }
    free(store->name);
    free(store);
}

static const struct dyno_rows_ops store_ops = {
    .name = "memory",
    .read = store_read,
    .close = store_close,
};

static dyno_status fill(struct store *store, struct dyno_rows *from, struct dyno_error *error)
{
    struct dyno_row row = {0};
    dyno_status status;
    bool got = true;

    while ((status = from->ops->read(from, &row, &got, error)) == DYNO_OK && got) {
        if (!put_row(store, &row)) {
            status = dyno_fail(error, DYNO_NO_MEMORY, "%s: no memory to read it ahead", from->name);
            break;
        }
        status = dyno_rows_count(from, &row, error);
        if (status != DYNO_OK) {
            break;
        }
    }
    dyno_row_release(&row);
    return status;
}

dyno_status dyno_store_open(struct dyno_rows **out, struct dyno_rows *from,
                            struct dyno_error *error)
{
    struct store *store = calloc(1, sizeof *store);
    dyno_status status;

    if (!store || !(store->name = strdup(from->name))) {
        free(store);
        return dyno_fail(error, DYNO_NO_MEMORY, "%s: no memory to read it ahead", from->name);
    }
    store->rows.ops = &store_ops;
    status = fill(store, from, error);
    if (status != DYNO_OK) {
        dyno_rows_close(&store->rows);
        return status;
    }
    store->rows.name = store->name;
    store->rows.format = from->format;
    store->rows.block_tokens = from->block_tokens;
    store->rows.counts = from->counts; /* what was counted and skipped moves over */
    store->rows.seen = from->seen;
    store->rows.skip_max = from->skip_max;
    memcpy(store->rows.skipped, from->skipped, sizeof from->skipped);
    store->rows.skipped_count = from->skipped_count;
    from->seen = (struct dyno_map){0};
    from->skipped_count = 0;
    dyno_rows_close(from);
    store->reading = store->first;
    *out = &store->rows;
    return DYNO_OK;
}

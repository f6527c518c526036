/* What two processes that serve together tell each other.
 *
 * Over a TCP connection, once, before anything else: who asks sends a hello, and is welcomed or
 * refused.  After the hello who was asked sends a beat every now and then, a byte that is 0, before
 * its welcome and behind it; nothing else is said there, and its end is the end of the session.
 * Then, over UCX, a pass's step at a time: its pieces, and what they are followed by; before that,
 * if it is wanted, how many layers are computed.  Both are of one kind of machine: integers lie as
 * in memory, which the first bytes of a hello tell apart.
 *
 * Nothing that comes is believed before it was looked at.
 */
#ifndef DYNO_BACKENDS_UCX_WIRE_H
#define DYNO_BACKENDS_UCX_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/engine/threaded.h"
#include "core/base/status.h"

enum {
    DYNO_UCX_VERSION = 4,           /* of all of this */
    DYNO_UCX_WELCOME_MAX = 1 << 20, /* bytes */
    DYNO_UCX_WORKERS_MAX = 64,      /* of one process */
    DYNO_UCX_ROWS_MAX = 1 << 20,    /* of a pass */
    DYNO_UCX_BEAT_MS_MIN = 10,      /* between two beats, at least ... */
    DYNO_UCX_BEAT_MS_MAX = 3600000, /* ... and at most */
};

/* "DYNOWORK" where the lowest byte is the first. */
#define DYNO_UCX_MAGIC 0x4b524f574f4e5944ULL

/* What the workers are to be.  The first two members are the same in all versions. */
struct dyno_ucx_hello {
    uint64_t magic;
    uint32_t version;
    uint32_t transport; /* enum dyno_ucx_transport, not AUTO */
    uint64_t fingerprint;
    uint32_t workers, ranks, threads; /* each worker's; threads 0: as it likes */
    uint32_t blocks, block_tokens;    /* KV of each worker */
    uint32_t rows_max;
    uint32_t beat_ms;      /* from one beat to the next; 0: none are wanted */
    uint32_t tells_layers; /* 0 or 1: who yields tells of layers as they are computed */
};

/* Behind it: text[size], why not, if it is refused; else the session's key and the addresses. */
struct dyno_ucx_welcome {
    uint64_t magic;
    uint32_t version;
    uint32_t refused; /* 0 or 1 */
    uint32_t size;
    uint32_t unused;
};

/* DYNO_BAD_INPUT and one sentence: it is not of such a process or version, or cannot be served. */
dyno_status dyno_ucx_hello_check(const struct dyno_ucx_hello *hello, struct dyno_error *error);
dyno_status dyno_ucx_welcome_check(const struct dyno_ucx_welcome *welcome,
                                   struct dyno_error *error);

/* ---- bytes that grow, and bytes that are looked at ------------------------------------------- */

struct dyno_ucx_bytes {
    char *at; /* [size], the caller's to free */
    size_t size, capacity;
    bool failed; /* no memory: nothing more is added */
};

void dyno_ucx_put(struct dyno_ucx_bytes *bytes, const void *from, size_t size);
void dyno_ucx_put_u32(struct dyno_ucx_bytes *bytes, uint32_t value);

struct dyno_ucx_reader {
    const char *at;
    size_t left;
    bool failed; /* more was asked for than there is: zeros from then on */
};

void dyno_ucx_take(struct dyno_ucx_reader *reader, void *to, size_t size);
uint32_t dyno_ucx_take_u32(struct dyno_ucx_reader *reader);
/* Where the next `size` bytes lie; NULL: there are not so many. */
const void *dyno_ucx_take_bytes(struct dyno_ucx_reader *reader, size_t size);

/* ---- a step ---------------------------------------------------------------------------------- */

/* What is wanted of a piece that yields. */
enum dyno_ucx_wanted {
    DYNO_UCX_NOTHING,
    DYNO_UCX_TOKEN,  /* the most likely one */
    DYNO_UCX_LOGITS, /* of its last position */
    DYNO_UCX_STATE,  /* of it, behind the final norm */
};

/* As in the question: {first, count, cached, wanted, tokens[count], table[]} after their number. */
struct dyno_ucx_piece {
    uint32_t first, count, cached; /* as in backends/engine/threaded.h */
    enum dyno_ucx_wanted wanted;
    const uint32_t *tokens; /* [count] */
    const uint32_t *table;  /* blocks up to its last position */
};

/* What a worker can compute. */
struct dyno_ucx_limits {
    uint32_t rows_max, positions, vocab, blocks, block_tokens;
};

enum dyno_ucx_wanted dyno_ucx_wanted(const struct dyno_engine_piece *piece);

void dyno_ucx_put_step(struct dyno_ucx_bytes *question, const struct dyno_engine_piece *pieces,
                       uint32_t piece_count, uint32_t block_tokens);

/* The question's pieces into pieces[rows_max], which point into it.  DYNO_BAD_INPUT and one
 * sentence. */
dyno_status dyno_ucx_read_step(struct dyno_ucx_piece *pieces, uint32_t *piece_count,
                               const void *question, size_t size,
                               const struct dyno_ucx_limits *limits, struct dyno_error *error);

/* Bytes that a step's question has at most. */
size_t dyno_ucx_step_max(const struct dyno_ucx_limits *limits);

#endif

/* One pass over all weights: nothing in them may be infinite or not a number, or every answer
 * would be.  It also brings the files into memory before the first request waits for them.
 *
 * The weights are cut into chunks that threads take in order; each asks the system for its chunk
 * first, so that a cold file is read ahead by several at once, and mapped without a fault a page.
 * Of several bad elements the first is named, whoever finds it. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backends/assets/weights_parts.h"
#include "backends/host/allowance.h"
#include "core/base/words.h"

/* Elements looked at before it is asked whether one was bad: a fixed number, for vector code. */
enum { STRETCH = 4096 };
enum { CHUNK_BYTES = 4 << 20, THREADS_MAX = 8 };

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14; EINVAL before it */
#endif

/* A part of a tensor: elements, or of Q8_0 blocks, from `first` on. */
struct chunk {
    const struct dyno_tensor *tensor;
    uint64_t first, count;
};

struct scan {
    struct chunk *chunks; /* [count] */
    size_t count;
    atomic_size_t next;
    atomic_size_t first_bad; /* the first chunk with a bad element; SIZE_MAX: none */
    atomic_int failed;       /* errno of a file that cannot be read, 0: none */
};

/* Without its sign, a number that is not finite has all bits of the exponent set; adding one at
 * the exponent's lowest bit then carries into the sign. */
static uint32_t carries32(const uint8_t *data, size_t count)
{
    uint32_t all = 0;

    for (size_t i = 0; i < count; i++) {
        uint32_t bits;

        memcpy(&bits, data + i * sizeof(bits), sizeof(bits));
        all |= (bits & 0x7fffffffU) + 0x00800000U;
    }
    return all >> 31;
}

static uint32_t carries16(const uint8_t *data, size_t count, uint16_t lowest)
{
    uint16_t all = 0;

    for (size_t i = 0; i < count; i++) {
        uint16_t bits;

        memcpy(&bits, data + i * sizeof(bits), sizeof(bits));
        all = (uint16_t)(all | ((bits & 0x7fffU) + lowest));
    }
    return all >> 15;
}

/* Of Q8_0 blocks, whose integers are always finite, the scales. */
static bool bad_scales(const uint8_t *data, size_t count)
{
    bool bad = false;

    for (size_t i = 0; i < count; i++) {
        uint16_t bits;

        memcpy(&bits, data + i * DYNO_Q8_0_BYTES, sizeof(bits));
        bad |= (bits & 0x7c00U) == 0x7c00U;
    }
    return bad;
}

static bool is_bad(enum dyno_element element, const uint8_t *data, size_t count)
{
    switch (element) {
    case DYNO_ELEMENT_F32:
        return count == STRETCH ? carries32(data, STRETCH) : carries32(data, count);
    case DYNO_ELEMENT_F16:
        return count == STRETCH ? carries16(data, STRETCH, 0x0400) : carries16(data, count, 0x0400);
    case DYNO_ELEMENT_BF16:
        return count == STRETCH ? carries16(data, STRETCH, 0x0080) : carries16(data, count, 0x0080);
    case DYNO_ELEMENT_Q8_0:
        return bad_scales(data, count);
    case DYNO_ELEMENTS:
        break;
    }
    return false;
}

static size_t unit_bytes(const struct dyno_tensor *tensor)
{
    size_t bytes =
        tensor->element == DYNO_ELEMENT_Q8_0 ? DYNO_Q8_0_BYTES : dyno_row_bytes(tensor->element, 1);

    assert(bytes > 0);
    return bytes;
}

/* The first bad unit of the chunk; `count` if there is none. */
static uint64_t find_bad(const struct chunk *chunk)
{
    size_t unit = unit_bytes(chunk->tensor);
    const uint8_t *data = chunk->tensor->data + chunk->first * unit;
    enum dyno_element element = chunk->tensor->element;

    for (uint64_t at = 0; at < chunk->count; at += STRETCH) {
        size_t stretch = chunk->count - at < STRETCH ? (size_t)(chunk->count - at) : STRETCH;

        if (is_bad(element, data + at * unit, stretch)) {
            while (!is_bad(element, data + at * unit, 1)) {
                at++;
            }
            return at;
        }
    }
    return chunk->count;
}

/* Bring the chunk into memory.  Returns 0, or the errno of a file that cannot be read; a system
 * that cannot be asked will fault the pages in. */
static int fetch(const struct chunk *chunk)
{
    size_t unit = unit_bytes(chunk->tensor);
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = (uintptr_t)chunk->tensor->data + (uintptr_t)(chunk->first * unit);
    uintptr_t end = begin + (uintptr_t)(chunk->count * unit);
    void *from = (void *)(begin & ~(page - 1));
    size_t size = (size_t)(end - (uintptr_t)from);

    (void)madvise(from, size, MADV_WILLNEED);
    if (madvise(from, size, MADV_POPULATE_READ) != 0 && (errno == EFAULT || errno == EHWPOISON)) {
        return EIO;
    }
    return 0;
}

static void note_bad(struct scan *scan, size_t chunk)
{
    size_t known = atomic_load(&scan->first_bad);

    while (chunk < known && !atomic_compare_exchange_weak(&scan->first_bad, &known, chunk)) {
    }
}

/* Take chunks until there are none, or none before a bad one. */
static void *work(void *context)
{
    struct scan *scan = context;

    for (;;) {
        size_t at = atomic_fetch_add(&scan->next, 1);
        int failed;

        if (at >= scan->count || at > atomic_load(&scan->first_bad) || atomic_load(&scan->failed)) {
            return NULL;
        }
        failed = fetch(&scan->chunks[at]);
        if (failed) {
            atomic_store(&scan->failed, failed);
        } else if (find_bad(&scan->chunks[at]) < scan->chunks[at].count) {
            note_bad(scan, at);
        }
    }
}

/* This thread and as many others as help: each should have several chunks. */
static void run(struct scan *scan)
{
    size_t wanted = dyno_allowed_cores();
    pthread_t threads[THREADS_MAX];
    size_t count = 0;

    wanted = wanted < THREADS_MAX ? wanted : THREADS_MAX;
    wanted = scan->count / 2 < wanted ? scan->count / 2 : wanted;
    while (count + 1 < wanted && pthread_create(&threads[count], NULL, work, scan) == 0) {
        count++;
    }
    (void)work(scan);
    for (size_t i = 0; i < count; i++) {
        (void)pthread_join(threads[i], NULL);
    }
}

static uint64_t chunk_units(const struct dyno_tensor *tensor)
{
    return CHUNK_BYTES / unit_bytes(tensor);
}

static uint64_t units_of(const struct dyno_tensor *tensor)
{
    return tensor->bytes / unit_bytes(tensor);
}

static size_t count_chunks(const struct dyno_tensors *tensors)
{
    size_t count = 0;

    for (size_t i = 0; i < tensors->count; i++) {
        const struct dyno_tensor *tensor = &tensors->items[i];

        if (tensor->used) {
            uint64_t most = chunk_units(tensor);

            count += (size_t)((units_of(tensor) + most - 1) / most);
        }
    }
    return count;
}

static void fill_chunks(struct scan *scan, const struct dyno_tensors *tensors)
{
    for (size_t i = 0; i < tensors->count; i++) {
        const struct dyno_tensor *tensor = &tensors->items[i];

        for (uint64_t at = 0; tensor->used && at < units_of(tensor); at += chunk_units(tensor)) {
            uint64_t left = units_of(tensor) - at, most = chunk_units(tensor);

            scan->chunks[scan->count++] = (struct chunk){tensor, at, left < most ? left : most};
        }
    }
}

static dyno_status refuse(const struct chunk *chunk, struct dyno_error *error)
{
    const struct dyno_tensor *tensor = chunk->tensor;
    uint64_t unit = chunk->first + find_bad(chunk);
    char path[DYNO_QUOTE_MAX], name[DYNO_QUOTE_MAX];

    if (tensor->element == DYNO_ELEMENT_Q8_0) {
        unit *= DYNO_Q8_0_ELEMENTS;
    }
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "%s: element %" PRIu64
                     " of tensor %s is infinite or not a number; weights must be finite",
                     dyno_quote(path, tensor->file->path), unit, dyno_quote(name, tensor->name));
}

dyno_status dyno_weights_check_finite(const struct dyno_opening *opening, struct dyno_error *error)
{
    struct scan scan = {.first_bad = SIZE_MAX};
    char path[DYNO_QUOTE_MAX];
    dyno_status status = DYNO_OK;

    scan.chunks = calloc(count_chunks(&opening->tensors) + 1, sizeof(*scan.chunks));
    if (!scan.chunks) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for reading a model's weights");
    }
    fill_chunks(&scan, &opening->tensors);
    run(&scan);
    if (scan.failed) {
        status = dyno_fail(error, DYNO_IO, "cannot read the weights of %s: %s",
                           dyno_quote(path, opening->path), strerror(scan.failed));
    } else if (scan.first_bad < scan.count) {
        status = refuse(&scan.chunks[scan.first_bad], error);
    }
    free(scan.chunks);
    return status;
}

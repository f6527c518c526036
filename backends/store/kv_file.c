#include "backends/store/kv_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { PAGE = 4096, BATCH_BYTES_MAX = 8 << 20, SAMPLE_BYTES = 1 << 16 };

static const char head_magic[] = "DYNOKV1\n", slot_magic[] = "KVBLOCK\n";

struct head {
    char magic[8];
    uint64_t block_bytes, fingerprint;
    uint64_t checksum; /* of what is before */
};

struct slot {
    char magic[8];
    uint64_t span;
    uint32_t index, depth;
    uint64_t data_checksum; /* of the block */
    uint64_t checksum;      /* of what is before */
};

struct dyno_kv_file {
    struct dyno_kv_file_config config;
    int descriptor;
    struct dyno_file_io *io;
    uint64_t slot_bytes;
    uint32_t batch; /* slots at a time */
    char *bytes;    /* [batch][slot_bytes] */
    struct dyno_kept_block *kept;
    uint32_t kept_count;
};

/* ---- slots ----------------------------------------------------------------------------------- */

static uint64_t checksum_of(const void *record, size_t size)
{
    return XXH3_64bits(record, size);
}

static uint64_t offset_of(const struct dyno_kv_file *file, uint32_t place)
{
    return PAGE + place * file->slot_bytes;
}

static char *buffer_of(const struct dyno_kv_file *file, uint32_t index)
{
    return file->bytes + index * file->slot_bytes;
}

static bool is_header(const struct slot *slot)
{
    return memcmp(slot->magic, slot_magic, sizeof slot->magic) == 0 && slot->span != 0 &&
           slot->checksum == checksum_of(slot, offsetof(struct slot, checksum));
}

static void run(struct dyno_kv_file *file, struct dyno_file_op *ops, uint32_t count)
{
    dyno_file_io_run(file->io, ops, count);
    for (uint32_t i = 0; file->config.fault && i < count; i++) {
        file->config.fault(file->config.fault_context, &ops[i]);
    }
}

static void prepare(const struct dyno_kv_file *file, struct dyno_file_op *op, uint32_t index,
                    uint32_t place, bool is_write)
{
    *op = (struct dyno_file_op){.is_write = is_write,
                                .bytes = buffer_of(file, index),
                                .size = (uint32_t)(sizeof(struct slot) + file->config.block_bytes),
                                .offset = offset_of(file, place)};
}

static uint32_t least_of(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

uint32_t dyno_kv_file_write(struct dyno_kv_file *file, const uint32_t *places,
                            const struct dyno_block_name *names, uint32_t count,
                            void (*move)(void *context, uint32_t block, void *bytes), void *context)
{
    struct dyno_file_op ops[DYNO_FILE_OPS_MAX];

    for (uint32_t done = 0; done < count;) {
        uint32_t batch = least_of(file->batch, count - done);

        for (uint32_t i = 0; i < batch; i++) {
            char *block = buffer_of(file, i) + sizeof(struct slot);
            const struct dyno_block_name *name = &names[done + i];
            struct slot slot = {.span = name->span, .index = name->index, .depth = name->depth};

            move(context, done + i, block);
            memcpy(slot.magic, slot_magic, sizeof slot.magic);
            slot.data_checksum = XXH3_64bits(block, file->config.block_bytes);
            slot.checksum = checksum_of(&slot, offsetof(struct slot, checksum));
            memcpy(buffer_of(file, i), &slot, sizeof slot);
            prepare(file, &ops[i], i, places[done + i], true);
        }
        run(file, ops, batch);
        for (uint32_t i = 0; i < batch; i++, done++) {
            if (ops[i].result != 0) {
                return count - done;
            }
        }
    }
    return 0;
}

static bool is_block(const struct dyno_kv_file *file, uint32_t index,
                     const struct dyno_block_name *name)
{
    const char *block = buffer_of(file, index) + sizeof(struct slot);
    struct slot slot;

    memcpy(&slot, buffer_of(file, index), sizeof slot);
    return is_header(&slot) && slot.span == name->span && slot.index == name->index &&
           slot.data_checksum == XXH3_64bits(block, file->config.block_bytes);
}

uint32_t dyno_kv_file_read(struct dyno_kv_file *file, const uint32_t *places,
                           const struct dyno_block_name *names, uint32_t count,
                           void (*move)(void *context, uint32_t block, void *bytes), void *context)
{
    struct dyno_file_op ops[DYNO_FILE_OPS_MAX];

    for (uint32_t done = 0; done < count;) {
        uint32_t batch = least_of(file->batch, count - done);

        for (uint32_t i = 0; i < batch; i++) {
            prepare(file, &ops[i], i, places[done + i], false);
        }
        run(file, ops, batch);
        for (uint32_t i = 0; i < batch; i++, done++) {
            if (ops[i].result != 0 || !is_block(file, i, &names[done])) {
                return count - done;
            }
            move(context, done, buffer_of(file, i) + sizeof(struct slot));
        }
    }
    return 0;
}

/* ---- open and close -------------------------------------------------------------------------- */

static dyno_status fail_io(const struct dyno_kv_file_config *config, struct dyno_error *error)
{
    return dyno_fail(error, DYNO_IO, "%s: %s", config->path ? config->path : "a file for KV",
                     strerror(errno));
}

static int open_nameless(void)
{
    const char *folder = getenv("TMPDIR");
    char path[512];
    int descriptor;

    if (!folder || strlen(folder) > sizeof path - 32) {
        folder = "/tmp";
    }
    (void)snprintf(path, sizeof path, "%s/dyno-kv-XXXXXX", folder);
    descriptor = mkstemp(path);
    if (descriptor >= 0) {
        (void)unlink(path);
    }
    return descriptor;
}

static struct head head_of(const struct dyno_kv_file_config *config)
{
    struct head head = {.block_bytes = config->block_bytes, .fingerprint = config->fingerprint};

    memcpy(head.magic, head_magic, sizeof head.magic);
    head.checksum = checksum_of(&head, offsetof(struct head, checksum));
    return head;
}

/* A new file gets a head; an old one must have the right one. */
static dyno_status check_head(const struct dyno_kv_file *file, struct dyno_error *error)
{
    const struct dyno_kv_file_config *config = &file->config;
    struct head head = head_of(config), found;
    struct stat is;

    if (fstat(file->descriptor, &is) != 0) {
        return fail_io(config, error);
    }
    if (!S_ISREG(is.st_mode)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s is no ordinary file; give the path of one",
                         config->path);
    }
    if (is.st_size == 0) {
        return pwrite(file->descriptor, &head, sizeof head, 0) == (ssize_t)sizeof head
                   ? DYNO_OK
                   : fail_io(config, error);
    }
    if (pread(file->descriptor, &found, sizeof found, 0) != (ssize_t)sizeof found ||
        memcmp(found.magic, head_magic, sizeof found.magic) != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s is no file of KV blocks; give the path of one, or of none yet",
                         config->path);
    }
    if (memcmp(&found, &head, sizeof head) != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s has KV of another model, of blocks of other sizes, or of other "
                         "ranks; give another path, or remove it",
                         config->path);
    }
    return DYNO_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct dyno_block_name *left = &((const struct dyno_kept_block *)a)->name;
    const struct dyno_block_name *right = &((const struct dyno_kept_block *)b)->name;

    return left->span != right->span ? (left->span > right->span) - (left->span < right->span)
                                     : (left->index > right->index) - (left->index < right->index);
}

/* A block that was evicted and stored anew may be there twice: either will do. */
static void drop_twins(struct dyno_kv_file *file)
{
    uint32_t kept = 0;

    qsort(file->kept, file->kept_count, sizeof *file->kept, by_name);
    for (uint32_t i = 0; i < file->kept_count; i++) {
        if (kept == 0 || by_name(&file->kept[kept - 1], &file->kept[i]) != 0) {
            file->kept[kept++] = file->kept[i];
        }
    }
    file->kept_count = kept;
}

/* The headers of all slots, as far as the file goes. */
static dyno_status scan(struct dyno_kv_file *file, struct dyno_error *error)
{
    struct dyno_file_op ops[DYNO_FILE_OPS_MAX];
    struct slot slots[DYNO_FILE_OPS_MAX];
    struct stat is;
    uint32_t count;

    if (fstat(file->descriptor, &is) != 0) {
        return fail_io(&file->config, error);
    }
    count = least_of(
        file->config.blocks,
        is.st_size > PAGE ? (uint32_t)(((uint64_t)is.st_size - PAGE) / file->slot_bytes + 1) : 0);
    file->kept = calloc((size_t)count + 1, sizeof *file->kept);
    if (!file->kept) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for what %s has", file->config.path);
    }
    for (uint32_t done = 0; done < count;) {
        uint32_t batch = least_of(DYNO_FILE_OPS_MAX, count - done);

        for (uint32_t i = 0; i < batch; i++) {
            ops[i] = (struct dyno_file_op){
                .bytes = &slots[i], .size = sizeof slots[i], .offset = offset_of(file, done + i)};
        }
        dyno_file_io_run(file->io, ops, batch);
        for (uint32_t i = 0; i < batch; i++, done++) {
            if (ops[i].result == 0 && is_header(&slots[i])) {
                file->kept[file->kept_count++] =
                    (struct dyno_kept_block){.name = {.span = slots[i].span,
                                                      .index = slots[i].index,
                                                      .depth = slots[i].depth},
                                             .place = done};
            }
        }
    }
    drop_twins(file);
    return DYNO_OK;
}

static dyno_status open_all(struct dyno_kv_file *file, struct dyno_error *error)
{
    const struct dyno_kv_file_config *config = &file->config;

    file->descriptor =
        config->path ? open(config->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : open_nameless();
    if (file->descriptor < 0) {
        return fail_io(config, error);
    }
    if (flock(file->descriptor, LOCK_EX | LOCK_NB) != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s is used by another process; give another path",
                         config->path);
    }
    DYNO_TRY(check_head(file, error));
    file->bytes = aligned_alloc(PAGE, file->batch * file->slot_bytes);
    if (!file->bytes || dyno_file_io_open(&file->io, file->descriptor, config->way) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory to read and write KV with");
    }
    return scan(file, error);
}

dyno_status dyno_kv_file_open(struct dyno_kv_file **out, const struct dyno_kv_file_config *config,
                              struct dyno_error *error)
{
    struct dyno_kv_file *file = calloc(1, sizeof *file);
    dyno_status status;

    if (!file) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a file of KV");
    }
    if (config->block_bytes == 0 || config->block_bytes > INT32_MAX - PAGE) {
        free(file);
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "a KV block of %" PRIu64 " bytes cannot lie in a file; 1 to 2 GiB can",
                         config->block_bytes);
    }
    file->config = *config;
    file->descriptor = -1;
    file->slot_bytes = (sizeof(struct slot) + config->block_bytes + PAGE - 1) / PAGE * PAGE;
    file->batch = least_of(DYNO_FILE_OPS_MAX, (uint32_t)(BATCH_BYTES_MAX / file->slot_bytes) + 1);
    status = open_all(file, error);
    if (status != DYNO_OK) {
        dyno_kv_file_close(file);
        return status;
    }
    *out = file;
    return DYNO_OK;
}

void dyno_kv_file_close(struct dyno_kv_file *file)
{
    if (!file) {
        return;
    }
    dyno_file_io_close(file->io);
    if (file->descriptor >= 0) {
        (void)close(file->descriptor);
    }
    free(file->bytes);
    free(file->kept);
    free(file);
}

struct dyno_kept_block *dyno_kv_file_kept(struct dyno_kv_file *file, uint32_t *count)
{
    *count = file->kept_count;
    return file->kept;
}

const char *dyno_kv_file_way(const struct dyno_kv_file *file)
{
    return dyno_file_io_name(file->io);
}

/* ---- whose KV it is -------------------------------------------------------------------------- */

static uint64_t add_matrix(uint64_t hash, const struct dyno_matrix *matrix)
{
    size_t bytes = matrix->rows * dyno_row_bytes(matrix->element, matrix->columns);

    return matrix->data ? XXH3_64bits_withSeed(matrix->data,
                                               bytes < SAMPLE_BYTES ? bytes : SAMPLE_BYTES, hash)
                        : hash;
}

uint64_t dyno_kv_fingerprint(const struct dyno_weights *weights, uint32_t block_tokens,
                             uint32_t ranks)
{
    const struct dyno_model *model = &weights->model;
    const uint32_t shape[] = {1,
                              model->layers,
                              model->hidden,
                              model->heads,
                              model->kv_heads,
                              model->head_dim,
                              block_tokens,
                              ranks,
                              weights->window};
    uint64_t hash = XXH3_64bits(shape, sizeof shape);

    hash = add_matrix(hash, &weights->embedding);
    for (uint32_t i = 0; i < model->layers; i++) {
        hash = add_matrix(hash, &weights->layers[i].key);
        hash = add_matrix(hash, &weights->layers[i].value);
        hash = add_matrix(hash, &weights->layers[i].output);
    }
    return hash;
}

/* Transfers of one block and of many go through the very links that serve, in turn, from when they
 * are submitted to when they are reaped; medians count.  Their difference is what bytes take.
 *
 * As in a run, where passes lie between them, each follows a pause: the thread that copies sleeps,
 * and so does whoever waits for it, and caches hold something else. */
#include "cli/machine/calibrate_copies.h"

#include <unistd.h>

#include "backends/cpu/kv_links.h"
#include "backends/posix/wall_clock.h"
#include "cli/machine/median.h"

enum { BLOCK_TOKENS = DYNO_COPIES_BLOCK_TOKENS, BLOCKS = DYNO_COPIES_BLOCKS, ROUNDS = 15 };

/* Nothing is under way, so nobody ends it early. */
static dyno_ns rest(struct dyno_clock *clock, dyno_ns pause_ns)
{
    dyno_ns due = dyno_wall_clock_now(clock) + pause_ns, now;

    do {
        now = clock->ops->wait_until(clock, due);
    } while (now < due);
    return now;
}

static dyno_status move(struct dyno_links *links, struct dyno_clock *clock, dyno_ns pause_ns,
                        const struct dyno_transfer *transfer, double *ns)
{
    dyno_ns began = rest(clock, pause_ns), now = began;
    struct dyno_arrival arrival;

    DYNO_TRY(links->ops->submit(links, now, transfer));
    while (!links->ops->reap(links, now, &arrival)) {
        now = clock->ops->wait_until(clock, DYNO_NEVER);
    }
    *ns = (double)(now - began);
    return DYNO_OK;
}

dyno_status dyno_copies_time(struct dyno_links *links, const struct dyno_copies_pace *pace,
                             uint32_t from, uint64_t block_bytes, double *byte_ns,
                             double *transfer_ns)
{
    double one[ROUNDS], many[ROUNDS], each, least;
    struct dyno_block_name names[BLOCKS];
    uint32_t blocks[BLOCKS];
    struct dyno_transfer transfer = {.from = from,
                                     .to = 1 - from,
                                     .block_bytes = block_bytes,
                                     .from_blocks = blocks,
                                     .to_blocks = blocks,
                                     .names = names};

    for (uint32_t i = 0; i < BLOCKS; i++) {
        blocks[i] = i;
        names[i] = (struct dyno_block_name){.span = 1, .index = i, .depth = i};
    }
    for (uint32_t i = 0; i < ROUNDS; i++) {
        transfer.blocks = 1;
        DYNO_TRY(move(links, pace->clock, pace->pause_ns, &transfer, &one[i]));
        transfer.blocks = BLOCKS;
        DYNO_TRY(move(links, pace->clock, pace->pause_ns, &transfer, &many[i]));
    }
    least = dyno_median(one, ROUNDS);
    each = (dyno_median(many, ROUNDS) - least) / (BLOCKS - 1) / (double)block_bytes;
    *byte_ns = each > 1e-6 ? each : 1e-6;
    *transfer_ns = least - *byte_ns * (double)block_bytes;
    *transfer_ns = *transfer_ns > 0.0 ? *transfer_ns : 0.0;
    return DYNO_OK;
}

dyno_status dyno_copies_measure(struct dyno_machine *out, const struct dyno_model *model,
                                const struct dyno_copies_pace *pace, struct dyno_error *error)
{
    struct dyno_kv_storage *storages[2] = {NULL, NULL};
    struct dyno_links *links = NULL;
    dyno_status status = DYNO_OK;

    for (uint32_t i = 0; i < 2 && status == DYNO_OK; i++) {
        status = dyno_kv_storage_open(&storages[i], model, BLOCKS, BLOCK_TOKENS, DYNO_ELEMENT_F32,
                                      error);
        if (status == DYNO_OK) {
            dyno_kv_storage_touch(storages[i]);
        }
    }
    if (status == DYNO_OK) {
        status = dyno_cpu_links_open(&links,
                                     &(struct dyno_cpu_links_config){.storages = storages,
                                                                     .endpoint_count = 2,
                                                                     .ranks = 1,
                                                                     .now = dyno_wall_clock_now,
                                                                     .wake = dyno_wall_clock_wake,
                                                                     .clock = pace->clock},
                                     error);
    }
    if (status == DYNO_OK) {
        status = dyno_copies_time(links, pace, 0, dyno_kv_storage_block_bytes(storages[0]),
                                  &out->copy_byte_ns, &out->copy_ns);
        links->ops->close(links);
    }
    dyno_kv_storage_close(storages[0]);
    dyno_kv_storage_close(storages[1]);
    return status;
}

static dyno_status time_disk(struct dyno_machine *out, struct dyno_kv_storage *storage,
                             struct dyno_kv_file *file, const struct dyno_copies_pace *pace,
                             struct dyno_error *error)
{
    struct dyno_kv_storage *const storages[2] = {storage, NULL};
    struct dyno_kv_file *const files[2] = {NULL, file};
    uint64_t bytes = dyno_kv_storage_block_bytes(storage);
    struct dyno_links *links;
    dyno_status status;

    DYNO_TRY(dyno_cpu_links_open(&links,
                                 &(struct dyno_cpu_links_config){.storages = storages,
                                                                 .files = files,
                                                                 .endpoint_count = 2,
                                                                 .ranks = 1,
                                                                 .now = dyno_wall_clock_now,
                                                                 .wake = dyno_wall_clock_wake,
                                                                 .clock = pace->clock},
                                 error));
    status = dyno_copies_time(links, pace, 0, bytes, &out->disk_write_byte_ns, &out->disk_write_ns);
    if (status == DYNO_OK) {
        status =
            dyno_copies_time(links, pace, 1, bytes, &out->disk_read_byte_ns, &out->disk_read_ns);
    }
    links->ops->close(links);
    return status;
}

dyno_status dyno_disk_measure(struct dyno_machine *out, const struct dyno_model *model,
                              const char *path, const struct dyno_copies_pace *pace,
                              struct dyno_error *error)
{
    bool is_new = path && access(path, F_OK) != 0;
    struct dyno_kv_storage *storage;
    struct dyno_kv_file *file;
    dyno_status status;

    DYNO_TRY(dyno_kv_storage_open(&storage, model, BLOCKS, BLOCK_TOKENS, DYNO_ELEMENT_F32, error));
    dyno_kv_storage_touch(storage);
    status = dyno_kv_file_open(
        &file,
        &(struct dyno_kv_file_config){
            .path = path, .blocks = BLOCKS, .block_bytes = dyno_kv_storage_block_bytes(storage)},
        error);
    if (status == DYNO_OK) {
        if (is_new) { /* it was for measuring, and no tier would take it */
            (void)unlink(path);
        }
        status = time_disk(out, storage, file, pace, error);
        dyno_kv_file_close(file);
    }
    dyno_kv_storage_close(storage);
    return status;
}

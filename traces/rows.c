/* What all tellers of rows share: skipping bad ones, and counting. */
#include "traces/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static dyno_status keep_text(struct dyno_rows *rows, struct dyno_error *error)
{
    char *text;

    if (rows->skipped_count == DYNO_SKIPPED_TEXTS_MAX) {
        return DYNO_OK;
    }
    text = strdup(error->text);
    if (!text) {
        return dyno_fail(error, DYNO_NO_MEMORY, "%s: no memory to note a skipped line", rows->name);
    }
    rows->skipped[rows->skipped_count++] = text;
    return DYNO_OK;
}

dyno_status dyno_rows_skip_torn(struct dyno_rows *rows, struct dyno_error *error)
{
    size_t used = strlen(error->text);

    if (error->status != DYNO_BAD_INPUT) {
        return error->status;
    }
    (void)snprintf(error->text + used, sizeof error->text - used,
                   " (the recording was cut off here)");
    rows->counts.recorded_torn++;
    return keep_text(rows, error);
}

dyno_status dyno_rows_reject(struct dyno_rows *rows, struct dyno_error *error)
{
    if (error->status != DYNO_BAD_INPUT) {
        return error->status;
    }
    if (rows->counts.lines_skipped >= rows->skip_max) {
        size_t used = strlen(error->text);

        if (rows->skip_max > 0) {
            (void)snprintf(error->text + used, sizeof error->text - used,
                           " (%" PRIu64 " bad lines were skipped before it, as many as allowed)",
                           rows->skip_max);
        }
        return DYNO_BAD_INPUT;
    }
    rows->counts.lines_skipped++;
    return keep_text(rows, error);
}

/* Note `blocks` blocks under an identity and return how many of them were known. */
static dyno_status note_identity(struct dyno_rows *rows, uint64_t id, uint32_t blocks,
                                 uint32_t *known, struct dyno_error *error)
{
    uint32_t *most = dyno_map_find(&rows->seen, id);

    *known = most ? *most : 0;
    if (!most && rows->seen.count >= DYNO_BOUND_IDS_MAX) {
        rows->counts.block_bound_cut = true;
        dyno_map_release(&rows->seen);
        return DYNO_OK;
    }
    if (!most && !(most = dyno_map_put(&rows->seen, id, 0, NULL))) {
        return dyno_fail(error, DYNO_NO_MEMORY, "%s: no memory to remember identities", rows->name);
    }
    if (blocks > *known) {
        rows->counts.block_refs_distinct += blocks - *known;
        *most = blocks;
    }
    *known = *known < blocks ? *known : blocks;
    return DYNO_OK;
}

static dyno_status count_identities(struct dyno_rows *rows, const struct dyno_row *row,
                                    struct dyno_error *error)
{
    bool all_known = true;
    uint32_t blocks_before = 0;

    for (uint32_t i = 0; i < row->segment_count && !rows->counts.block_bound_cut; i++) {
        uint32_t end = rows->block_tokens ? row->segments[i].end / rows->block_tokens : i + 1;
        uint32_t blocks = end - blocks_before, known;

        if (blocks == 0) {
            continue;
        }
        DYNO_TRY(note_identity(rows, row->segments[i].id, blocks, &known, error));
        rows->counts.block_refs_seen += all_known ? known : 0;
        all_known = all_known && known == blocks;
        blocks_before = end;
    }
    return DYNO_OK;
}

dyno_status dyno_rows_count(struct dyno_rows *rows, const struct dyno_row *row,
                            struct dyno_error *error)
{
    if (row->is_counted) {
        return DYNO_OK;
    }
    rows->counts.requests++;
    rows->counts.input_tokens += row->input_tokens;
    rows->counts.output_tokens += row->output_tokens;
    rows->counts.block_refs += row->block_refs;
    return count_identities(rows, row, error);
}

void dyno_rows_close(struct dyno_rows *rows)
{
    if (!rows) {
        return;
    }
    for (size_t i = 0; i < rows->skipped_count; i++) {
        free(rows->skipped[i]);
    }
    rows->skipped_count = 0;
    dyno_map_release(&rows->seen);
    rows->ops->close(rows);
}

#include "cli/assembly/journal_head.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/units.h"
#include "core/base/words.h"

/* The numbers beside the options, by name. */
enum number {
    BLOCKS,
    CONTEXT_MAX,
    STEPS_MAX,
    ASYNC,
    INGEST,
    INGEST_TOKEN,
    RESPONSE,
    STORES,
    REAL,
    CANCELS,
    STARTS, /* older journals do not have these */
    START_TIME,
    PREDICTS,
    BLOCK_BYTES,
    LAYERS,
};

static const char *const number_names[] = {
    [BLOCKS] = "worker blocks",        [CONTEXT_MAX] = "worker context_max",
    [STEPS_MAX] = "worker steps_max",  [ASYNC] = "worker async_scheduling",
    [INGEST] = "worker ingest_ns",     [INGEST_TOKEN] = "worker ingest_token_ticks",
    [RESPONSE] = "worker response_ns", [STORES] = "device stores_kv",
    [REAL] = "device is_real",         [CANCELS] = "source cancels",
    [STARTS] = "workers start",        [START_TIME] = "worker start_ns",
    [PREDICTS] = "device predicts",    [BLOCK_BYTES] = "worker block_bytes",
    [LAYERS] = "worker layers",
};

enum { NUMBERS = sizeof number_names / sizeof number_names[0] };

static const char title_name[] = "title";

static void numbers_of(const struct dyno_journal_head *head, uint64_t numbers[NUMBERS])
{
    numbers[BLOCKS] = head->worker.blocks;
    numbers[CONTEXT_MAX] = head->worker.context_max;
    numbers[STEPS_MAX] = head->worker.steps_max;
    numbers[ASYNC] = head->worker.async_scheduling;
    numbers[INGEST] = head->worker.ingest_ns;
    numbers[INGEST_TOKEN] = head->worker.ingest_token_ticks;
    numbers[RESPONSE] = head->worker.response_ns;
    numbers[STORES] = head->device.stores_kv;
    numbers[REAL] = head->device.is_real;
    numbers[CANCELS] = head->cancels;
    numbers[STARTS] = head->starts;
    numbers[START_TIME] = head->start_ns;
    numbers[PREDICTS] = head->device.predicts;
    numbers[BLOCK_BYTES] = head->block_bytes;
    numbers[LAYERS] = head->layers;
}

static void take_numbers(struct dyno_journal_head *head, const uint64_t numbers[NUMBERS])
{
    head->worker.blocks = (uint32_t)numbers[BLOCKS];
    head->worker.context_max = (uint32_t)numbers[CONTEXT_MAX];
    head->worker.steps_max = (uint32_t)numbers[STEPS_MAX];
    head->worker.async_scheduling = numbers[ASYNC] != 0;
    head->worker.ingest_ns = numbers[INGEST];
    head->worker.ingest_token_ticks = numbers[INGEST_TOKEN];
    head->worker.response_ns = numbers[RESPONSE];
    head->device.stores_kv = numbers[STORES] != 0;
    head->device.is_real = numbers[REAL] != 0;
    head->device.predicts = numbers[PREDICTS] != 0;
    head->block_bytes = numbers[BLOCK_BYTES];
    head->layers = (uint32_t)numbers[LAYERS];
    head->cancels = numbers[CANCELS] != 0;
    head->starts = numbers[STARTS] != 0;
    head->start_ns = numbers[START_TIME];
}

void dyno_journal_head_write(struct dyno_journal *journal, const struct dyno_options *options,
                             const struct dyno_journal_head *head)
{
    uint64_t numbers[NUMBERS];
    char text[DYNO_OPTION_TEXT_MAX];

    numbers_of(head, numbers);
    dyno_journal_put(journal, title_name, head->title);
    for (size_t i = 0; i < NUMBERS; i++) {
        (void)snprintf(text, sizeof text, "%" PRIu64, numbers[i]);
        dyno_journal_put(journal, number_names[i], text);
    }
    for (uint32_t i = 0; i < options->count; i++) {
        const struct dyno_option *row = &options->rows[i];

        if (!dyno_options_is_initial(options, row)) {
            dyno_journal_put(journal, row->name, dyno_options_print(options, row, text));
        }
    }
    dyno_journal_put(journal, "", "");
}

/* Whether `name` was one of the numbers. */
static bool take_number(uint64_t numbers[NUMBERS], bool seen[NUMBERS], const char *name,
                        const char *value)
{
    for (size_t i = 0; i < NUMBERS; i++) {
        if (strcmp(name, number_names[i]) == 0) {
            seen[i] = dyno_parse_u64(value, &numbers[i]) == DYNO_UNITS_OK;
            return true;
        }
    }
    return false;
}

static dyno_status take_option(struct dyno_options *options, const char *name, const char *value,
                               struct dyno_error *error)
{
    static const struct dyno_option_origin origin = {.source = DYNO_SOURCE_FILE,
                                                     .where = "journal"};
    const struct dyno_option *row = dyno_options_find(options, name);
    char quoted[DYNO_QUOTE_MAX];

    if (!row) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the journal has an option %s that this dyno does not know",
                         dyno_quote(quoted, name));
    }
    return dyno_options_set(options, row, value, &origin, error);
}

dyno_status dyno_journal_head_read(struct dyno_journal *journal, struct dyno_options *options,
                                   struct dyno_journal_head *head, struct dyno_error *error)
{
    uint64_t numbers[NUMBERS] = {0};
    bool seen[NUMBERS] = {false};

    for (;;) {
        const char *name, *value;

        DYNO_TRY(dyno_journal_get(journal, &name, &value, error));
        if (name[0] == '\0') {
            break;
        }
        if (strcmp(name, title_name) == 0) {
            (void)snprintf(head->title, sizeof head->title, "%.*s", DYNO_JOURNAL_TITLE_MAX - 1,
                           value);
        } else if (!take_number(numbers, seen, name, value)) {
            DYNO_TRY(take_option(options, name, value, error));
        }
    }
    for (size_t i = 0; i < STARTS; i++) {
        if (!seen[i]) {
            return dyno_fail(error, DYNO_BAD_INPUT, "the journal does not say '%s'",
                             number_names[i]);
        }
    }
    take_numbers(head, numbers);
    return DYNO_OK;
}

/* The file: a magic line with the version (2 added priorities), pairs of texts, then events, each a
 * byte and whole numbers of seven bits a byte, least significant first. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/journal/journal_parts.h"

static const char magic[] = "dyno journal 2\n";

enum { VERSION_PLACE = sizeof magic - 3, VERSION_FIRST = '1' };

static const char *const event_names[EVENT_KINDS] = {
    [EVENT_END] = "the end",
    [EVENT_WAIT] = "a wait",
    [EVENT_SOURCE_NEXT] = "asking when the next request comes",
    [EVENT_SOURCE_TAKE] = "taking a request",
    [EVENT_SOURCE_ENDED] = "the end of a request",
    [EVENT_SOURCE_FINISHED] = "asking whether the source is finished",
    [EVENT_OPEN] = "opening a sequence",
    [EVENT_SHUT] = "closing a sequence",
    [EVENT_SUBMIT] = "submitting a pass",
    [EVENT_STOP] = "stopping a pass",
    [EVENT_PROGRESS] = "asking how far a pass is",
    [EVENT_STEP_START] = "asking when a step started",
    [EVENT_REAP] = "reaping a pass",
    [EVENT_DEVICE_NEXT] = "asking when a pass ends",
    [EVENT_QUIESCE] = "waiting for all passes",
    [EVENT_SOURCE_CANCELLED] = "asking who gave up",
    [EVENT_FAULT_NEXT] = "asking when something goes wrong",
    [EVENT_FAULT_TAKE] = "what goes wrong",
    [EVENT_START] = "starting a worker",
    [EVENT_START_LOOK] = "asking whether a worker has started",
    [EVENT_START_STOP] = "stopping a worker",
    [EVENT_DROP] = "dropping a pass",
    [EVENT_BEHIND] = "something of the workers behind",
    [EVENT_JOIN] = "a sequence that goes on here",
    [EVENT_PREDICT] = "asking what a pass would take",
    [EVENT_LINK_SUBMIT] = "sending blocks",
    [EVENT_LINK_REAP] = "reaping blocks that arrived",
    [EVENT_LINK_DROP] = "dropping blocks on their way",
    [EVENT_LINK_PREDICT] = "asking what a transfer would take",
    [EVENT_LINK_NEXT] = "asking when blocks arrive",
};

static void fail(struct dyno_journal *journal, dyno_status status, const char *what)
{
    if (journal->failure.status == DYNO_OK) {
        (void)dyno_fail(&journal->failure, status, "%s: event %llu: %s", journal->path,
                        (unsigned long long)journal->counts.events, what);
        journal->failure.status = status;
    }
    journal->interrupted = 1;
}

void dyno_journal_differs(struct dyno_journal *journal, enum dyno_event event, const char *what)
{
    char text[256];

    (void)snprintf(text, sizeof text, "the core went another way at %s: %s", event_names[event],
                   what);
    fail(journal, DYNO_BAD_INPUT, text);
}

static int read_byte(struct dyno_journal *journal)
{
    int byte = getc(journal->file);

    if (byte == EOF) {
        fail(journal, DYNO_BAD_INPUT, "the file ends in the middle of a run");
    }
    return byte;
}

bool dyno_journal_event(struct dyno_journal *journal, enum dyno_event event)
{
    char text[128];
    int was;

    if (journal->failure.status != DYNO_OK) {
        return false;
    }
    journal->counts.events++;
    if (journal->writes) {
        (void)putc((int)event, journal->file);
        return true;
    }
    was = read_byte(journal);
    if (was != EOF && was != (int)event) {
        (void)snprintf(text, sizeof text, "in the journal comes %s",
                       was < EVENT_KINDS ? event_names[was] : "something unknown");
        dyno_journal_differs(journal, event, text);
    }
    return journal->failure.status == DYNO_OK;
}

static void write_number(const struct dyno_journal *journal, uint64_t value)
{
    while (value >= 0x80) {
        (void)putc((int)(value & 0x7f) | 0x80, journal->file);
        value >>= 7;
    }
    (void)putc((int)value, journal->file);
}

static uint64_t read_number(struct dyno_journal *journal)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        int byte = read_byte(journal);

        if (byte == EOF) {
            return 0;
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    fail(journal, DYNO_BAD_INPUT, "a number does not end");
    return 0;
}

void dyno_journal_number(struct dyno_journal *journal, uint64_t *value)
{
    if (journal->writes) {
        write_number(journal, *value);
    } else {
        *value = journal->failure.status == DYNO_OK ? read_number(journal) : 0;
    }
}

/* Zigzag: small distances either way are short; DYNO_NEVER is a distance like any other. */
void dyno_journal_time(struct dyno_journal *journal, dyno_ns *value)
{
    uint64_t distance = *value - journal->now;
    uint64_t folded = (distance << 1) ^ (uint64_t) - (int64_t)(distance >> 63);

    dyno_journal_number(journal, &folded);
    if (!journal->writes) {
        distance = (folded >> 1) ^ (uint64_t) - (int64_t)(folded & 1);
        *value = journal->now + distance;
    }
}

void dyno_journal_told(struct dyno_journal *journal, enum dyno_event event, uint64_t value)
{
    uint64_t was = value;

    dyno_journal_number(journal, &was);
    if (!journal->writes && journal->failure.status == DYNO_OK && was != value) {
        dyno_journal_differs(journal, event, "it decided something else");
    }
}

/* ---- the head -------------------------------------------------------------------------------- */

static void put_text(const struct dyno_journal *journal, const char *text)
{
    size_t size = strlen(text);

    write_number(journal, size);
    (void)fwrite(text, 1, size, journal->file);
}

void dyno_journal_put(struct dyno_journal *journal, const char *name, const char *value)
{
    put_text(journal, name);
    put_text(journal, value);
}

static bool get_text(struct dyno_journal *journal, char text[HEAD_TEXT_MAX])
{
    uint64_t size = read_number(journal);

    if (journal->failure.status != DYNO_OK || size >= HEAD_TEXT_MAX ||
        fread(text, 1, size, journal->file) != size) {
        return false;
    }
    text[size] = '\0';
    return true;
}

dyno_status dyno_journal_get(struct dyno_journal *journal, const char **name, const char **value,
                             struct dyno_error *error)
{
    if (!get_text(journal, journal->name) || !get_text(journal, journal->value)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s: its head is cut off or damaged",
                         journal->path);
    }
    *name = journal->name;
    *value = journal->value;
    return DYNO_OK;
}

/* ---- open and close -------------------------------------------------------------------------- */

static dyno_status open_file(struct dyno_journal **out, const char *path, const char *mode,
                             struct dyno_error *error)
{
    struct dyno_journal *journal = calloc(1, sizeof *journal);

    if (!journal || !(journal->path = strdup(path))) {
        free(journal);
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    journal->file = fopen(path, mode);
    if (!journal->file) {
        dyno_status status = errno == ENOENT ? DYNO_NOT_FOUND : DYNO_IO;

        (void)dyno_fail(error, status, "%s: %s", path, strerror(errno));
        free(journal->path);
        free(journal);
        return status;
    }
    *out = journal;
    return DYNO_OK;
}

dyno_status dyno_journal_create(struct dyno_journal **out, const char *path,
                                struct dyno_error *error)
{
    DYNO_TRY(open_file(out, path, "wb", error));
    (*out)->writes = true;
    (void)fwrite(magic, 1, sizeof magic - 1, (*out)->file);
    return DYNO_OK;
}

dyno_status dyno_journal_read(struct dyno_journal **out, const char *path, struct dyno_error *error)
{
    struct dyno_error ignored = {0};
    struct dyno_journal *journal = NULL;
    char start[sizeof magic - 1] = {0};

    DYNO_TRY(open_file(&journal, path, "rb", error));
    assert(journal);
    if (fread(start, 1, sizeof start, journal->file) == sizeof start &&
        start[VERSION_PLACE] == VERSION_FIRST) {
        journal->has_no_priorities = true;
        start[VERSION_PLACE] = magic[VERSION_PLACE];
    }
    if (memcmp(start, magic, sizeof start) != 0) {
        (void)dyno_journal_close(journal, &ignored);
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s is not a journal: `dyno replay --journal FILE` makes one", path);
    }
    *out = journal;
    return DYNO_OK;
}

bool dyno_journal_is_whole(struct dyno_journal *journal)
{
    return dyno_journal_event(journal, EVENT_END);
}

struct dyno_journal_counts dyno_journal_counted(const struct dyno_journal *journal)
{
    return journal->counts;
}

dyno_status dyno_journal_close(struct dyno_journal *journal, struct dyno_error *error)
{
    dyno_status status = DYNO_OK;

    if (!journal) {
        return DYNO_OK;
    }
    if (journal->writes) {
        (void)putc(EVENT_END, journal->file);
    }
    if (journal->failure.status != DYNO_OK) {
        *error = journal->failure;
        status = journal->failure.status;
    }
    if (journal->writes && (ferror(journal->file) != 0 || fflush(journal->file) != 0)) {
        status =
            dyno_fail(error, DYNO_IO, "%s cannot be written: %s", journal->path, strerror(errno));
    }
    (void)fclose(journal->file);
    free(journal->spans);
    for (uint32_t i = 0; i < 2; i++) {
        free(journal->devices[i].boundaries);
        free(journal->devices[i].ended);
        dyno_map_release(&journal->devices[i].in_flight);
        dyno_map_release(&journal->devices[i].open);
    }
    dyno_map_release(&journal->on_way);
    free(journal->path);
    free(journal);
    return status;
}

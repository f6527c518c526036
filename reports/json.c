/* JSON files: a run's summary and its host's facts.
 *
 * The text is made in memory first; a file is written beside its name and renamed over it, so that
 * a reader sees all of it or none.  What exists and is no regular file (a pipe, /dev/stdout, a
 * link) is written in place: a rename would put a file where something else was meant. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/words.h"
#include "reports/reports.h"
#include "reports/summary.h"

/* Twelve digits: a nanosecond shows up to 999,999 ms, and no digit is an artefact of binary. */
#define JSON_STYLE (JSON_INDENT(2) | JSON_REAL_PRECISION(12))

static dyno_status refused(struct dyno_error *error, const char *path, const char *what)
{
    const char *cause = strerror(errno);
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(error, DYNO_IO, "cannot write %s: %s: %s", dyno_quote(quoted, path), what,
                     cause);
}

/* Write all of `text` and a line end, and close; false with errno set otherwise. */
static bool write_all(FILE *file, const char *text)
{
    bool written = fputs(text, file) >= 0 && fputc('\n', file) != EOF && fflush(file) == 0;
    int cause = errno;

    if (fclose(file) != 0 && written) {
        return false;
    }
    errno = cause;
    return written;
}

static dyno_status write_in_place(const char *path, const char *text, struct dyno_error *error)
{
    FILE *file = fopen(path, "w");

    if (!file) {
        return refused(error, path, "it cannot be opened");
    }
    return write_all(file, text) ? DYNO_OK : refused(error, path, "writing failed");
}

static dyno_status write_beside(const char *path, const char *beside, const char *text,
                                struct dyno_error *error)
{
    int descriptor = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    const char *failed = NULL;
    dyno_status status = DYNO_OK;
    FILE *file;

    if (descriptor < 0) {
        return refused(error, path, "no file can be made beside it");
    }
    file = fdopen(descriptor, "w");
    if (!file) {
        close(descriptor);
        failed = "there is no stream for it";
    } else if (!write_all(file, text)) {
        failed = "writing failed";
    } else if (rename(beside, path) != 0) {
        failed = "it cannot be replaced";
    }
    if (failed) {
        status = refused(error, path, failed);
        unlink(beside);
    }
    return status;
}

static dyno_status write_and_rename(const char *path, const char *text, struct dyno_error *error)
{
    char *beside;
    dyno_status status;

    if (asprintf(&beside, "%s.%ld.tmp", path, (long)getpid()) < 0) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory to write the file of numbers");
    }
    status = write_beside(path, beside, text, error);
    free(beside);
    return status;
}

static dyno_status write_text(const char *path, const char *text, struct dyno_error *error)
{
    struct stat there;

    if (strcmp(path, "-") == 0) {
        if (fputs(text, stdout) < 0 || fputc('\n', stdout) == EOF || fflush(stdout) != 0) {
            return refused(error, path, "standard output is closed or full");
        }
        return DYNO_OK;
    }
    if (lstat(path, &there) == 0 && !S_ISREG(there.st_mode)) {
        return write_in_place(path, text, error);
    }
    return write_and_rename(path, text, error);
}

/* Takes `root`, which may be NULL when memory ran out on the way. */
static dyno_status write_json(json_t *root, const char *path, struct dyno_error *error)
{
    char *text = root ? json_dumps(root, JSON_STYLE) : NULL;
    dyno_status status = DYNO_NO_MEMORY;

    if (text) {
        status = write_text(path, text, error);
    } else {
        dyno_fail(error, DYNO_NO_MEMORY, "no memory to write the file of numbers");
    }
    free(text);
    json_decref(root);
    return status;
}

/* JSON knows no infinity and no NaN. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *value_of(const struct dyno_summary_row *row)
{
    switch (row->kind) {
    case DYNO_SUMMARY_COUNT:
        return json_integer((json_int_t)row->count);
    case DYNO_SUMMARY_REAL:
        return number(row->real);
    case DYNO_SUMMARY_UNKNOWN:
        break;
    }
    return json_null();
}

/* The object called by the first `length` letters of `key`, made if need be.  NULL: no memory. */
static json_t *object_in(json_t *parent, const char *key, size_t length)
{
    char name[DYNO_SUMMARY_NAME_MAX];
    json_t *object;

    memcpy(name, key, length);
    name[length] = '\0';
    object = json_object_get(parent, name);
    if (!object && json_object_set_new(parent, name, json_object()) == 0) {
        object = json_object_get(parent, name);
    }
    return object;
}

/* Put a row where its name says: "a.b.c" is key c of object b of object a. */
static bool put_row(json_t *root, const struct dyno_summary_row *row)
{
    const char *key = row->name;
    const char *dot;

    while ((dot = strchr(key, '.')) != NULL) {
        root = object_in(root, key, (size_t)(dot - key));
        if (!root) {
            return false;
        }
        key = dot + 1;
    }
    return json_object_set_new(root, key, value_of(row)) == 0;
}

static json_t *nest(const struct dyno_summary *summary)
{
    json_t *root = json_object();

    for (uint32_t i = 0; root && i < summary->row_count; i++) {
        if (!put_row(root, &summary->rows[i])) {
            json_decref(root);
            root = NULL;
        }
    }
    return root;
}

/* [{"why": …, "count": …}]; NULL: no memory. */
static json_t *list_failures(const struct dyno_client_report *client)
{
    json_t *list = json_array();

    for (uint32_t i = 0; list && i < client->failure_count; i++) {
        json_t *item = json_pack("{s:s, s:I}", "why", client->failures[i].why, "count",
                                 (json_int_t)client->failures[i].count);

        if (json_array_append_new(list, item) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

/* What is no number: why requests to a server failed. */
static json_t *add_failures(json_t *root, const struct dyno_report *report)
{
    if (root && report->client &&
        json_object_set_new(json_object_get(root, "client"), "failures",
                            list_failures(report->client)) != 0) {
        json_decref(root);
        return NULL;
    }
    return root;
}

dyno_status dyno_report_json(const struct dyno_report *report, const char *path,
                             struct dyno_error *error)
{
    struct dyno_summary summary;

    dyno_summary_fill(&summary, report);
    return write_json(add_failures(nest(&summary), report), path, error);
}

dyno_status dyno_host_json(const struct dyno_host_facts *facts, const char *path,
                           struct dyno_error *error)
{
    json_t *root = json_pack("{s:o, s:o, s:I}", "wall_s", number(facts->wall_s),
                             "requests_per_wall_s", number(facts->requests_per_wall_s),
                             "peak_rss_bytes", (json_int_t)facts->peak_rss_bytes);

    return write_json(root, path, error);
}

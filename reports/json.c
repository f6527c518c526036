/* JSON files: a run's summary and its host's facts. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reports/json_file.h"
#include "reports/reports.h"
#include "reports/summary.h"
#include "reports/text_file.h"

/* Twelve digits: a nanosecond shows up to 999,999 ms, and no digit is an artefact of binary. */
#define JSON_STYLE (JSON_INDENT(2) | JSON_REAL_PRECISION(12))

dyno_status dyno_json_file_write(json_t *root, const char *path, struct dyno_error *error)
{
    char *text = root ? json_dumps(root, JSON_STYLE) : NULL;
    dyno_status status = DYNO_NO_MEMORY;

    if (text) {
        status = dyno_text_write(path, text, error);
    } else {
        dyno_fail(error, DYNO_NO_MEMORY, "no memory to write the file of numbers");
    }
    free(text);
    json_decref(root);
    return status;
}

/* JSON knows no infinity and no NaN. */
json_t *dyno_json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *value_of(const struct dyno_summary_row *row)
{
    switch (row->kind) {
    case DYNO_SUMMARY_COUNT:
        return json_integer((json_int_t)row->count);
    case DYNO_SUMMARY_REAL:
        return dyno_json_number(row->real);
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

/* What is no number: which link was fullest. */
static json_t *add_link_name(json_t *root, const struct dyno_report *report)
{
    const struct dyno_link_report *link = report->links ? dyno_fullest_link(report->links) : NULL;

    if (root && link &&
        json_object_set_new(json_object_get(json_object_get(root, "links"), "fullest"), "name",
                            json_string(link->name)) != 0) {
        json_decref(root);
        return NULL;
    }
    return root;
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

/* kv.tiers is a list, fastest first: each member with its name. */
static json_t *list_tiers(json_t *root)
{
    json_t *kv = json_object_get(root, "kv"), *tiers = json_object_get(kv, "tiers"), *list, *tier;
    const char *name;

    if (!tiers) {
        return root;
    }
    list = json_array();
    json_object_foreach(tiers, name, tier)
    {
        json_t *item = json_pack("{s:s}", "tier", name);

        if (json_object_update(item, tier) != 0 || json_array_append_new(list, item) != 0) {
            json_decref(list);
            list = NULL;
            break;
        }
    }
    if (json_object_set_new(kv, "tiers", list) != 0) {
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
    return dyno_json_file_write(
        list_tiers(add_link_name(add_failures(nest(&summary), report), report)), path, error);
}

dyno_status dyno_host_json(const struct dyno_host_facts *facts, const char *path,
                           struct dyno_error *error)
{
    json_t *root = json_pack("{s:o, s:o, s:I}", "wall_s", dyno_json_number(facts->wall_s),
                             "requests_per_wall_s", dyno_json_number(facts->requests_per_wall_s),
                             "peak_rss_bytes", (json_int_t)facts->peak_rss_bytes);

    return dyno_json_file_write(root, path, error);
}

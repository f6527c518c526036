#include "cli/scenario/machine_file.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char rows_key[] = "rows_ns", yields_key[] = "yields_ns", idle_key[] = "idle_ns",
                  behind_key[] = "behind_ns", kv_key[] = "kv_tokens",
                  copy_byte_key[] = "copy_byte_ns", copy_key[] = "copy_ns",
                  disk_write_byte_key[] = "disk_write_byte_ns", disk_write_key[] = "disk_write_ns",
                  disk_read_byte_key[] = "disk_read_byte_ns", disk_read_key[] = "disk_read_ns",
                  far_byte_key[] = "far_byte_ns", far_key[] = "far_ns",
                  far_pass_key[] = "far_pass_ns", start_byte_key[] = "start_byte_ns",
                  start_key[] = "start_ns", ranks_key[] = "tp", sent_key[] = "sent_ns",
                  sent_after_pause_key[] = "sent_after_pause_ns",
                  context_far_key[] = "context_far_ns", context_near_key[] = "context_near";

/* ---- reading --------------------------------------------------------------------------------- */

static dyno_status refuse(const char *path, const char *key, const char *expected,
                          struct dyno_error *error)
{
    return dyno_fail(error, DYNO_BAD_INPUT, "%s: %s: expected %s", path, key, expected);
}

static dyno_status read_text(const json_t *root, const char *path, const char *key, char *out,
                             size_t size, struct dyno_error *error)
{
    const char *text = json_string_value(json_object_get(root, key));

    if (!text || text[0] == '\0' || strlen(text) >= size) {
        return refuse(path, key, "a short text", error);
    }
    (void)snprintf(out, size, "%s", text);
    return DYNO_OK;
}

static dyno_status read_number(const json_t *root, const char *path, const char *key, double *out,
                               struct dyno_error *error)
{
    const json_t *value = json_object_get(root, key);

    if (!json_is_number(value)) {
        return refuse(path, key, "a number", error);
    }
    *out = json_number_value(value);
    return DYNO_OK;
}

static dyno_status read_curve(const json_t *root, const char *path, const char *key,
                              struct dyno_machine_curve *out, struct dyno_error *error)
{
    const json_t *points = json_object_get(root, key);
    size_t count = json_array_size(points);

    if (!json_is_array(points) || count == 0 || count > DYNO_MACHINE_POINTS_MAX) {
        return refuse(path, key, "1 to 32 pairs [count, nanoseconds]", error);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *point = json_array_get(points, i);
        const json_t *at = json_array_get(point, 0), *ns = json_array_get(point, 1);

        if (json_array_size(point) != 2 || !json_is_integer(at) || !json_is_number(ns) ||
            json_integer_value(at) < 1 || json_integer_value(at) > INT32_MAX) {
            return refuse(path, key, "pairs [count, nanoseconds]", error);
        }
        out->at[i] = (uint32_t)json_integer_value(at);
        out->ns[i] = json_number_value(ns);
    }
    out->count = (uint32_t)count;
    return DYNO_OK;
}

/* What was not measured is not there. */
static dyno_status read_moves(const json_t *root, const char *path, struct dyno_machine *out,
                              struct dyno_error *error)
{
    if (json_object_get(root, copy_byte_key)) {
        DYNO_TRY(read_number(root, path, copy_byte_key, &out->copy_byte_ns, error));
        DYNO_TRY(read_number(root, path, copy_key, &out->copy_ns, error));
    }
    if (json_object_get(root, sent_key)) {
        DYNO_TRY(read_number(root, path, sent_key, &out->sent_ns, error));
        DYNO_TRY(read_number(root, path, sent_after_pause_key, &out->sent_after_pause_ns, error));
    }
    if (json_object_get(root, disk_write_byte_key)) {
        DYNO_TRY(read_number(root, path, disk_write_byte_key, &out->disk_write_byte_ns, error));
        DYNO_TRY(read_number(root, path, disk_write_key, &out->disk_write_ns, error));
        DYNO_TRY(read_number(root, path, disk_read_byte_key, &out->disk_read_byte_ns, error));
        DYNO_TRY(read_number(root, path, disk_read_key, &out->disk_read_ns, error));
    }
    if (json_object_get(root, far_byte_key)) {
        DYNO_TRY(read_number(root, path, far_byte_key, &out->far_byte_ns, error));
        DYNO_TRY(read_number(root, path, far_key, &out->far_ns, error));
        DYNO_TRY(read_number(root, path, far_pass_key, &out->far_pass_ns, error));
    }
    return DYNO_OK;
}

static dyno_status read_far_context(const json_t *root, const char *path, struct dyno_machine *out,
                                    struct dyno_error *error)
{
    double near = 0.0;

    if (!json_object_get(root, context_near_key)) {
        return DYNO_OK;
    }
    DYNO_TRY(read_number(root, path, context_near_key, &near, error));
    if (!(near >= 1.0 && near <= INT32_MAX)) {
        return refuse(path, context_near_key, "a whole number from 1", error);
    }
    out->context_near = (uint32_t)near;
    return read_number(root, path, context_far_key, &out->context_far_ns, error);
}

static dyno_status read_root(const json_t *root, const char *path, struct dyno_machine *out,
                             struct dyno_error *error)
{
    struct dyno_error why = {0};
    double threads = 0.0, kv_tokens = 0.0, ranks = 1.0;

    if (json_integer_value(json_object_get(root, "dyno_machine")) != 1) {
        return refuse(path, "dyno_machine", "1 (a file that `dyno calibrate` wrote)", error);
    }
    DYNO_TRY(read_text(root, path, "model", out->model, sizeof out->model, error));
    DYNO_TRY(read_text(root, path, "device", out->device, sizeof out->device, error));
    if (strcmp(out->device, "cpu") != 0 && strcmp(out->device, "cuda") != 0) {
        return refuse(path, "device", "cpu or cuda", error);
    }
    DYNO_TRY(read_number(root, path, "threads", &threads, error));
    if (!(threads >= 1.0 && threads <= 1e6)) {
        return refuse(path, "threads", "a whole number from 1", error);
    }
    out->threads = (uint32_t)threads;
    if (json_object_get(root, ranks_key)) {
        DYNO_TRY(read_number(root, path, ranks_key, &ranks, error));
        if (!(ranks >= 1.0 && ranks <= 1024.0)) {
            return refuse(path, ranks_key, "a whole number from 1 to 1024", error);
        }
    }
    out->ranks = (uint32_t)ranks;
    if (json_object_get(root, kv_key)) {
        DYNO_TRY(read_number(root, path, kv_key, &kv_tokens, error));
        if (!(kv_tokens >= 1.0 && kv_tokens <= INT32_MAX)) {
            return refuse(path, kv_key, "a whole number from 1", error);
        }
        out->kv_tokens = (uint32_t)kv_tokens;
    }
    DYNO_TRY(read_curve(root, path, rows_key, &out->rows, error));
    DYNO_TRY(read_curve(root, path, yields_key, &out->yields, error));
    if (json_object_get(root, idle_key)) {
        DYNO_TRY(read_curve(root, path, idle_key, &out->idle, error));
    }
    if (json_object_get(root, behind_key)) {
        DYNO_TRY(read_curve(root, path, behind_key, &out->behind, error));
    }
    DYNO_TRY(read_number(root, path, "pair_ns", &out->pair_ns, error));
    DYNO_TRY(read_number(root, path, "context_ns", &out->context_ns, error));
    DYNO_TRY(read_number(root, path, "pass_ns", &out->pass_ns, error));
    DYNO_TRY(read_far_context(root, path, out, error));
    DYNO_TRY(read_moves(root, path, out, error));
    if (json_object_get(root, start_key)) {
        DYNO_TRY(read_number(root, path, start_byte_key, &out->start_byte_ns, error));
        DYNO_TRY(read_number(root, path, start_key, &out->start_ns, error));
    }
    if (dyno_machine_check(out, &why) != DYNO_OK) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s: %s", path, why.text);
    }
    return DYNO_OK;
}

dyno_status dyno_machine_read(struct dyno_machine *out, const char *path, struct dyno_error *error)
{
    struct dyno_machine machine = {.threads = 0};
    FILE *file = fopen(path, "rb");
    json_error_t where;
    json_t *root;
    dyno_status status;

    if (!file) {
        return dyno_fail(error, errno == ENOENT ? DYNO_NOT_FOUND : DYNO_IO,
                         "the machine %s cannot be read: %s; `dyno calibrate -o FILE` measures one",
                         path, strerror(errno));
    }
    root = json_loadf(file, JSON_REJECT_DUPLICATES, &where);
    (void)fclose(file);
    if (!root) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s:%d:%d: %s", path, where.line, where.column,
                         where.text);
    }
    status = read_root(root, path, &machine, error);
    json_decref(root);
    if (status == DYNO_OK) {
        *out = machine;
    }
    return status;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void write_curve(FILE *file, const char *key, const struct dyno_machine_curve *curve)
{
    (void)fprintf(file, "  \"%s\": [", key);
    for (uint32_t i = 0; i < curve->count; i++) {
        (void)fprintf(file, "%s[%u, %.0f]", i > 0 ? ", " : "", curve->at[i], curve->ns[i]);
    }
    (void)fputs("],\n", file);
}

/* A name as a JSON text. */
static void write_text(FILE *file, const char *key, const char *text)
{
    json_t *value = json_string(text);
    char *quoted = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;

    (void)fprintf(file, "  \"%s\": %s,\n", key, quoted ? quoted : "\"\"");
    free(quoted);
    json_decref(value);
}

dyno_status dyno_machine_write(const struct dyno_machine *machine, const char *path,
                               struct dyno_error *error)
{
    FILE *file = fopen(path, "wb");

    if (!file) {
        return dyno_fail(error, DYNO_IO, "%s: %s", path, strerror(errno));
    }
    (void)fputs("{\n  \"dyno_machine\": 1,\n", file);
    write_text(file, "device", machine->device);
    write_text(file, "model", machine->model);
    (void)fprintf(file, "  \"threads\": %u,\n", machine->threads);
    if (machine->ranks > 1) {
        (void)fprintf(file, "  \"%s\": %u,\n", ranks_key, machine->ranks);
    }
    if (machine->kv_tokens > 0) {
        (void)fprintf(file, "  \"%s\": %u,\n", kv_key, machine->kv_tokens);
    }
    write_curve(file, rows_key, &machine->rows);
    write_curve(file, yields_key, &machine->yields);
    if (machine->idle.count > 0) {
        write_curve(file, idle_key, &machine->idle);
    }
    if (machine->behind.count > 0) {
        write_curve(file, behind_key, &machine->behind);
    }
    if (machine->copy_byte_ns > 0.0) {
        (void)fprintf(file, "  \"%s\": %.6g,\n  \"%s\": %.6g,\n", copy_byte_key,
                      machine->copy_byte_ns, copy_key, machine->copy_ns);
    }
    if (machine->sent_ns > 0.0) {
        (void)fprintf(file, "  \"%s\": %.6g,\n  \"%s\": %.6g,\n", sent_key, machine->sent_ns,
                      sent_after_pause_key, machine->sent_after_pause_ns);
    }
    if (machine->disk_write_byte_ns > 0.0) {
        (void)fprintf(file, "  \"%s\": %.6g,\n  \"%s\": %.6g,\n  \"%s\": %.6g,\n  \"%s\": %.6g,\n",
                      disk_write_byte_key, machine->disk_write_byte_ns, disk_write_key,
                      machine->disk_write_ns, disk_read_byte_key, machine->disk_read_byte_ns,
                      disk_read_key, machine->disk_read_ns);
    }
    if (machine->far_byte_ns > 0.0) {
        (void)fprintf(file, "  \"%s\": %.6g,\n  \"%s\": %.6g,\n  \"%s\": %.6g,\n", far_byte_key,
                      machine->far_byte_ns, far_key, machine->far_ns, far_pass_key,
                      machine->far_pass_ns);
    }
    if (machine->start_ns > 0.0) {
        (void)fprintf(file, "  \"%s\": %.6g,\n  \"%s\": %.6g,\n", start_byte_key,
                      machine->start_byte_ns, start_key, machine->start_ns);
    }
    if (machine->context_near > 0) {
        (void)fprintf(file, "  \"%s\": %u,\n  \"%s\": %.6g,\n", context_near_key,
                      machine->context_near, context_far_key, machine->context_far_ns);
    }
    (void)fprintf(file, "  \"pair_ns\": %.6g,\n  \"context_ns\": %.6g,\n  \"pass_ns\": %.6g\n}\n",
                  machine->pair_ns, machine->context_ns, machine->pass_ns);
    if (ferror(file) != 0 || fclose(file) != 0) {
        (void)unlink(path);
        return dyno_fail(error, DYNO_IO, "%s cannot be written: %s", path, strerror(errno));
    }
    return DYNO_OK;
}

/* Which figures there are: those of this program, and those of a folder. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/words.h"
#include "exhibit_texts.h"
#include "reports/exhibit.h"

enum { PATH_MAX_BYTES = 4096, SIZE_MAX_POINTS = 4000, TEXT_MAX_BYTES = 1 << 20 };

static void release_exhibit(struct dyno_exhibit *exhibit)
{
    free(exhibit->name);
    free(exhibit->sql);
    free(exhibit->gp);
    free(exhibit->title);
    free(exhibit->caption);
    free(exhibit->empty);
}

void dyno_exhibits_release(struct dyno_exhibits *exhibits)
{
    for (size_t i = 0; i < exhibits->count; i++) {
        release_exhibit(&exhibits->at[i]);
    }
    free(exhibits->at);
    *exhibits = (struct dyno_exhibits){.at = NULL};
}

const struct dyno_exhibit *dyno_exhibits_find(const struct dyno_exhibits *exhibits,
                                              const char *name)
{
    for (size_t i = 0; i < exhibits->count; i++) {
        if (strcmp(exhibits->at[i].name, name) == 0) {
            return &exhibits->at[i];
        }
    }
    return NULL;
}

/* ---- the head of a query --------------------------------------------------------------------- */

/* Go on with `text`, [length], behind what is there. */
static dyno_status extend(char **text, const char *more, size_t length, struct dyno_error *error)
{
    char *grown;

    if (asprintf(&grown, "%s%s%.*s", *text ? *text : "", *text ? " " : "", (int)length, more) < 0) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the figures");
    }
    free(*text);
    *text = grown;
    return DYNO_OK;
}

/* A number of points behind `mark`, at *at, which is moved past it; 0: it is none. */
static int take_points(const char **at, char mark)
{
    char *end;
    long value;

    if (mark && *(*at)++ != mark) {
        return 0;
    }
    value = strtol(*at, &end, 10);
    if (end == *at || value < 0 || value > SIZE_MAX_POINTS) {
        return 0;
    }
    *at = end;
    return (int)value;
}

static bool take_size(struct dyno_exhibit *exhibit, const char *text)
{
    exhibit->width = take_points(&text, '\0');
    exhibit->height = exhibit->width ? take_points(&text, 'x') : 0;
    exhibit->height_per_series = exhibit->height && *text == '+' ? take_points(&text, '+') : 0;
    return exhibit->width >= 100 && exhibit->height >= 20 && (*text == '\n' || *text == '\0');
}

/* One "-- KEY: TEXT"; what is no key is a comment. */
static dyno_status take_head_line(struct dyno_exhibit *exhibit, const char *key, const char *text,
                                  size_t length, struct dyno_error *error)
{
    const struct {
        const char *key;
        char **to;
    } texts[] = {
        {"title", &exhibit->title}, {"caption", &exhibit->caption}, {"empty", &exhibit->empty}};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strncmp(key, texts[i].key, strlen(texts[i].key)) == 0) {
            return extend(texts[i].to, text, length, error);
        }
    }
    if (strncmp(key, "order", 5) == 0) {
        exhibit->order = (int)strtol(text, NULL, 10);
    } else if (strncmp(key, "size", 4) == 0 && !take_size(exhibit, text)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the figure %s: a size is WIDTHxHEIGHT or WIDTHxHEIGHT+HEIGHT, in points "
                         "from 100x20 to %dx%d",
                         exhibit->name, SIZE_MAX_POINTS, SIZE_MAX_POINTS);
    }
    return DYNO_OK;
}

static dyno_status take_head(struct dyno_exhibit *exhibit, struct dyno_error *error)
{
    exhibit->width = 480;
    exhibit->height = 320;
    exhibit->order = 1000;
    for (const char *line = exhibit->sql; strncmp(line, "-- ", 3) == 0;) {
        size_t length = strcspn(line, "\n");
        const char *colon = memchr(line, ':', length);

        if (colon && colon[1] == ' ') {
            DYNO_TRY(take_head_line(exhibit, line + 3, colon + 2,
                                    (size_t)(line + length - colon - 2), error));
        }
        line += length + (line[length] == '\n');
    }
    if (!exhibit->title || !exhibit->caption || !exhibit->empty) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the figure %s: its query must begin with the lines '-- title: ...', '-- "
                         "caption: ...' and '-- empty: ...'",
                         exhibit->name);
    }
    return DYNO_OK;
}

/* ---- the list -------------------------------------------------------------------------------- */

/* What is given, in memory of its own; one of that name is replaced. */
static dyno_status add(struct dyno_exhibits *exhibits, const char *name, const char *sql,
                       const char *gp, struct dyno_error *error)
{
    struct dyno_exhibit exhibit = {
        .name = strdup(name), .sql = strdup(sql), .gp = gp ? strdup(gp) : NULL};
    struct dyno_exhibit *grown, *old;
    dyno_status status;

    if (!exhibit.name || !exhibit.sql || (gp && !exhibit.gp)) {
        release_exhibit(&exhibit);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the figures");
    }
    status = take_head(&exhibit, error);
    if (status != DYNO_OK) {
        release_exhibit(&exhibit);
        return status;
    }
    old = (struct dyno_exhibit *)(uintptr_t)dyno_exhibits_find(exhibits, name);
    if (old) {
        release_exhibit(old);
        *old = exhibit;
        return DYNO_OK;
    }
    if (exhibits->count == DYNO_EXHIBITS_MAX) {
        release_exhibit(&exhibit);
        return dyno_fail(error, DYNO_BAD_INPUT, "there are more than %d figures and tables",
                         DYNO_EXHIBITS_MAX);
    }
    grown = realloc(exhibits->at, (exhibits->count + 1) * sizeof *grown);
    if (!grown) {
        release_exhibit(&exhibit);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the figures");
    }
    exhibits->at = grown;
    exhibits->at[exhibits->count++] = exhibit;
    return DYNO_OK;
}

static int by_order(const void *a, const void *b)
{
    const struct dyno_exhibit *left = a, *right = b;

    return left->order != right->order ? (left->order > right->order) - (left->order < right->order)
                                       : strcmp(left->name, right->name);
}

/* ---- a folder -------------------------------------------------------------------------------- */

/* *out is to be freed. */
static dyno_status read_text(char **out, const char *folder, const char *name, const char *ending,
                             struct dyno_error *error)
{
    char path[PATH_MAX_BYTES], quoted[DYNO_QUOTE_MAX];
    FILE *file;
    char *text;
    size_t size;

    (void)snprintf(path, sizeof path, "%s/%s%s", folder, name, ending);
    file = fopen(path, "r");
    if (!file) {
        return dyno_fail(error, errno == ENOENT ? DYNO_NOT_FOUND : DYNO_IO,
                         "the figure %s cannot be read: %s: %s", name, dyno_quote(quoted, path),
                         strerror(errno));
    }
    text = malloc(TEXT_MAX_BYTES);
    size = text ? fread(text, 1, TEXT_MAX_BYTES - 1, file) : 0;
    (void)fclose(file);
    if (!text) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the figures");
    }
    text[size] = '\0';
    *out = text;
    return DYNO_OK;
}

/* NAME.sql, and NAME.gp where there is one; a script without its query is a mistake. */
static dyno_status add_from(struct dyno_exhibits *exhibits, const char *folder,
                            const char *file_name, struct dyno_error *error)
{
    const char *dot = strrchr(file_name, '.');
    size_t length = dot ? (size_t)(dot - file_name) : 0;
    char name[256], *sql = NULL, *gp = NULL;
    dyno_status status;

    if (length == 0 || length >= sizeof name ||
        (strcmp(dot, ".gp") != 0 && strcmp(dot, ".sql") != 0)) {
        return DYNO_OK;
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)length, file_name);
    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != length) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the name of a figure is of small letters, digits and _: %s is not", name);
    }
    DYNO_TRY(read_text(&sql, folder, name, ".sql", error));
    status = read_text(&gp, folder, name, ".gp", error);
    if (status == DYNO_OK || status == DYNO_NOT_FOUND) {
        status = add(exhibits, name, sql, gp, error);
    }
    free(sql);
    free(gp);
    return status;
}

static dyno_status add_folder(struct dyno_exhibits *exhibits, const char *folder,
                              struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];
    DIR *opened = opendir(folder);
    dyno_status status = DYNO_OK;

    if (!opened) {
        return dyno_fail(error, errno == ENOENT ? DYNO_NOT_FOUND : DYNO_IO,
                         "the folder of figures %s cannot be read: %s", dyno_quote(quoted, folder),
                         strerror(errno));
    }
    for (struct dirent *entry; status == DYNO_OK && (entry = readdir(opened));) {
        status = add_from(exhibits, folder, entry->d_name, error);
    }
    (void)closedir(opened);
    return status;
}

dyno_status dyno_exhibits_load(struct dyno_exhibits *out, const char *folder,
                               struct dyno_error *error)
{
    struct dyno_exhibits exhibits = {.at = NULL};
    size_t own = sizeof dyno_exhibit_texts / sizeof dyno_exhibit_texts[0];
    dyno_status status = DYNO_OK;

    for (size_t i = 0; status == DYNO_OK && i < own; i++) {
        status = add(&exhibits, dyno_exhibit_texts[i].name, dyno_exhibit_texts[i].sql,
                     dyno_exhibit_texts[i].gp, error);
    }
    if (status == DYNO_OK && folder) {
        status = add_folder(&exhibits, folder, error);
    }
    if (status != DYNO_OK) {
        dyno_exhibits_release(&exhibits);
        return status;
    }
    qsort(exhibits.at, exhibits.count, sizeof *exhibits.at, by_order);
    *out = exhibits;
    return DYNO_OK;
}

/* No path is compiled in, so that a build tree or an installed prefix can be moved. */
#include "backends/assets/default_model.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/words.h"

enum { LISTED_MAX = 16 };

static const char *const places[] = {"share/dyno/models", "../share/dyno/models"};

enum { PLACES = sizeof places / sizeof places[0] };

/* The folder of the running executable, without a '/' at its end; false: unknown. */
static bool executable_folder(char out[DYNO_MODEL_PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", out, DYNO_MODEL_PATH_MAX - 1);
    char *slash;

    if (length <= 0) {
        return false;
    }
    out[length] = '\0';
    slash = strrchr(out, '/');
    if (!slash) {
        return false;
    }
    *slash = '\0';
    return true;
}

/* FOLDER/PLACE/NAME, or FOLDER/PLACE where `name` is NULL; false where it is too long. */
static bool join(char out[DYNO_MODEL_PATH_MAX], const char *folder, const char *place,
                 const char *name)
{
    int length = snprintf(out, DYNO_MODEL_PATH_MAX, "%s/%s%s%s", folder, place, name ? "/" : "",
                          name ? name : "");

    return length > 0 && length < DYNO_MODEL_PATH_MAX;
}

static int is_model(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* ": austen-2m, ..." of the first place that has any; "" of none. */
static void list_models(char *out, size_t size, const char *folder)
{
    char path[DYNO_MODEL_PATH_MAX];
    size_t length = 0;

    out[0] = '\0';
    for (size_t i = 0; i < PLACES && length == 0; i++) {
        struct dirent **entries = NULL;
        int count =
            join(path, folder, places[i], NULL) ? scandir(path, &entries, is_model, alphasort) : 0;

        for (int j = 0; j < count; j++) {
            if (j < LISTED_MAX && length < size) {
                length += (size_t)snprintf(out + length, size - length, "%s%s", j ? ", " : ": ",
                                           entries[j]->d_name);
            }
            free(entries[j]);
        }
        free(entries);
    }
}

static dyno_status take(char out[DYNO_MODEL_PATH_MAX], const char *path)
{
    (void)snprintf(out, DYNO_MODEL_PATH_MAX, "%s", path);
    return DYNO_OK;
}

dyno_status dyno_default_model_find(char out[DYNO_MODEL_PATH_MAX], const char *name,
                                    struct dyno_error *error)
{
    char folder[DYNO_MODEL_PATH_MAX], path[DYNO_MODEL_PATH_MAX], listed[512] = "";
    char quoted[DYNO_QUOTE_MAX];

    if (!*name || strlen(name) >= DYNO_MODEL_PATH_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s is not a model's name: it has none or more than %d letters",
                         dyno_quote(quoted, name), DYNO_MODEL_PATH_MAX - 1);
    }
    if (strchr(name, '/')) {
        return take(out, name);
    }
    if (executable_folder(folder)) {
        for (size_t i = 0; i < PLACES; i++) {
            if (join(path, folder, places[i], name) && access(path, F_OK) == 0) {
                return take(out, path);
            }
        }
        list_models(listed, sizeof listed, folder);
    }
    if (access(name, F_OK) == 0) {
        return take(out, name);
    }
    return dyno_fail(error, DYNO_NOT_FOUND,
                     "no model %s: neither one that comes with dyno%s, nor a file or folder here "
                     "(a path with a '/' names one elsewhere)",
                     dyno_quote(quoted, name), listed);
}

/* A tuning in independent shards, each with a database of its own, which are merged: by hand on any
 * machines, or as an array job of Slurm. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/child.h"
#include "cli/scenario/command_line.h"
#include "cli/tune/tune.h"
#include "core/base/units.h"
#include "core/base/words.h"
#include "reports/text_file.h"

enum { PATH_BYTES = 4096 };

/* ---- what a shard is ------------------------------------------------------------------------- */

static bool is_independent(const struct dyno_tune *tune)
{
    return strcmp(tune->options.search, "grid") == 0 || strcmp(tune->options.search, "random") == 0;
}

dyno_status dyno_tune_read_shard(struct dyno_tune *tune, struct dyno_error *error)
{
    const char *text = tune->options.shard, *slash = text ? strchr(text, '/') : NULL;
    bool is_sharded = text || strcmp(tune->options.executor, "slurm") == 0;
    char first[32], quoted[DYNO_QUOTE_MAX];
    uint64_t shard, shards;

    if (is_sharded && !is_independent(tune)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--search %s chooses points by what others came to; shards do not wait "
                         "for each other: --search grid or random",
                         tune->options.search);
    }
    if (!text) {
        return DYNO_OK;
    }
    (void)snprintf(first, sizeof first, "%.*s", slash ? (int)(slash - text) : 0, text);
    if (!slash || slash - text >= (int)sizeof first ||
        dyno_parse_u64(first, &shard) != DYNO_UNITS_OK ||
        dyno_parse_u64(slash + 1, &shards) != DYNO_UNITS_OK || shard >= shards ||
        shards > DYNO_TUNE_TRIALS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--shard: %s is no shard; expected K/N, such as 0/8 to 7/8",
                         dyno_quote(quoted, text));
    }
    tune->shard = (uint32_t)shard;
    tune->shards = (uint32_t)shards;
    tune->options.json = tune->options.out = NULL;
    return DYNO_OK;
}

/* ---- merging --------------------------------------------------------------------------------- */

static dyno_status refuse_unkept(const char *flag, struct dyno_error *error)
{
    return dyno_fail(error, DYNO_BAD_INPUT, "%s needs a database to put trials into: --db FILE",
                     flag);
}

dyno_status dyno_tune_merge(struct dyno_tune *tune, struct dyno_error *error)
{
    char *names = tune->options.merge ? strdup(tune->options.merge) : NULL, *rest = names;
    dyno_status status = DYNO_OK;
    const char *name;

    if (!names) {
        return tune->options.merge ? dyno_fail(error, DYNO_NO_MEMORY, "out of memory") : DYNO_OK;
    }
    if (!tune->tuning) {
        status = refuse_unkept("--merge", error);
    }
    while (status == DYNO_OK && (name = strsep(&rest, ",")) != NULL) {
        uint64_t count;

        status = dyno_tuning_merge(tune->tuning, name, &count, error);
    }
    free(names);
    return status;
}

/* ---- Slurm ----------------------------------------------------------------------------------- */

/* This program, as a shell takes it. */
static char *program_word(void)
{
    char path[PATH_BYTES], *word = path, *line;
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);

    if (length <= 0) {
        return NULL;
    }
    path[length] = '\0';
    line = dyno_command_line(1, &word);
    if (line) {
        memmove(line, line + 5, strlen(line + 5) + 1); /* without "dyno " */
    }
    return line;
}

/* `word` in quotes that a shell takes away. */
static char *quoted_word(const char *text)
{
    char *word = (char *)(uintptr_t)text, *line = dyno_command_line(1, &word);

    if (line) {
        memmove(line, line + 5, strlen(line + 5) + 1);
    }
    return line;
}

static dyno_status write_job(const struct dyno_tune *tune, const char *path, int argc, char **argv,
                             struct dyno_error *error)
{
    char *program = program_word(), *line = dyno_command_line(argc, argv);
    char *database = quoted_word(tune->given.scenario.output.db), *text = NULL;
    dyno_status status = DYNO_NO_MEMORY;

    if (program && line && database &&
        asprintf(&text,
                 "#!/bin/sh\n"
                 "#SBATCH --job-name=dyno-tune\n"
                 "#SBATCH --array=0-%" PRIu32 "\n"
                 "# One shard of a tuning a task, each with a database of its own.  Written by\n"
                 "# dyno tune --executor slurm, which merges them.\n"
                 "exec %s%s --executor local --shard \"$SLURM_ARRAY_TASK_ID/%" PRIu32 "\" \\\n"
                 "    --merge none --jobs \"${SLURM_CPUS_PER_TASK:-1}\" --no-progress \\\n"
                 "    --db %s.shard-\"$SLURM_ARRAY_TASK_ID\"",
                 tune->options.shards - 1, program, line + 4, tune->options.shards,
                 database) >= 0) {
        status = dyno_text_write(path, text, error);
    } else {
        status = dyno_fail(error, DYNO_NO_MEMORY, "out of memory for a job");
    }
    free(program);
    free(line);
    free(database);
    free(text);
    return status;
}

/* Submit and wait.  A job of which a task failed has that task's status. */
static dyno_status submit(const char *path, const char *logs, struct dyno_error *error)
{
    char sbatch[] = "sbatch", wait[] = "--wait", output[PATH_BYTES];
    char *words[] = {sbatch, wait, output, (char *)(uintptr_t)path, NULL};
    struct dyno_child child;
    struct dyno_child_end end;

    (void)snprintf(output, sizeof output, "--output=%s", logs);
    DYNO_TRY(dyno_child_start(&child, words, error));
    DYNO_TRY(dyno_child_wait(&child, &end, error));
    if (end.exited && end.status == 0) {
        return DYNO_OK;
    }
    return dyno_fail(error, DYNO_IO,
                     "the array job %s did not end well (%s); what its tasks said is in %s", path,
                     *end.said ? end.said : "a task failed", logs);
}

/* Whatever the shards left. */
static dyno_status merge_shards(struct dyno_tune *tune, const char *database,
                                struct dyno_error *error)
{
    for (uint32_t i = 0; i < tune->options.shards; i++) {
        char path[PATH_BYTES];
        uint64_t count;

        (void)snprintf(path, sizeof path, "%s.shard-%" PRIu32, database, i);
        if (access(path, F_OK) == 0) {
            DYNO_TRY(dyno_tuning_merge(tune->tuning, path, &count, error));
        }
    }
    return DYNO_OK;
}

dyno_status dyno_tune_submit(struct dyno_tune *tune, int argc, char **argv,
                             struct dyno_error *error)
{
    const char *database = tune->given.scenario.output.db;
    char job[PATH_BYTES], logs[PATH_BYTES - 16];
    struct dyno_error why = {.status = DYNO_OK};
    dyno_status status;

    if (!tune->tuning) {
        return refuse_unkept("--executor slurm", error);
    }
    if (strlen(database) > sizeof job - 64) {
        return dyno_fail(error, DYNO_BAD_INPUT, "--db: the name is too long for shards beside it");
    }
    (void)snprintf(job, sizeof job, "%s.slurm.sh", database);
    (void)snprintf(logs, sizeof logs, "%s.shard-%%a.log", database);
    DYNO_TRY(write_job(tune, job, argc, argv, error));
    status = submit(job, logs, &why);
    if (status == DYNO_NOT_FOUND) {
        return dyno_fail(error, DYNO_NOT_FOUND,
                         "there is no sbatch here, so no Slurm; %s is the job, and --shard and "
                         "--merge do the same by hand",
                         job);
    }
    DYNO_TRY(merge_shards(tune, database, error));
    return status == DYNO_OK ? DYNO_OK : dyno_fail(error, status, "%s", why.text);
}

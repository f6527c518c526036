/* A whole replay inside a test: the command line's words in, metrics out. */
#ifndef DYNO_TESTS_SYSTEM_RIG_H
#define DYNO_TESTS_SYSTEM_RIG_H

#include <stdlib.h>
#include <string.h>

#include "cli/assembly/assembly.h"

enum { RIG_WORDS_MAX = 64 };

struct rig {
    struct dyno_scenario scenario;
    struct dyno_options options;
    struct dyno_assembly assembly;
    char words[2048];
    char *argv[RIG_WORDS_MAX];
};

/* `line` as after `dyno`, without quotes: "replay --arrival poisson:10 ...".  The rig is released
 * with rig_close. */
static inline void rig_load(struct rig *rig, const char *line)
{
    struct dyno_error error = {0};
    enum dyno_scenario_ask ask;
    char *rest = NULL;
    int argc = 0;

    memset(rig, 0, sizeof *rig);
    ck_assert_uint_lt(strlen(line), sizeof rig->words);
    (void)snprintf(rig->words, sizeof rig->words, "%s", line);
    for (char *word = strtok_r(rig->words, " ", &rest); word && argc < RIG_WORDS_MAX;
         word = strtok_r(NULL, " ", &rest)) {
        rig->argv[argc++] = word;
    }
    ck_assert_msg(
        dyno_scenario_load(&rig->scenario, &rig->options, argc, rig->argv, &ask, &error) == DYNO_OK,
        "%s", error.text);
}

/* `sinks` as for dyno_assembly_open; what the assembly may be told before that was set. */
static inline void rig_serve(struct rig *rig, struct dyno_sink *sinks)
{
    struct dyno_error error = {0};

    ck_assert_msg(dyno_assembly_open(&rig->assembly, &rig->scenario, sinks, NULL, 0, &error) ==
                      DYNO_OK,
                  "%s", error.text);
    ck_assert_msg(dyno_assembly_run(&rig->assembly, &error) == DYNO_OK, "%s", error.text);
}

/* `recording` (may be NULL) notes what comes. */
static inline void rig_run_recorded(struct rig *rig, const char *line, struct dyno_sink *sinks,
                                    struct dyno_recording *recording)
{
    rig_load(rig, line);
    rig->assembly.recording = recording;
    rig_serve(rig, sinks);
}

static inline void rig_run(struct rig *rig, const char *line, struct dyno_sink *sinks)
{
    rig_run_recorded(rig, line, sinks, NULL);
}

static inline void rig_close(struct rig *rig)
{
    dyno_assembly_close(&rig->assembly);
    dyno_options_close(&rig->options);
}

#endif

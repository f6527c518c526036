/* `dyno rerun`: feed a journal back through the core, which must decide what it decided. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/assembly/assembly.h"
#include "cli/commands.h"
#include "core/base/words.h"
#include "reports/reports.h"

static void print_help(void)
{
    puts(
        "Usage: dyno rerun FILE\n\n"
        "Feed back what `dyno replay --journal FILE` wrote down: the times, the requests and what\n"
        "the device did.  The core (router, batcher, KV cache) runs again, without a model and\n"
        "without waiting, and must form the same passes of the same sequences in the same order;\n"
        "the first difference ends the run and is named.");
}

struct rerun {
    struct dyno_scenario scenario;
    struct dyno_options options;
    struct dyno_journal_head head;
    struct dyno_assembly assembly;
    struct dyno_journal *journal;
};

static dyno_status feed(struct rerun *rerun, const char *path, struct dyno_error *error)
{
    DYNO_TRY(dyno_journal_read(&rerun->journal, path, error));
    DYNO_TRY(dyno_options_open(&rerun->options, dyno_scenario_rows, dyno_scenario_row_count,
                               &rerun->scenario, error));
    DYNO_TRY(dyno_journal_head_read(rerun->journal, &rerun->options, &rerun->head, error));
    rerun->assembly.journal = rerun->journal;
    rerun->assembly.fed = &rerun->head;
    DYNO_TRY(dyno_assembly_open(&rerun->assembly, &rerun->scenario, NULL, NULL, 0, error));
    return dyno_assembly_run(&rerun->assembly, error);
}

static dyno_status print(struct rerun *rerun, struct dyno_error *error)
{
    struct dyno_journal_counts counts = dyno_journal_counted(rerun->journal);
    struct dyno_report report;

    DYNO_TRY(dyno_assembly_report(&rerun->assembly, &report, error));
    dyno_report_table(&report, stdout);
    (void)printf("\nThe same     %" PRIu64 " requests, %" PRIu64 " passes, %" PRIu64 " events\n",
                 counts.requests, counts.passes, counts.events);
    return DYNO_OK;
}

int dyno_command_rerun(int argc, char **argv)
{
    struct rerun *rerun = calloc(1, sizeof *rerun);
    struct dyno_error error = {0}, why = {0};
    dyno_status status;

    if (argc != 2 || argv[1][0] == '-' || !rerun) {
        free(rerun);
        if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
            print_help();
            return DYNO_EXIT_OK;
        }
        (void)dyno_fail(&error, DYNO_BAD_INPUT, "rerun takes one journal: dyno rerun FILE");
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    status = feed(rerun, argv[1], &error);
    if (status == DYNO_OK && dyno_journal_is_whole(rerun->journal)) {
        status = print(rerun, &error);
    }
    dyno_assembly_close(&rerun->assembly);
    dyno_options_close(&rerun->options);
    if (dyno_journal_close(rerun->journal, &why) != DYNO_OK) {
        status = why.status;
        error = why; /* where core went another way says more than what came of it */
    }
    free(rerun);
    return status == DYNO_OK ? DYNO_EXIT_OK : dyno_command_complain(&error, DYNO_EXIT_FAILED);
}

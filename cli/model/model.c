/* `dyno model`: look at a model's files, or make some.  The two commands have a file each; here is
 * what chooses between them. */
#include "cli/model/model.h"

#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "core/base/words.h"

int dyno_command_model(int argc, char **argv)
{
    struct dyno_error error;
    char quoted[DYNO_QUOTE_MAX];

    if (argc > 1 && strcmp(argv[1], "info") == 0) {
        return dyno_model_info(argc - 1, argv + 1);
    }
    if (argc > 1 && strcmp(argv[1], "random") == 0) {
        return dyno_model_random(argc - 1, argv + 1);
    }
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        puts("Usage: dyno model info PATH\n"
             "       dyno model random [--OPTION VALUE]... -o PATH\n\n"
             "Look at a model's files, or make a model of random weights for load tests.\n"
             "`dyno model info --help` and `dyno model random --help` say more.");
        return DYNO_EXIT_OK;
    }
    if (argc > 1) {
        dyno_fail(&error, DYNO_BAD_INPUT, "model knows info and random, not %s",
                  dyno_quote(quoted, argv[1]));
    } else {
        dyno_fail(&error, DYNO_BAD_INPUT, "model needs to know what: info PATH, or random -o PATH");
    }
    return dyno_command_complain(&error, DYNO_EXIT_USAGE);
}

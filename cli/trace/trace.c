/* `dyno trace`: look at a trace, or make one.  The commands have a file each; here is what chooses
 * between them. */
#include "cli/trace/trace.h"

#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "core/base/words.h"

int dyno_command_trace(int argc, char **argv)
{
    struct dyno_error error;
    char quoted[DYNO_QUOTE_MAX];

    if (argc > 1 && strcmp(argv[1], "info") == 0) {
        return dyno_trace_info(argc - 1, argv + 1);
    }
    if (argc > 1 && strcmp(argv[1], "synth") == 0) {
        return dyno_trace_synth(argc - 1, argv + 1);
    }
    if (argc > 1 && strcmp(argv[1], "fit") == 0) {
        return dyno_trace_fit_command(argc - 1, argv + 1);
    }
    if (argc > 1 && strcmp(argv[1], "shape") == 0) {
        return dyno_trace_shape_command(argc - 1, argv + 1);
    }
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        puts("Usage: dyno trace info FILE\n"
             "       dyno trace shape [--OPTION VALUE]... -o FILE FROM...\n"
             "       dyno trace synth [--OPTION VALUE]... -o FILE\n"
             "       dyno trace fit [--OPTION VALUE]... FILE\n\n"
             "Look at a trace, make another one of it, or make one. Each says more with --help.");
        return DYNO_EXIT_OK;
    }
    if (argc > 1) {
        dyno_fail(&error, DYNO_BAD_INPUT, "trace knows info, shape, synth and fit, not %s",
                  dyno_quote(quoted, argv[1]));
    } else {
        dyno_fail(&error, DYNO_BAD_INPUT,
                  "trace needs to know what: info FILE, shape -o FILE FROM, or "
                  "synth -o FILE");
    }
    return dyno_command_complain(&error, DYNO_EXIT_USAGE);
}

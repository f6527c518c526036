/* `dyno accuracy DIR`: recompute docs/accuracy.md from a folder of measurements. */
#include "cli/accuracy/accuracy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "core/base/words.h"

static const struct section {
    const char *title;
    const char *text;
    dyno_status (*run)(const struct dyno_accuracy *accuracy, struct dyno_error *error);
} sections[] = {
    {"Real servers, request by request",
     "300 ShareGPT prompts at about 10 a second, far beyond what the smaller card can serve, "
     "replayed at the recorded\ntimes with the recorded tokens, so that prefixes hit as they did. "
     "The engine's settings are the recording's. TTFT and E2E\ncount from a request's arrival. "
     "Kernels were calibrated on `profile/` alone; vLLM's host (two numbers) on the RTX\n"
     "4090's decode-only seconds; how those divide between a pass and its sequences, by a look at "
     "the RTX PRO 6000's mean TPOT.\nAll else is held out.\n\n",
     dyno_accuracy_requests},
    {"Servers under a closed loop",
     "Each row of `e2e_dense.csv` simulated: that many requests always in flight, ten times as "
     "many "
     "in all, the first ones\nincluded in the means, prefix cache off. Rows of InferenceX (dated "
     "ids) spread lengths from 80 to 100 % of the stated\nones, the others are fixed, as the two "
     "load generators do. TensorRT-LLM does not cut prompts, and has an fp8 cache; NVIDIA's\nfp8 "
     "Llama has static scales, Qwen's own fp8 has not. SGLang has its own defaults.\n\nHow much "
     "a pass holds decides TTFT. InferenceX's script for TensorRT-LLM sets 2,248 tokens for 1,024 "
     "in and out, else 9,416\n(its longest sequence), and up to 4 GPUs has prompts of the former "
     "wait up to 20 passes for others (`batch_wait_timeout_iters`),\nwhich is added as 20 mean "
     "passes. For fixed lengths the settings are not published. NVIDIA's recipe for this model "
     "on\nTensorRT-LLM (`examples/models/core/qwen`) is input + sequences - 1, \"to limit the "
     "number of prefill requests to 1\"; it is taken,\nwith 128 sequences, for vLLM too: first "
     "tokens come as if it were so, at any length, load and number of GPUs, three passes of\none "
     "prompt after it is sent where passes are scheduled ahead and two where not (with room for "
     "two prompts of 1,024, as\nAIConfigurator's published generator has it, 45 rows would be off "
     "by 41 %).\n\nWhat a client waits beside the engine is one number for all, 12 ms "
     "(`timing.response_us`), set from every other row; it also says\nhow many answers end before "
     "their clients' next prompts come, and so who shares a pass. The seven rows with prompts of "
     "4,000\ntokens are suspect (some are faster than their weights can be read) but counted. "
     "Held out: everything but two numbers of each\nengine's host (`timing.host`), which were "
     "set from these rows' means, SGLang's share of memory (0.8: six rows on one GPU\nrun out of "
     "it), and the 12 "
     "ms. Not fitted to these rows, but looked for because of them: the scales, the passes' sizes, "
     "that TensorRT-LLM reduces in\none exchange, and that operations slow down when they do not "
     "end (by how much, the kernels' table says).\n\nFurthest off are 128 requests in flight with "
     "fixed prompts of 1,024 and 2,048 tokens on two GPUs or more under TensorRT-LLM:\ntheir first "
     "tokens come up to 0.7 s later than predicted, the latest for short answers. Nothing known "
     "explains it.\n\nIn brackets: the 95 % interval of a mean for other servers like these, of "
     "which the table has as many as there are\nengines, GPUs, models, weights and numbers of "
     "GPUs; where there are fewer than four, none.\n\n",
     dyno_accuracy_served},
    {"Intervals",
     "How many of the 95 % intervals that `dyno replay --intervals 20` gives hold the measured "
     "means of those rows. By how much passes\nand waiting differ beside their kernels was set "
     "from "
     "every other row (`sim/uncertainty.c`): those were looked at, the others\nare held out. The "
     "last line is the H200's rows with what `dyno fit --gpu h200` makes of its kernels' tables, "
     "which knows\ntheir averages to half a percent and nothing of a server.\n\n",
     dyno_accuracy_intervals},
    {"One kind of server left out",
     "The 12 ms set again without the rows of one engine, one GPU or one model, which are then "
     "predicted with what came out. (An engine's\ntwo host numbers cannot be set without its own "
     "rows, and kernels were fitted to none of them.) The 72 rows of the H200 and Llama\nalone do "
     "not determine it: the longest that was tried comes out.\n\n",
     dyno_accuracy_left_out},
    {"Kernels",
     "First the defaults, in-sample: these are the tables that they were fitted to. Other GPUs of "
     "dyno have no table here. Then\nwhat is held out: half of the shapes (of matrices, of sets of "
     "heads, of messages; of a card's attention, which has one set\nof heads, half of the points), "
     "predicted by a fit to the other half that begins at the defaults. In brackets: the 95 % "
     "interval "
     "of a mean for other shapes of\nthe kind, of which a card's attention has one, and so "
     "none.\n\n",
     dyno_accuracy_kernels},
    {"Caches and throughput over time",
     "Held out: nothing was fitted to these. The recordings of hits are of one and two GPUs of 48 "
     "GB "
     "that dyno has no figures for; the\nL40S stands in. The others are Llama-3.1-70B on 4 H100; "
     "their vLLM "
     "is taken to be before 0.14.\n\n",
     dyno_accuracy_cache},
};

struct arguments {
    const char *folder, *output, *details;
    bool help;
};

static void print_help(void)
{
    puts("Usage: dyno accuracy [-o FILE] [--details FOLDER] DIR\n\n"
         "How far predictions are from the measurements in DIR, as Markdown.  What DIR does not\n"
         "hold is said in its section; without DIR this prints \"no data\".\n\n"
         "  -o FILE           write there instead of to standard output\n"
         "  --details FOLDER  also leave a table of every point compared, there");
}

static dyno_status take_arguments(struct arguments *arguments, int argc, char **argv,
                                  struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    for (int i = 1; i < argc; i++) {
        const char **value = strcmp(argv[i], "-o") == 0          ? &arguments->output
                             : strcmp(argv[i], "--details") == 0 ? &arguments->details
                                                                 : NULL;

        if (value) {
            if (i + 1 == argc) {
                return dyno_fail(error, DYNO_BAD_INPUT, "%s needs a value", argv[i]);
            }
            *value = argv[++i];
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            arguments->help = true;
        } else if (argv[i][0] == '-') {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "unknown option %s; 'dyno accuracy --help' lists them",
                             dyno_quote(quoted, argv[i]));
        } else if (arguments->folder) {
            return dyno_fail(error, DYNO_BAD_INPUT, "accuracy takes one folder; %s is one too many",
                             dyno_quote(quoted, argv[i]));
        } else {
            arguments->folder = argv[i];
        }
    }
    return DYNO_OK;
}

bool dyno_accuracy_find(const struct dyno_accuracy *accuracy, const char *name, char *path,
                        size_t size)
{
    (void)snprintf(path, size, "%s/%s", accuracy->folder, name);
    if (access(path, R_OK) == 0) {
        return true;
    }
    (void)fprintf(accuracy->out, "no data: there is no `%s`\n", name);
    return false;
}

FILE *dyno_accuracy_details(const struct dyno_accuracy *accuracy, const char *name)
{
    char path[1024];

    if (!accuracy->details) {
        return NULL;
    }
    (void)snprintf(path, sizeof path, "%s/%s", accuracy->details, name);
    return fopen(path, "w");
}

static dyno_status write_all(const struct dyno_accuracy *accuracy, struct dyno_error *error)
{
    (void)fputs(
        "# How far predictions are from measurements\n\n"
        "Made by `dyno accuracy -o docs/accuracy.md DIR`, where DIR holds the measurements (they "
        "are not part of this tree;\nwithout them the command says \"no data\"). Sources: "
        "AIConfigurator 095f58a51 (Apache-2.0), LLMServingSim 5daddb2 and its\nISPASS 2026 "
        "artifact (MIT). An error is predicted / measured - 1; \"median\" and \"p90\" are of its "
        "absolute value.\n\n"
        "![Simulated against measured: distributions of TTFT and TPOT request by request, and "
        "TPOT and TTFT of 429 servers](figures/accuracy.svg)\n\n"
        "(made by `docs/figures/accuracy.gp` from what `--details FOLDER` leaves)\n\n"
        "What others published of servers that are not in those files is in "
        "[published.md](published.md).\n",
        accuracy->out);
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        (void)fprintf(accuracy->out, "\n## %s\n\n%s", sections[i].title, sections[i].text);
        DYNO_TRY(sections[i].run(accuracy, error));
    }
    return DYNO_OK;
}

/* Everything is collected in memory first, so that a failure leaves no half document. */
static dyno_status write_document(const struct arguments *arguments, struct dyno_error *error)
{
    struct dyno_accuracy accuracy = {.folder = arguments->folder, .details = arguments->details};
    char *text = NULL;
    size_t size = 0;
    dyno_status status;
    FILE *to = stdout;

    accuracy.out = open_memstream(&text, &size);
    if (!accuracy.out) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    status = write_all(&accuracy, error);
    if (fclose(accuracy.out) != 0 && status == DYNO_OK) {
        status = dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    if (status == DYNO_OK && arguments->output) {
        to = fopen(arguments->output, "w");
    }
    if (status == DYNO_OK &&
        (!to || fwrite(text, 1, size, to) != size || (to != stdout && fclose(to) != 0))) {
        status =
            dyno_fail(error, DYNO_IO, "%s cannot be written: %s",
                      arguments->output ? arguments->output : "standard output", strerror(errno));
    }
    free(text);
    return status;
}

int dyno_command_accuracy(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct dyno_error error = {0};

    if (take_arguments(&arguments, argc, argv, &error) != DYNO_OK) {
        return dyno_command_complain(&error, DYNO_EXIT_USAGE);
    }
    if (arguments.help) {
        print_help();
        return DYNO_EXIT_OK;
    }
    if (!arguments.folder) {
        puts("no data: name a folder of measurements, dyno accuracy DIR");
        return DYNO_EXIT_OK;
    }
    if (access(arguments.folder, R_OK) != 0) {
        (void)printf("no data: there is no folder %s\n", arguments.folder);
        return DYNO_EXIT_OK;
    }
    return write_document(&arguments, &error) == DYNO_OK
               ? DYNO_EXIT_OK
               : dyno_command_complain(&error, DYNO_EXIT_FAILED);
}

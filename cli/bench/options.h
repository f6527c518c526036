/* What `dyno bench` was told: its own options, and the scenario's that say what is asked and what
 * is left behind. */
#ifndef DYNO_CLI_BENCH_OPTIONS_H
#define DYNO_CLI_BENCH_OPTIONS_H

#include "backends/client/url.h"
#include "cli/scenario/scenario.h"

struct dyno_bench_options {
    const char *url_text;       /* bench.url            --url */
    const char *endpoint;       /* bench.endpoint       --endpoint: completions, chat */
    const char *model;          /* bench.model          --model; NULL: asked for */
    const char *api_key_env;    /* bench.api_key_env    --api-key-env; NULL: none */
    const char *trusted;        /* bench.ca_file        --ca-file; NULL: the system's */
    const char *prompt_as;      /* bench.prompt_as      --prompt-as: text, tokens */
    const char *tokenizer;      /* bench.tokenizer      --tokenizer; NULL: not known */
    uint32_t vocabulary;        /* bench.vocabulary     --vocabulary */
    bool ignore_eos;            /* bench.ignore_eos     --ignore-eos */
    const char *extra_body;     /* bench.extra_body     --extra-body: a JSON object; NULL: none */
    uint32_t connections_max;   /* bench.connections    --connections */
    dyno_ns connect_timeout_ns; /* bench.connect_timeout  --connect-timeout */
    dyno_ns silence_timeout_ns; /* bench.timeout       --timeout */
    const char *save;           /* bench.save           --save: as vllm bench serve; NULL: none */
    const char *export_aiperf;  /* bench.export_aiperf  --export-aiperf: a folder; NULL: none */
    bool help;
    struct dyno_url url;
    struct dyno_scenario scenario;
    struct dyno_options rows;          /* of bench itself ... */
    struct dyno_options scenario_rows; /* ... and of the scenario */
    char **words;                      /* [word_count] what the scenario was told */
    int word_count;
    char arrival[64]; /* made from --request-rate */
};

/* argv[0] is the command's name.  On success the caller closes the options; on failure nothing is
 * left to close, and `error` is one sentence.  With `help` nothing else was looked at. */
dyno_status dyno_bench_options_parse(struct dyno_bench_options *options, int argc, char **argv,
                                     struct dyno_error *error);
void dyno_bench_options_close(struct dyno_bench_options *options);

/* bench's rows and those of the scenario that it reads, for a database: *count of them; NULL when
 * memory is out.  Released by dyno_scenario_option_rows_free. */
struct dyno_run_option_row *dyno_bench_option_rows(const struct dyno_bench_options *options,
                                                   uint32_t *count);

void dyno_bench_help(FILE *out);

#endif

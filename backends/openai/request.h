/* What the requests of all endpoints share: limits, how tokens are to be sampled, and the body.
 *
 * A request is parsed from bytes into a plain struct; nothing here knows sockets, clocks or
 * tokenizers.  Texts in a struct belong to the body, which the struct keeps until it is released.
 * Every field of a body is read, or is of the few that by the API's own words change nothing about
 * the answer (`metadata`, `safety_identifier`: for the operator's records), or is refused by name:
 * docs/openai.md lists them.  A field that is null counts as absent.
 *
 * All parsers return, on failure, what dyno_openai_fail says, and leave nothing to be released.
 */
#ifndef DYNO_BACKENDS_OPENAI_REQUEST_H
#define DYNO_BACKENDS_OPENAI_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/openai/error.h"
#include "core/base/status.h"

enum {
    DYNO_OPENAI_STOP_MAX = 16,        /* stop strings (the API has 4, vLLM any number) */
    DYNO_OPENAI_STOP_BYTES = 1024,    /* of one stop string */
    DYNO_OPENAI_CHOICES_MAX = 128,    /* n */
    DYNO_OPENAI_LOGPROBS_MAX = 20,    /* alternatives to a token */
    DYNO_OPENAI_BIAS_MAX = 1024,      /* pairs of logit_bias */
    DYNO_OPENAI_TOOLS_MAX = 128,      /* functions */
    DYNO_OPENAI_NAME_MAX = 64,        /* bytes of a function's name */
    DYNO_OPENAI_TOKENS_MAX = 1 << 30, /* what max_tokens and its like may say */
};

struct dyno_openai_bias {
    uint32_t token;
    float bias; /* in [-100, 100], added to the logit */
};

struct dyno_openai_stop {
    const char *text; /* UTF-8, not empty, terminated */
    size_t size;
};

/* How one choice is made.  Every value is in the range given here. */
struct dyno_openai_sampling {
    double temperature;        /* [0, 2]; 0: always the most probable token */
    double top_p;              /* [0, 1]; 0: the most probable token, as temperature 0 */
    double min_p;              /* [0, 1]; 0: off */
    double repetition_penalty; /* [0.01, 100]; 1: off */
    double presence_penalty;   /* [-2, 2]; 0: off */
    double frequency_penalty;  /* [-2, 2]; 0: off */
    uint32_t top_k;            /* 0: off */
    uint32_t max_tokens;       /* meaningful if has_max_tokens; else what the context leaves */
    uint32_t min_tokens;       /* no end and no stop before this many; <= max_tokens */
    uint32_t choices;          /* n: [1, DYNO_OPENAI_CHOICES_MAX] */
    int64_t seed;              /* meaningful if has_seed */
    bool has_max_tokens, has_seed;
    bool ignore_eos;       /* go on to max_tokens, whatever the model says */
    bool logprobs;         /* report every token's logarithm of probability, and ... */
    uint32_t top_logprobs; /* ... this many alternatives, <= DYNO_OPENAI_LOGPROBS_MAX */
    struct dyno_openai_stop stops[DYNO_OPENAI_STOP_MAX];
    uint32_t stop_count;
    struct dyno_openai_bias *biases; /* [bias_count], no token twice; owned */
    uint32_t bias_count;
};

/* The values that a request starts from: those of the API. */
struct dyno_openai_sampling dyno_openai_sampling_default(void);

/* What may be asked.  A server sets this up once. */
struct dyno_openai_rules {
    size_t body_bytes_max;
    uint32_t depth_max;   /* of objects and arrays in each other */
    uint32_t values_max;  /* of all values in a body, an object or array counting 8: what bounds the
                             memory of a parsed one */
    uint32_t vocab;       /* tokens in a body are below; 0: not checked */
    uint32_t prompts_max; /* of one request for completions or embeddings */
    struct dyno_openai_sampling defaults; /* what is not said; stops and biases are left out */
};

/* 16 MiB, 64 deep, 2 Mi values, no vocab, 2048 prompts, the API's sampling. */
struct dyno_openai_rules dyno_openai_rules_default(void);

enum dyno_openai_format_kind {
    DYNO_OPENAI_FORMAT_TEXT,
    DYNO_OPENAI_FORMAT_JSON_OBJECT,
    DYNO_OPENAI_FORMAT_JSON_SCHEMA,
};

struct dyno_openai_format {
    enum dyno_openai_format_kind kind;
    const char *name;     /* JSON_SCHEMA: its name */
    const json_t *schema; /* JSON_SCHEMA: an object; not checked to be a schema */
    bool strict;
};

enum dyno_openai_tool_choice {
    DYNO_OPENAI_TOOL_NONE, /* also where there are no tools */
    DYNO_OPENAI_TOOL_AUTO,
    DYNO_OPENAI_TOOL_REQUIRED,
    DYNO_OPENAI_TOOL_NAMED,
};

/* Functions that the model may call. */
struct dyno_openai_tools {
    json_t *list; /* NULL or not empty: [{type: "function", function: {name, ...}}]; owned */
    enum dyno_openai_tool_choice choice;
    const char *named; /* NAMED: one of the list */
    bool parallel;     /* more than one call in an answer */
};

/* What every request has. */
struct dyno_openai_head {
    json_t *body;        /* owned: the texts of all members are in it */
    const char *model;   /* not empty */
    const char *session; /* prompt_cache_key, else user; NULL: neither */
    int32_t priority;    /* lower is earlier, as in vLLM */
    bool stream;
    bool include_usage; /* stream_options: usage in a chunk of its own at the end */
};

#endif

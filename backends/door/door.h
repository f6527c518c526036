/* The front door: an OpenAI-compatible server before a fleet.
 *
 * One thread runs it (dyno_door_run): HTTP, JSON, templates and tokenizers are its work, and turns
 * of the loop where it may help.  The loop has a thread of its own and sees the door as a source
 * and a sink; between the two stands a desk (desk.h).  docs/serving.md says what is served.
 */
#ifndef DYNO_BACKENDS_DOOR_DOOR_H
#define DYNO_BACKENDS_DOOR_DOOR_H

#include "backends/assets/tokenizer/tokenizer_file.h"
#include "backends/door/desk.h"
#include "backends/http/server.h"
#include "backends/posix/log.h"
#include "core/base/status.h"
#include "core/model/request.h"

struct dyno_door;
struct dyno_nvml_watch;

/* What is served: a model by its name, and how its texts become tokens.  Nothing is owned. */
struct dyno_door_model {
    const char *name;
    const struct dyno_tokenizer_file *file; /* with its chat template, if there is one; NULL: of
                                             * a door that relays and does not measure */
    uint32_t vocab;                         /* of the weights: tokens are below it */
    uint32_t context;                       /* tokens of prompt and answer together; 0: not known */
    uint32_t dimensions;                    /* of the vectors it makes of texts; 0: it makes none */
    bool scores;                            /* its devices tell how likely prompts are */
    const uint32_t *eos;                    /* [eos_count] tokens that end a text */
    uint32_t eos_count;
    uint64_t block_bytes;  /* of the KV cache of its workers; 0: unknown */
    uint32_t worker_count; /* of it, if there are several models */
};

struct dyno_door_config {
    struct dyno_http_config http;                   /* its callbacks are the door's */
    struct dyno_desk_config desk;                   /* `news` and `left` are the door's */
    struct dyno_door_model models[DYNO_MODELS_MAX]; /* [model_count], as the fleet numbers them */
    uint32_t model_count;
    /* Have the loop take in what was left at the desk, from the door's thread and perhaps by it
     * (dyno_turns_help); NULL: its clock is woken. */
    void (*help)(void *context);
    void *help_context;
    /* The fleet is other servers: requests are passed on as they came (docs/remote.md).  Lengths of
     * prompts are those of the model's tokenizer if `measures`, else guessed. */
    bool relays, measures;
    dyno_ns retry_ns;      /* after which it may be asked again when no worker is there */
    uint32_t block_tokens; /* of the fleet's KV cache */
    /* A device that computes nothing: how long an answer is that nobody limits, by a draw from 64
     * random bits; NULL: the device computes. */
    uint32_t (*pretend)(void *context, uint64_t draw);
    void *pretend_context;
    const char *cors_origin; /* whom browsers let in: "*", one origin, or NULL: nobody else */
    const char *keys_path;   /* a file of API keys (keys.h); NULL: anybody may ask */
    const char *salt;    /* a secret by which identities of blocks and sessions are the same after a
                            restart; NULL: they are not */
    const char *version; /* the program's */
    bool vllm_names;     /* metrics also under vLLM's names */
    bool has_planner;    /* the fleet's size is decided while it serves */
    uint32_t prefill_from; /* workers from this number on compute prompts for those before it; 0:
                              every worker serves whole requests */
    struct dyno_nvml_watch *gpus; /* GPUs that /metrics tells of; not owned; NULL: none */
    struct dyno_log *log;         /* not owned; NULL: none */
};

/* Listens when it returns.  On success *out is closed with dyno_door_close, after the loop.
 * Errors: those of dyno_http_server_open, dyno_tokenizer_open and dyno_template_open. */
dyno_status dyno_door_open(struct dyno_door **out, const struct dyno_door_config *config,
                           struct dyno_error *error);

/* After the loop and before the clock goes: cut the clients that are left, and count what became of
 * them.  NULL: no effect. */
void dyno_door_hang_up(struct dyno_door *door);
void dyno_door_close(struct dyno_door *door); /* NULL: no effect */

uint16_t dyno_door_port(const struct dyno_door *door);
struct dyno_desk *dyno_door_desk(struct dyno_door *door); /* for the loop */

/* Serve until dyno_door_stop has done its work, or the loop has abandoned the desk and all was
 * told.  Errors: those of dyno_http_server_run. */
dyno_status dyno_door_run(struct dyno_door *door, struct dyno_error *error);

/* From any thread, or a signal's handler: let nobody in any more, finish what is in flight within
 * `grace_ns`, and let run return. */
void dyno_door_stop(struct dyno_door *door, dyno_ns grace_ns);

#endif

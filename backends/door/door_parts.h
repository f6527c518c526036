/* The parts of a door that its files share; private to this folder. */
#ifndef DYNO_BACKENDS_DOOR_DOOR_PARTS_H
#define DYNO_BACKENDS_DOOR_DOOR_PARTS_H

#include <jansson.h>
#include <stdatomic.h>

#include "backends/assets/template/template.h"
#include "backends/assets/tokenizer/tokenizer.h"
#include "backends/door/door.h"
#include "backends/door/keys.h"
#include "backends/door/said.h"
#include "backends/door/telemetry.h"
#include "backends/openai/chat.h"
#include "backends/openai/completion.h"
#include "backends/openai/embedding.h"
#include "backends/openai/events.h"
#include "backends/openai/response.h"
#include "backends/openai/stream.h"
#include "backends/openai/tool_call.h"
#include "backends/posix/trace_context.h"

enum { DYNO_DOOR_REQUEST_ID_MAX = 128, DYNO_DOOR_HEADERS_MAX = 12 };

struct dyno_call;

/* A model that is served: how its texts become tokens and back. */
struct dyno_served_model {
    const struct dyno_door_model *model; /* the door's */
    uint32_t number;                     /* by which the fleet knows it */
    struct dyno_tokenizer *tokenizer;    /* NULL: texts are passed on */
    uint32_t *eos;                       /* [eos_count] those of weights and tokenizer */
    uint32_t eos_count;
    size_t text_bytes_max;                           /* no longer text can fit into the context */
    struct dyno_template *template_, *tool_template; /* NULL: the model has none */
    enum dyno_openai_call_form call_form;            /* in which it writes calls of tools */
    struct dyno_constraints *constraints;            /* NULL: of a fleet that computes nothing */
    struct dyno_telemetry *telemetry; /* where its requests are told of; the door\'s */
};

/* Who asks, of the exchange at hand. */
struct dyno_door_asker {
    char request_id[DYNO_DOOR_REQUEST_ID_MAX]; /* the client's own, or one made for it */
    uint32_t tenant;                           /* the number of its key; 0: there are none */
    dyno_ns arrival_ns;
    struct dyno_trace_context trace; /* what it is part of; begun here if the client says nothing */
};

struct dyno_clerk;

/* What makes calls of requests: buffers and random numbers of one thread.  The door's thread has
 * one, its clerk another. */
struct dyno_scribe {
    struct dyno_door *door;                         /* of which it reads what does not change */
    struct dyno_encoder *encoders[DYNO_MODELS_MAX]; /* by model; NULL: texts are passed on */
    const struct dyno_served_model *served;         /* whom the request at hand asks for */
    uint64_t chance;                                /* what random numbers are drawn from */
    uint64_t draws;                                 /* random numbers given out: ids and seeds */
    struct dyno_span *spans; /* [span_capacity] of the prompt looked at last */
    uint32_t span_capacity;
    struct dyno_bytes out;         /* a reply that is there at once, or a text */
    bool hurries;                  /* what takes long is not begun, but ... */
    bool gave_up;                  /* ... told: it is the clerk's */
    const atomic_bool *is_dropped; /* nobody waits any more for what is being made; NULL: all do */
};

struct dyno_door {
    struct dyno_door_config config;
    struct dyno_http_server *server;
    struct dyno_desk *desk;
    struct dyno_clerk *clerk;  /* for requests that take long to understand */
    struct dyno_scribe scribe; /* the door's own thread's */
    struct dyno_served_model served[DYNO_MODELS_MAX]; /* [config.model_count] */
    struct dyno_openai_rules rules;
    uint64_t salt;          /* of identities of blocks and sessions */
    uint64_t created_s;     /* when it was opened */
    struct dyno_bytes out;  /* a reply being written */
    struct dyno_keys *keys; /* NULL: anybody may ask */
    struct dyno_telemetry *telemetry;
    struct dyno_sample_record *samples; /* [worker_count] scratch */
    struct dyno_door_asker asker;       /* of the request being handled */
};

/* A request to be made a call of. */
struct dyno_order {
    struct dyno_door_asker asker;
    const char *body; /* [size] */
    size_t size;
    const char *trace_state; /* that goes with the client's own trace; NULL: none */
};

/* Make a call of a request, on whatever thread the scribe is of.  On success *out is the caller's
 * to start or drop, or NULL: the answer is there, in scribe->out, as JSON. */
typedef dyno_status dyno_door_maker(struct dyno_scribe *scribe, const struct dyno_order *order,
                                    struct dyno_call **out, struct dyno_openai_error *error);

/* What an exchange waits for: the first member of whatever its data is. */
struct dyno_guest {
    /* Its client has gone. */
    void (*gone)(struct dyno_guest *guest);
};

/* ---- door.c ---- */
uint64_t dyno_door_now_s(void);

dyno_ns dyno_door_now(const struct dyno_door *door); /* by the loop's clock */

/* ---- reply.c: answers that are there at once ---- */
/* The identity of the asker's trace, for the log.  Returns `out`. */
enum { DYNO_DOOR_TRACE_MAX = 33 };
const char *dyno_door_trace_text(const struct dyno_door_asker *asker,
                                 char out[DYNO_DOOR_TRACE_MAX]);
/* Headers that every answer has; `type` is its content's, NULL: it has none. */
struct dyno_door_headers {
    struct dyno_http_header list[DYNO_DOOR_HEADERS_MAX];
    uint32_t count;
};
struct dyno_door_headers dyno_door_headers(const struct dyno_door *door,
                                           const struct dyno_door_asker *asker, const char *type);
void dyno_door_add_header(struct dyno_door_headers *headers, const char *name, const char *value);
/* Answer, count it and log it. */
void dyno_door_reply(struct dyno_door *door, struct dyno_http_exchange *exchange,
                     const struct dyno_door_asker *asker, uint16_t status,
                     const struct dyno_door_headers *headers, const void *body, size_t size);
void dyno_door_reply_json(struct dyno_door *door, struct dyno_http_exchange *exchange,
                          const struct dyno_door_asker *asker, const struct dyno_bytes *body);
/* `retry_ns`: after how long it may be tried again, for 429 and 503. */
void dyno_door_refuse(struct dyno_door *door, struct dyno_http_exchange *exchange,
                      const struct dyno_door_asker *asker, const struct dyno_openai_error *error,
                      dyno_ns retry_ns);

/* The same for a request to generate, which is counted. */
void dyno_door_refuse_generation(struct dyno_door *door, struct dyno_http_exchange *exchange,
                                 const struct dyno_openai_error *error);
/* The same where door->out is what is said. */
void dyno_door_reply_refusal(struct dyno_door *door, struct dyno_http_exchange *exchange,
                             const struct dyno_door_asker *asker, uint32_t http_status,
                             dyno_ns retry_ns);

/* ---- watch.c: what the server tells of itself ---- */
/* Take what the fleet has shown. */
void dyno_door_look(struct dyno_door *door);
/* A request to generate was refused before the fleet saw it. */
void dyno_door_count_refused(struct dyno_door *door, enum dyno_refusal why);

/* ---- served.c: what a model's texts go through ---- */
/* Released in any case.  Errors: DYNO_NO_MEMORY and those of what is opened. */
dyno_status dyno_served_model_open(struct dyno_served_model *served, const struct dyno_door *door,
                                   uint32_t number, struct dyno_error *error);
void dyno_served_model_release(struct dyno_served_model *served);
/* "chat, code": as much of the names as there is room for. */
void dyno_door_list_models(const struct dyno_door *door, char *out, size_t size);
/* The model of that name; if there is none, *error says so. */
dyno_status dyno_door_find_model(const struct dyno_door *door, const char *model,
                                 const struct dyno_served_model **out,
                                 struct dyno_openai_error *error);

/* Requests are read before it is known whose tokens they name; `param` is the field. */
dyno_status dyno_served_model_check_token(const struct dyno_served_model *served, uint32_t token,
                                          const char *param, struct dyno_openai_error *error);

/* ---- scribe.c ---- */
/* Errors: DYNO_NO_MEMORY and those of dyno_encoder_open.  Released in any case. */
dyno_status dyno_scribe_init(struct dyno_scribe *scribe, struct dyno_door *door, uint64_t chance,
                             struct dyno_error *error);
void dyno_scribe_release(struct dyno_scribe *scribe);
/* What follows is for the model of that name; its error is dyno_door_find_model's. */
dyno_status dyno_scribe_choose(struct dyno_scribe *scribe, const char *model,
                               struct dyno_openai_error *error);
/* 64 random bits. */
uint64_t dyno_scribe_draw(struct dyno_scribe *scribe);
/* Answer the exchange by what `make` makes of its request, now or when the clerk has made it. */
void dyno_door_take_order(struct dyno_door *door, struct dyno_http_exchange *exchange,
                          dyno_door_maker *make, bool generates);
/* The same, once it was made: start the call, or reply what is in `out`, or refuse. */
void dyno_door_fill_order(struct dyno_door *door, struct dyno_http_exchange *exchange,
                          dyno_status status, struct dyno_call *call, const struct dyno_bytes *out,
                          struct dyno_openai_error *error, bool generates);

/* ---- prompt.c: texts and messages become tokens ---- */
struct dyno_door_prompt {
    const uint32_t *tokens; /* [count], the scribe's until the next prompt */
    uint32_t count;
    bool rendered; /* by a template: the answer begins a text */
};
dyno_status dyno_scribe_text(struct dyno_scribe *scribe, const char *text, size_t size, bool around,
                             struct dyno_door_prompt *out, struct dyno_openai_error *error);
dyno_status dyno_scribe_tokens(const struct dyno_scribe *scribe, const uint32_t *tokens,
                               size_t count, struct dyno_door_prompt *out,
                               struct dyno_openai_error *error);

/* Messages for a template, and what else it is given. */
struct dyno_door_messages {
    const json_t *messages, *tools, *arguments; /* tools, arguments: NULL: none */
    bool begin_answer;
    bool around; /* tokens that begin and end a text, beside those of the template */
};
dyno_status dyno_scribe_chat(struct dyno_scribe *scribe, const struct dyno_door_messages *chat,
                             struct dyno_door_prompt *out, struct dyno_openai_error *error);
/* One of the prompts of the request's field `param`, whichever of the two above it is. */
dyno_status dyno_scribe_given(struct dyno_scribe *scribe, const struct dyno_openai_prompt *given,
                              const char *param, struct dyno_door_prompt *out,
                              struct dyno_openai_error *error);
/* The prompt's length leaves room for an answer; else *error names the field `param`. */
dyno_status dyno_scribe_check_length(const struct dyno_scribe *scribe,
                                     const struct dyno_door_prompt *prompt, const char *param,
                                     struct dyno_openai_error *error);
/* Identities of the prompt's whole blocks, the scribe's until the next; DYNO_NO_MEMORY. */
dyno_status dyno_scribe_spans(struct dyno_scribe *scribe, const struct dyno_door_prompt *prompt,
                              uint32_t tenant, uint32_t *count);
/* The same of a text whose tokens are not known: four bytes are taken for one. */
enum { DYNO_DOOR_BYTES_A_TOKEN = 4 };
dyno_status dyno_scribe_spans_of_text(struct dyno_scribe *scribe, const char *text, size_t size,
                                      uint32_t tenant, uint32_t *count);

/* ---- call.c: an HTTP request that waits for answers of the fleet ---- */
enum dyno_call_kind {
    DYNO_CALL_CHAT,
    DYNO_CALL_COMPLETION,
    DYNO_CALL_RESPONSE,
    DYNO_CALL_EMBEDDING, /* its choices are vectors */
};

/* One of its choices. */
struct dyno_choice {
    struct dyno_call *call;
    struct dyno_answer *answer; /* NULL: ended */
    struct dyno_bytes text;     /* of an answer that is told as a whole; what is echoed first */
    bool echoes;                /* it begins with the prompt, which was not said yet, ... */
    bool shows_control;         /* ... as its tokens are written, control tokens among them */
    struct dyno_said said;      /* its tokens, if how likely they were is asked for ... */
    size_t said_offset;         /* ... and characters of text before those of a stream */
    struct dyno_openai_call_reader reader; /* of an answer that may call tools */
    uint32_t calls_told;                   /* of those it has read; of the last of them ... */
    size_t arguments_told;                 /* ... so many bytes */
    bool is_call_open;                     /* RESPONSE: its end was not told */
    uint32_t index;
    dyno_ns last_token_ns; /* when the door heard of it; 0: of none yet */
    enum dyno_openai_finish finish;
    bool began;
};

/* What a call that is passed on keeps of its answer. */
struct dyno_relay {
    bool include_usage;
    bool is_cut;     /* it ended at its limit of tokens */
    bool told_error; /* by the endpoint, within the stream */
    json_t *whole;   /* of an answer that is told as a whole, so far; NULL: nothing yet */
    size_t bytes;    /* of all events */
};

struct dyno_call {
    struct dyno_guest guest; /* its first member */
    struct dyno_door *door;
    const struct dyno_served_model *served; /* the model that it is for */
    struct dyno_http_exchange *exchange;    /* NULL: not started, or its client has gone */
    enum dyno_call_kind kind;
    bool streams, began, logprobs;
    uint64_t score_count; /* probabilities of its prompts */
    bool scores, mute;    /* as in struct dyno_answer_config, of all its answers */
    char id[DYNO_OPENAI_ID_MAX];
    struct dyno_door_asker asker;
    uint64_t created_s;
    struct dyno_openai_stream stream; /* of chat and completions that stream */
    struct dyno_openai_events events; /* of responses, streamed or not */
    struct dyno_relay *relay;         /* it is passed on; NULL: answered from tokens */
    json_t *body;                     /* what `tools` lies in */
    struct dyno_openai_tools tools;   /* that may be called; list NULL: none */
    bool is_constrained;              /* every answer must be JSON ... */
    bool is_strict;                   /* ... as strict schemas have it ... */
    json_t *schema;                   /* ... of this schema; NULL: any object */
    struct dyno_choice *choices;      /* [count] */
    uint32_t count, open_count;
    uint32_t choices_each; /* of every prompt */
    const char *param;     /* the field that the prompts added last are from; static */
    uint32_t failed;       /* an HTTP status once a choice has failed */
    /* Of an embedding. */
    uint32_t dimensions;
    bool base64;
    float *vectors; /* [count][dimensions] */
    struct dyno_openai_usage usage;
};

struct dyno_call_config {
    enum dyno_call_kind kind;
    const struct dyno_openai_head *head;
    const struct dyno_openai_sampling *sampling;
    uint32_t prompts;                             /* each gets sampling->choices choices */
    const struct dyno_openai_tools *tools;        /* NULL: none */
    const struct dyno_openai_format *format;      /* NULL: any text */
    const struct dyno_openai_responses *response; /* of a RESPONSE */
    bool echo;                                    /* of a COMPLETION */
    uint32_t dimensions;                          /* of an EMBEDDING's vectors ... */
    bool base64;                                  /* ... and how they are told */
    bool is_relayed;                              /* its answer comes in other servers' words */
};

/* The scribe's: on success the call is the caller's, who adds prompts next. */
dyno_status dyno_call_open(struct dyno_call **out, struct dyno_scribe *scribe,
                           const struct dyno_door_asker *asker,
                           const struct dyno_call_config *config, struct dyno_openai_error *error);
dyno_status dyno_call_add(struct dyno_call *call, struct dyno_scribe *scribe,
                          const struct dyno_door_prompt *prompt,
                          const struct dyno_openai_sampling *sampling,
                          const struct dyno_openai_head *head, const char *param,
                          struct dyno_openai_error *error);
/* Add one choice; `config` lacks its owner and its constraint. */
dyno_status dyno_call_add_choice(struct dyno_call *call, struct dyno_scribe *scribe,
                                 struct dyno_answer_config *config,
                                 struct dyno_openai_error *error);
/* The door's: on success the call is the exchange's, and dies with it; it is dropped otherwise. */
dyno_status dyno_call_start(struct dyno_call *call, struct dyno_http_exchange *exchange,
                            struct dyno_openai_error *error);
/* Nobody waits for it any more: what is in the fleet is given up, and the call goes with its end.
 */
void dyno_call_drop(struct dyno_call *call);
struct dyno_openai_about dyno_call_about(const struct dyno_call *call);

/* ---- echo.c: answers that begin with their prompt ---- */
/* Whether it can be done as it is asked for; else *error says why not. */
dyno_status dyno_call_check_echo(const struct dyno_served_model *served,
                                 const struct dyno_openai_completion *asked,
                                 struct dyno_openai_error *error);
/* Another prompt is to be scored; its error: more than one answer has room for. */
dyno_status dyno_call_count_scores(struct dyno_call *call,
                                   const struct dyno_openai_sampling *sampling,
                                   const struct dyno_door_prompt *prompt,
                                   struct dyno_openai_error *error);
/* Begin the choices added last, from `first` on, with the prompt `asked` for, which was encoded as
 * `prompt`. */
dyno_status dyno_call_echo(struct dyno_call *call, uint32_t first,
                           const struct dyno_openai_prompt *asked,
                           const struct dyno_door_prompt *prompt, struct dyno_openai_error *error);
/* Say the prompt, if it is to be said and was not; false: no memory. */
bool dyno_choice_say_echo(struct dyno_choice *choice, const struct dyno_answer_news *news);

/* ---- format.c: what answers must be ---- */
/* Settle what `config` makes of the call's answers: a schema, any object, a call of a tool. */
dyno_status dyno_call_constrain(struct dyno_call *call, struct dyno_scribe *scribe,
                                const struct dyno_call_config *config,
                                struct dyno_openai_error *error);

/* ---- embeddings.c: choices that are vectors ---- */
void dyno_choice_keep_vector(const struct dyno_choice *choice, const float *vector);
/* The whole answer, into the door's buffer. */
void dyno_call_put_vectors(const struct dyno_call *call);

/* Conversations keep together: the number of one; 0: none. */
uint64_t dyno_call_session(const struct dyno_door *door, const char *session);

/* ---- call_end.c: everything has been said ---- */
/* The line of the log about a stream that has ended. */
void dyno_call_log_stream(const struct dyno_call *call);
/* The call goes with its exchange. */
void dyno_call_end(struct dyno_call *call);

/* ---- call_say.c: what a choice says, in the words of its endpoint ---- */
/* Text of the choice, which may be empty, and the tokens in choice->said, into the door's buffer or
 * what is kept for later.  False: no memory. */
bool dyno_choice_say(struct dyno_choice *choice, const char *text, size_t size);
/* Nothing follows. */
bool dyno_choice_say_end(struct dyno_choice *choice, enum dyno_answer_end end);

/* ---- call_news.c: what is new of one of its choices ---- */
void dyno_call_hear(struct dyno_choice *choice, const struct dyno_answer_news *news);
void dyno_call_begin_stream(struct dyno_call *call);
/* `count` tokens came just now. */
void dyno_choice_count_tokens(struct dyno_choice *choice, uint32_t count);

/* ---- relay.c, relay_news.c: requests that other servers answer ---- */
dyno_status dyno_door_relay(struct dyno_scribe *scribe, const struct dyno_order *order,
                            enum dyno_call_kind kind, struct dyno_call **out,
                            struct dyno_openai_error *error);
void dyno_relay_hear(struct dyno_choice *choice, const struct dyno_answer_news *news);
void dyno_relay_close(struct dyno_relay *relay); /* NULL: no effect */

/* ---- the endpoints ---- */
typedef void dyno_door_handler(struct dyno_door *door, struct dyno_http_exchange *exchange);

dyno_door_maker dyno_door_chat;
dyno_door_maker dyno_door_completions;
dyno_door_maker dyno_door_responses;
dyno_door_maker dyno_door_embeddings;
dyno_door_maker dyno_door_tokenize;
dyno_door_maker dyno_door_detokenize;
dyno_door_handler dyno_door_models;
dyno_door_handler dyno_door_model; /* a path that begins with this one: */
#define DYNO_DOOR_MODELS_PATH "/v1/models/"
dyno_door_handler dyno_door_health;
dyno_door_handler dyno_door_openapi;
dyno_door_handler dyno_door_metrics;
dyno_door_handler dyno_door_root;
dyno_door_handler dyno_door_dashboard;
dyno_door_handler dyno_door_dashboard_data;

#endif

/* The parts of an answer that answer.c and desk.c share; private to this folder. */
#ifndef DYNO_BACKENDS_DOOR_ANSWER_PARTS_H
#define DYNO_BACKENDS_DOOR_ANSWER_PARTS_H

#include "backends/door/answer.h"
#include "backends/engine/generation.h"

struct dyno_desk;

/* News that nobody has taken yet. */
struct dyno_answer_page {
    char *text;                       /* [text_capacity] */
    struct dyno_answer_token *tokens; /* [token_capacity] */
    uint32_t text_size, text_capacity;
    uint32_t token_count, token_capacity;
    struct dyno_logprob *tops; /* [top_capacity] */
    uint32_t top_count, top_capacity;
};

/* What is known of a token beside its text. */
struct dyno_answer_choice {
    struct dyno_logprob chosen;
    struct dyno_logprob tops[DYNO_ANSWER_TOPS_MAX];
    uint32_t top_count;
};

/*   OPEN -> POSTED [dyno_desk_post] -> IN_FLEET [the loop takes it] -> ENDED [its record]
 *   OPEN -> gone [release]     ENDED -> gone [release, before or after] */
enum dyno_answer_place { ANSWER_OPEN, ANSWER_POSTED, ANSWER_IN_FLEET, ANSWER_ENDED };

struct dyno_answer {
    struct dyno_generation generation; /* its first member */
    struct dyno_errand errand;         /* if config.errand */
    struct dyno_answer_config config;
    uint32_t *prompt;        /* [config.prompt_tokens]; NULL once the loop has taken it */
    struct dyno_span *spans; /* [config.span_count] */
    struct dyno_detokenizer *detokenizer;
    struct dyno_logit_bias *bias; /* [bias_count + eos_count]: what was asked for, then the ends */
    uint32_t bias_count;
    uint32_t filler_words;            /* of dyno_filler_words, for its stops */
    struct dyno_answer_choice latest; /* of choose, for took */
    uint32_t generated;
    bool stopped;
    struct dyno_answer_prompt scores;        /* if config.scores, of ... */
    struct dyno_answer_token *prompt_scores; /* [config.prompt_tokens] */
    struct dyno_logprob *prompt_tops;        /* [config.prompt_tokens][config.top_logprobs] */
    float *vector; /* [config.dimensions]; NULL: there is none, or none yet */
    /* The desk's: behind its lock. */
    struct dyno_desk *desk; /* NULL: not posted */
    enum dyno_answer_place place;
    struct dyno_answer *next; /* in the line it stands in (answer_line.h): posted, or with news */
    bool has_news, is_released;
    uint64_t id; /* of the request, in fleet */
    struct dyno_answer_stamps stamps;
    struct dyno_answer_page pages[2]; /* one is written, one is being read by the door */
    uint32_t written;
    bool out_of_memory;
    uint32_t refused;                  /* an HTTP status in place of an answer */
    struct dyno_request_record record; /* once ended */
};

/* answer_score.c: room for what is told of the prompt, if that is wanted; false: no memory. */
bool dyno_answer_open_scores(struct dyno_answer *answer);
/* Of a generation whose prompt is scored (backends/engine/generation.h). */
void dyno_answer_score(struct dyno_generation *generation, uint32_t position, const float *logits,
                       uint32_t vocab, const struct dyno_transcript *transcript);
/* Whether all of the prompt was scored, if that is wanted. */
bool dyno_answer_is_scored(const struct dyno_answer *answer);

void dyno_answer_free(struct dyno_answer *answer);

/* Of an answer that is a vector. */
extern const struct dyno_generation_ops dyno_answer_vector_ops;

/* Add text to the page being written, and the token that let it out; false: no memory. */
bool dyno_answer_write_text(struct dyno_answer *answer, struct dyno_text_piece piece);
bool dyno_answer_write_token(struct dyno_answer *answer, uint32_t token);

/* The desk's: the answer has news for the door. */
void dyno_desk_lock(struct dyno_desk *desk);
void dyno_desk_unlock(struct dyno_desk *desk);
void dyno_desk_unlock_with_news(struct dyno_desk *desk, struct dyno_answer *answer);

#endif

#include "backends/door/constraint.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "backends/grammar/masks.h"

enum { MASKS_BYTES_MAX = 4 << 20 }; /* of one answer's; they stay with their grammar */

/* A grammar, and what answers have left of it. */
struct entry {
    json_t *schema; /* NULL: any object */
    bool strict;
    struct dyno_grammar *grammar;
    struct dyno_constraint *idle; /* given back, with their masks */
    uint32_t taken;               /* constraints that are out */
    uint64_t used;                /* when it was asked for last */
};

struct dyno_constraint {
    struct dyno_constraints *owner;
    struct entry *entry;
    struct dyno_constraint *next; /* in idle */
    struct dyno_grammar_masks *masks;
    uint64_t *allowed; /* [(vocab + 63) / 64] */
    struct dyno_grammar_state state;
};

struct dyno_constraints {
    struct dyno_token_trie *trie;
    uint32_t vocab;
    uint32_t *ends; /* [end_count] */
    uint32_t end_count;
    /* Of those who take: over the next two.  It may be held while schemas are compared. */
    pthread_mutex_t table_lock;
    struct entry *entries[DYNO_CONSTRAINTS_KEPT]; /* NULL: unused */
    uint64_t asked;
    pthread_mutex_t lock; /* over what is out of an entry, and what is idle; taken last */
};

/* ---- entries --------------------------------------------------------------------------------- */

static void free_constraint(struct dyno_constraint *constraint)
{
    dyno_grammar_masks_close(constraint->masks);
    free(constraint->allowed);
    free(constraint);
}

static void free_entry(struct entry *entry)
{
    while (entry->idle) {
        struct dyno_constraint *next = entry->idle->next;

        free_constraint(entry->idle);
        entry->idle = next;
    }
    dyno_grammar_close(entry->grammar);
    json_decref(entry->schema);
    free(entry);
}

/* One schema: the order of properties counts, for strict answers keep to it. */
static bool is_same(const json_t *a, const json_t *b)
{
    char *first = json_dumps(a, JSON_COMPACT | JSON_ENCODE_ANY);
    char *second = json_dumps(b, JSON_COMPACT | JSON_ENCODE_ANY);
    bool same = first && second && strcmp(first, second) == 0;

    free(first);
    free(second);
    return same;
}

static struct entry *find(const struct dyno_constraints *constraints, const json_t *schema,
                          bool strict)
{
    for (uint32_t i = 0; i < DYNO_CONSTRAINTS_KEPT; i++) {
        struct entry *entry = constraints->entries[i];
        bool is_it = entry && entry->strict == strict &&
                     (schema ? entry->schema && json_equal(entry->schema, schema) &&
                                   is_same(entry->schema, schema)
                             : !entry->schema);

        if (is_it) {
            return entry;
        }
    }
    return NULL;
}

/* Put it where nothing is, or in the place of the one that was not asked for the longest and is not
 * used.  False: all are. */
static bool keep(struct dyno_constraints *constraints, struct entry *entry)
{
    struct entry **place = NULL;

    for (uint32_t i = 0; i < DYNO_CONSTRAINTS_KEPT; i++) {
        struct entry **each = &constraints->entries[i];

        if (!*each) {
            place = each;
            break;
        }
        if ((*each)->taken == 0 && (!place || (*each)->used < (*place)->used)) {
            place = each;
        }
    }
    if (!place) {
        return false;
    }
    if (*place) {
        free_entry(*place);
    }
    *place = entry;
    return true;
}

/* NULL on failure. */
static struct entry *make_entry(const json_t *schema, bool strict, struct dyno_error *error)
{
    struct dyno_grammar_options options = {.strict = strict};
    struct entry *entry = calloc(1, sizeof *entry);
    dyno_status status = DYNO_NO_MEMORY;

    if (entry) {
        entry->strict = strict;
        entry->schema = schema ? json_deep_copy(schema) : NULL;
        if (entry->schema) {
            status = dyno_grammar_of_schema(&entry->grammar, entry->schema, &options, error);
        } else if (!schema) {
            status = dyno_grammar_of_any(&entry->grammar, true, error);
        }
    }
    if (status == DYNO_OK) {
        return entry;
    }
    if (entry) {
        free_entry(entry);
    }
    if (status == DYNO_NO_MEMORY) {
        (void)dyno_fail(error, status, "out of memory for a grammar");
    }
    return NULL;
}

/* One more constraint of it is out. */
static void take_out(struct dyno_constraints *constraints, struct entry *entry)
{
    (void)pthread_mutex_lock(&constraints->lock);
    entry->taken++;
    (void)pthread_mutex_unlock(&constraints->lock);
    entry->used = constraints->asked++;
}

/* Keep what was made, unless somebody else has made it meanwhile; NULL: there is no place. */
static struct entry *keep_or_find(struct dyno_constraints *constraints, struct entry *made)
{
    struct entry *entry = find(constraints, made->schema, made->strict);
    bool is_kept = false;

    if (!entry) {
        (void)pthread_mutex_lock(&constraints->lock);
        is_kept = keep(constraints, made);
        (void)pthread_mutex_unlock(&constraints->lock);
        entry = is_kept ? made : NULL;
    }
    if (!is_kept) {
        free_entry(made);
    }
    return entry;
}

/* An entry of which one more constraint is out.  It is made without a lock: a schema may take long.
 * NULL on failure. */
static struct entry *find_or_make(struct dyno_constraints *constraints, const json_t *schema,
                                  bool strict, struct dyno_error *error)
{
    struct entry *entry, *made = NULL;

    (void)pthread_mutex_lock(&constraints->table_lock);
    entry = find(constraints, schema, strict);
    if (!entry) {
        (void)pthread_mutex_unlock(&constraints->table_lock);
        made = make_entry(schema, strict, error);
        if (!made) {
            return NULL;
        }
        (void)pthread_mutex_lock(&constraints->table_lock);
        entry = keep_or_find(constraints, made);
    }
    if (entry) {
        take_out(constraints, entry);
    }
    (void)pthread_mutex_unlock(&constraints->table_lock);
    if (!entry) {
        (void)dyno_fail(error, DYNO_FULL,
                        "answers to %d different schemas are being made, which is as many as the "
                        "server takes at once",
                        DYNO_CONSTRAINTS_KEPT);
    }
    return entry;
}

bool dyno_constraint_is_kept(struct dyno_constraints *constraints, const json_t *schema,
                             bool strict)
{
    bool is_kept;

    (void)pthread_mutex_lock(&constraints->table_lock);
    is_kept = find(constraints, schema, strict) != NULL;
    (void)pthread_mutex_unlock(&constraints->table_lock);
    return is_kept;
}

/* ---- constraints ----------------------------------------------------------------------------- */

static dyno_status make_constraint(struct dyno_constraints *constraints, struct entry *entry,
                                   struct dyno_constraint **out, struct dyno_error *error)
{
    struct dyno_constraint *made = calloc(1, sizeof *made);
    struct dyno_grammar_masks_options options = {.vocab = constraints->vocab,
                                                 .ends = constraints->ends,
                                                 .end_count = constraints->end_count,
                                                 .bytes_max = MASKS_BYTES_MAX};
    dyno_status status;

    if (!made) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for a grammar");
    }
    made->owner = constraints;
    made->entry = entry;
    made->allowed = calloc((constraints->vocab + 63) / 64, sizeof *made->allowed);
    status = made->allowed ? dyno_grammar_masks_open(&made->masks, entry->grammar,
                                                     constraints->trie, &options, error)
                           : dyno_fail(error, DYNO_NO_MEMORY, "out of memory for a grammar");
    if (status != DYNO_OK) {
        free_constraint(made);
        return status;
    }
    *out = made;
    return DYNO_OK;
}

/* One that was given back, its masks warm; NULL: there is none. */
static struct dyno_constraint *take_idle(struct dyno_constraints *constraints, struct entry *entry)
{
    struct dyno_constraint *idle;

    (void)pthread_mutex_lock(&constraints->lock);
    idle = entry->idle;
    entry->idle = idle ? idle->next : NULL;
    (void)pthread_mutex_unlock(&constraints->lock);
    return idle;
}

dyno_status dyno_constraint_take(struct dyno_constraints *constraints, const json_t *schema,
                                 bool strict, struct dyno_constraint **out,
                                 struct dyno_error *error)
{
    struct entry *entry = find_or_make(constraints, schema, strict, error);
    struct dyno_constraint *constraint = entry ? take_idle(constraints, entry) : NULL;

    if (!entry) {
        return error->status;
    }
    if (!constraint && make_constraint(constraints, entry, &constraint, error) != DYNO_OK) {
        (void)pthread_mutex_lock(&constraints->lock);
        entry->taken--;
        (void)pthread_mutex_unlock(&constraints->lock);
        return error->status;
    }
    dyno_grammar_begin(entry->grammar, &constraint->state);
    *out = constraint;
    return DYNO_OK;
}

void dyno_constraint_give(struct dyno_constraint *constraint)
{
    struct dyno_constraints *owner = constraint ? constraint->owner : NULL;

    if (!owner) {
        return;
    }
    (void)pthread_mutex_lock(&owner->lock);
    constraint->entry->taken--;
    constraint->next = constraint->entry->idle;
    constraint->entry->idle = constraint;
    (void)pthread_mutex_unlock(&owner->lock);
}

const uint64_t *dyno_constraint_mask(struct dyno_constraint *constraint)
{
    uint32_t count = dyno_grammar_mask(constraint->masks, &constraint->state, constraint->allowed);

    return count > 0 ? constraint->allowed : NULL;
}

void dyno_constraint_advance(struct dyno_constraint *constraint, uint32_t token)
{
    struct dyno_token_bytes bytes = dyno_token_trie_token(constraint->owner->trie, token);

    (void)dyno_grammar_advance(constraint->entry->grammar, &constraint->state, bytes.bytes,
                               bytes.size);
}

/* ---- open and close -------------------------------------------------------------------------- */

dyno_status dyno_constraints_open(struct dyno_constraints **out,
                                  const struct dyno_vocabulary *vocabulary, uint32_t vocab,
                                  const uint32_t *ends, uint32_t end_count,
                                  struct dyno_error *error)
{
    struct dyno_constraints *constraints = calloc(1, sizeof *constraints);
    dyno_status status;

    if (!constraints || pthread_mutex_init(&constraints->lock, NULL) != 0 ||
        pthread_mutex_init(&constraints->table_lock, NULL) != 0) {
        free(constraints);
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for grammars");
    }
    constraints->vocab = vocab;
    constraints->end_count = end_count;
    constraints->ends = calloc(end_count + 1, sizeof *constraints->ends);
    for (uint32_t i = 0; constraints->ends && i < end_count; i++) {
        constraints->ends[i] = ends[i];
    }
    status = constraints->ends ? dyno_token_trie_open(&constraints->trie, vocabulary, error)
                               : dyno_fail(error, DYNO_NO_MEMORY, "out of memory for grammars");
    if (status != DYNO_OK) {
        dyno_constraints_close(constraints);
        return status;
    }
    *out = constraints;
    return DYNO_OK;
}

void dyno_constraints_close(struct dyno_constraints *constraints)
{
    if (!constraints) {
        return;
    }
    for (uint32_t i = 0; i < DYNO_CONSTRAINTS_KEPT; i++) {
        if (constraints->entries[i]) {
            free_entry(constraints->entries[i]);
        }
    }
    dyno_token_trie_close(constraints->trie);
    free(constraints->ends);
    (void)pthread_mutex_destroy(&constraints->lock);
    (void)pthread_mutex_destroy(&constraints->table_lock);
    free(constraints);
}

#include "reports/drift.h"

#include <math.h>

static const char *const labels[DYNO_DRIFT_CLASSES] = {
    "prompt < 1k tokens", "prompt 1k to 4k",  "prompt 4k to 16k", "prompt 16k and more",
    "answer < 64 tokens", "answer 64 to 256", "answer 256 to 1k", "answer 1k and more",
};

static uint32_t prompt_class(uint32_t tokens)
{
    return tokens < 1024 ? 0 : tokens < 4096 ? 1 : tokens < 16384 ? 2 : 3;
}

static uint32_t answer_class(uint32_t tokens)
{
    return tokens < 64 ? 4 : tokens < 256 ? 5 : tokens < 1024 ? 6 : 7;
}

/* What is summed for a class. */
struct sums {
    uint32_t completed;
    double ttft[2], e2e[2];
};

static void add(struct dyno_drift_class *class, struct sums *sums,
                const struct dyno_request_record *const pair[2], bool changed)
{
    class->requests++;
    class->changed += changed;
    if (pair[0]->outcome != DYNO_COMPLETED || pair[1]->outcome != DYNO_COMPLETED) {
        return;
    }
    sums->completed++;
    for (int side = 0; side < 2; side++) {
        sums->ttft[side] += (double)(pair[side]->first_token_ns - pair[side]->arrival_ns) * 1e-6;
        sums->e2e[side] += (double)(pair[side]->last_token_ns - pair[side]->arrival_ns) * 1e-6;
    }
}

static void divide(struct dyno_drift_class *class, const struct sums *sums)
{
    for (int side = 0; side < 2; side++) {
        class->ttft_ms[side] = sums->completed ? sums->ttft[side] / sums->completed : NAN;
        class->e2e_ms[side] = sums->completed ? sums->e2e[side] / sums->completed : NAN;
    }
}

static void tally(struct dyno_drift *out, const struct dyno_pairing *pairing)
{
    struct sums sums[DYNO_DRIFT_CLASSES] = {{.completed = 0}};

    for (uint32_t i = 0; i < pairing->count; i++) {
        const struct dyno_request_record *const pair[2] = {&pairing->records[0][i],
                                                           &pairing->records[1][i]};
        uint32_t prompt = prompt_class(pair[0]->prompt_tokens);
        uint32_t answer = answer_class(pair[0]->output_tokens);
        bool changed = dyno_pairing_differs(pairing, 0, 1, i);

        out->changed += changed;
        out->rerouted += pair[0]->worker != pair[1]->worker;
        add(&out->classes[prompt], &sums[prompt], pair, changed);
        add(&out->classes[answer], &sums[answer], pair, changed);
    }
    for (uint32_t i = 0; i < DYNO_DRIFT_CLASSES; i++) {
        out->classes[i].label = labels[i];
        divide(&out->classes[i], &sums[i]);
    }
}

dyno_status dyno_drift_find(struct dyno_drift *out, const struct dyno_request_record *base,
                            uint32_t base_count, const struct dyno_request_record *head,
                            uint32_t head_count)
{
    const struct dyno_request_record *const records[] = {base, head};
    struct dyno_pairing pairing;
    uint32_t first;
    dyno_ns when;

    *out = (struct dyno_drift){.requests = base_count};
    DYNO_TRY(dyno_pairing_make(&pairing, 2, records, (uint32_t[]){base_count, head_count}));
    tally(out, &pairing);
    out->unpaired = pairing.unpaired;
    if (head_count > pairing.count + pairing.unpaired) {
        out->unpaired += head_count - pairing.count - pairing.unpaired;
    }
    first = dyno_pairing_parts_at(&pairing, 0, 1, &when);
    if (first < pairing.count) {
        out->first[0] = pairing.records[0][first];
        out->first[1] = pairing.records[1][first];
    }
    out->any = out->changed > 0 || out->unpaired > 0;
    dyno_pairing_release(&pairing);
    return DYNO_OK;
}

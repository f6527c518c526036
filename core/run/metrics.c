#include "core/run/metrics.h"

#include <string.h>

#include "core/base/usual.h"

static int within(const struct dyno_slo *slo, dyno_ns ttft, dyno_ns tpot, dyno_ns e2e)
{
    return (slo->ttft_ns == 0 || ttft <= slo->ttft_ns) &&
           (slo->tpot_ns == 0 || tpot <= slo->tpot_ns) &&
           (slo->itl_ns == 0 || tpot <= slo->itl_ns) && (slo->e2e_ns == 0 || e2e <= slo->e2e_ns);
}

static void add_completed(struct dyno_metrics *metrics, const struct dyno_request_record *record)
{
    dyno_ns answer = record->last_token_ns - record->first_token_ns;
    dyno_ns ttft = record->first_token_ns - record->arrival_ns;
    dyno_ns e2e = record->last_token_ns - record->arrival_ns;
    dyno_ns tpot = 0;

    metrics->completed++;
    metrics->completed_input_tokens += record->prompt_tokens;
    metrics->completed_output_tokens += record->output_tokens;
    dyno_histogram_note(&metrics->ttft, ttft);
    dyno_histogram_note(&metrics->e2e, e2e);
    if (record->output_tokens > 1) {
        tpot = answer / (record->output_tokens - 1);
        dyno_histogram_note(&metrics->tpot, tpot);
    }
    dyno_histogram_note(&metrics->client_wait, record->arrival_ns - record->scheduled_ns);
    dyno_histogram_note(&metrics->ingest, record->ready_ns - record->arrival_ns - record->held_ns);
    dyno_histogram_note(&metrics->queue, record->held_ns + record->admitted_ns - record->ready_ns -
                                             record->onboard_ns);
    dyno_histogram_note(&metrics->onboard, record->onboard_ns);
    if (DYNO_RARELY(record->held_ns > 0)) {
        dyno_histogram_note(&metrics->held, record->held_ns);
    }
    dyno_histogram_note(&metrics->prefill, record->first_token_ns - record->admitted_ns);
    dyno_histogram_note(&metrics->transfer, record->transfer_ns);
    dyno_histogram_note(&metrics->decode, answer - record->transfer_ns);
    metrics->within_slo += (uint64_t)within(&metrics->slo, ttft, tpot, e2e);
}

static void note_time(struct dyno_metrics *metrics, const struct dyno_request_record *record)
{
    dyno_ns last = record->last_token_ns == DYNO_NEVER ? record->arrival_ns : record->last_token_ns;

    if (record->arrival_ns < metrics->first_arrival_ns) {
        metrics->first_arrival_ns = record->arrival_ns;
    }
    if (last > metrics->last_event_ns) {
        metrics->last_event_ns = last;
    }
}

static void add_other(struct dyno_metrics *metrics, enum dyno_outcome outcome)
{
    switch (outcome) {
    case DYNO_COMPLETED:
        break;
    case DYNO_REJECTED_PROMPT_TOO_LONG:
    case DYNO_REJECTED_QUEUE_FULL:
    case DYNO_REJECTED_QUEUE_TIMEOUT:
        metrics->rejected++;
        metrics->rejected_full += outcome == DYNO_REJECTED_QUEUE_FULL;
        metrics->rejected_timeout += outcome == DYNO_REJECTED_QUEUE_TIMEOUT;
        break;
    case DYNO_CANCELLED_BY_CLIENT:
    case DYNO_CANCELLED_AT_END:
        metrics->cancelled++;
        break;
    case DYNO_FAILED:
        metrics->failed++;
        break;
    }
}

static dyno_status on_request(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    struct dyno_metrics *metrics = (void *)sink; /* its first member */

    metrics->requests++;
    metrics->input_tokens += record->prompt_tokens;
    metrics->output_tokens += record->output_tokens;
    metrics->cached_tokens += record->cached_tokens;
    if (record->admitted_ns != DYNO_NEVER) {
        metrics->admitted_input_tokens += record->prompt_tokens;
    }
    note_time(metrics, record);
    if (record->outcome == DYNO_COMPLETED) {
        add_completed(metrics, record);
    } else {
        add_other(metrics, record->outcome);
    }
    return DYNO_OK;
}

static const struct dyno_sink_ops metrics_ops = {.name = "metrics", .request = on_request};

enum { HISTOGRAMS = 12 };

static void list_histograms(struct dyno_metrics *metrics, struct dyno_histogram **list)
{
    list[0] = &metrics->ttft;
    list[1] = &metrics->itl;
    list[2] = &metrics->tpot;
    list[3] = &metrics->e2e;
    list[4] = &metrics->client_wait;
    list[5] = &metrics->ingest;
    list[6] = &metrics->queue;
    list[7] = &metrics->prefill;
    list[8] = &metrics->transfer;
    list[9] = &metrics->decode;
    list[10] = &metrics->held;
    list[11] = &metrics->onboard;
}

dyno_status dyno_metrics_init(struct dyno_metrics *metrics, const struct dyno_slo *slo)
{
    struct dyno_histogram *list[HISTOGRAMS];

    memset(metrics, 0, sizeof *metrics);
    metrics->sink.ops = &metrics_ops;
    metrics->slo = *slo;
    metrics->first_arrival_ns = DYNO_NEVER;
    list_histograms(metrics, list);
    for (int i = 0; i < HISTOGRAMS; i++) {
        if (dyno_histogram_init(list[i]) != DYNO_OK) {
            dyno_metrics_release(metrics);
            return DYNO_NO_MEMORY;
        }
    }
    return DYNO_OK;
}

void dyno_metrics_release(struct dyno_metrics *metrics)
{
    struct dyno_histogram *list[HISTOGRAMS];

    list_histograms(metrics, list);
    for (int i = 0; i < HISTOGRAMS; i++) {
        dyno_histogram_release(list[i]);
    }
}

/* Local workers at the request's level: who is refused, how requests are ingested, what is stamped,
 * what a look at a worker shows, and how a run is given up.  Steps take 1 ms unless a test says
 * otherwise. */
#include "tests/check_main.h"
#include "tests/core/worker/rig.h"

static struct rig rig;

static dyno_ns ms(uint64_t count)
{
    return count * DYNO_MS;
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void check_refused(uint64_t id, enum dyno_outcome outcome, dyno_ns arrival)
{
    const struct dyno_request_record *record = &rig.records[id];

    ck_assert_uint_eq(rig.ends[id], 1);
    ck_assert_int_eq(record->outcome, outcome);
    ck_assert_uint_eq(record->arrival_ns, arrival);
    ck_assert_uint_eq(record->worker, 0);
    ck_assert_uint_eq(record->output_tokens, 0);
    ck_assert_uint_eq(record->ready_ns, DYNO_NEVER);
    ck_assert_uint_eq(record->admitted_ns, DYNO_NEVER);
    ck_assert_uint_eq(record->first_token_ns, DYNO_NEVER);
    ck_assert_uint_eq(record->last_token_ns, DYNO_NEVER);
}

/* One slot: A runs, B and C wait, D is one too many.  When B runs there is room again. */
START_TEST(a_full_queue_refuses_at_once)
{
    rig_init(&rig, 20);
    rig.config.worker.seqs_max = 1;
    rig.config.worker.queue_max = 2;
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 4, 3);
    rig_ask(&rig, ms(1), 1, 4, 3);
    rig_ask(&rig, ms(1), 2, 4, 3);
    ck_assert_uint_eq(rig.ended_count, 0);
    rig_ask(&rig, ms(1), 3, 4, 3);
    check_refused(3, DYNO_REJECTED_QUEUE_FULL, ms(1));
    rig_ask(&rig, ms(4), 4, 4, 3);
    rig_run(&rig);
    for (uint64_t id = 0; id < 5; id++) {
        ck_assert_int_eq(rig.records[id].outcome,
                         id == 3 ? DYNO_REJECTED_QUEUE_FULL : DYNO_COMPLETED);
    }
    ck_assert_uint_eq(rig.first_tokens[3], 0);
    rig_close(&rig);
}
END_TEST

/* Requests that are still being ingested wait too. */
START_TEST(the_queue_counts_what_is_being_ingested)
{
    rig_init(&rig, 20);
    rig.config.worker.queue_max = 2;
    rig.config.worker.ingest_ns = ms(5);
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 4, 1);
    rig_ask(&rig, 0, 1, 4, 1);
    rig_ask(&rig, 0, 2, 4, 1);
    check_refused(2, DYNO_REJECTED_QUEUE_FULL, 0);
    rig_run(&rig);
    rig_close(&rig);
}
END_TEST

/* A context of 10 tokens: a prompt of 10 leaves no room for an answer; one of 9 gets 1 token, one
 * of 6 gets 4, though 50 were asked for. */
START_TEST(the_context_bounds_prompt_and_answer_together)
{
    rig_init(&rig, 20);
    rig.config.worker.context_max = 10;
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 10, 50);
    rig_ask(&rig, 0, 1, 9, 50);
    rig_ask(&rig, 0, 2, 6, 50);
    check_refused(0, DYNO_REJECTED_PROMPT_TOO_LONG, 0);
    rig_run(&rig);
    ck_assert_uint_eq(rig.records[1].output_tokens, 1);
    ck_assert_uint_eq(rig.records[2].output_tokens, 4);
    rig_close(&rig);
}
END_TEST

/* The same by memory: 3 blocks of 4 tokens are 12. */
START_TEST(memory_bounds_prompt_and_answer_together)
{
    rig_init(&rig, 3);
    rig.config.worker.context_max = 1000;
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 12, 50);
    rig_ask(&rig, 0, 1, 11, 50);
    check_refused(0, DYNO_REJECTED_PROMPT_TOO_LONG, 0);
    rig_run(&rig);
    ck_assert_uint_eq(rig.records[1].output_tokens, 1);
    rig_ask(&rig, ms(9), 2, 5, 50);
    rig_run(&rig);
    ck_assert_uint_eq(rig.records[2].output_tokens, 7);
    rig_close(&rig);
}
END_TEST

/* ---- ingest and response --------------------------------------------------------------------- */

/* 100 us each and 1000.5 ns a prompt token, one at a time: prompts of 10, 20 and 5 are ready at
 * 110005, then 110005 + 100000 + 20010 = 230015, then 230015 + 100000 + 5002.5 = 335017 ns. Another
 * worker has a tokeniser of its own.  The fourth finds it idle at 1 ms: 1000000 + 100000 + 1000. */
START_TEST(requests_are_ingested_one_at_a_time)
{
    static const uint32_t prompts[] = {10, 20, 5};
    static const dyno_ns ready[] = {110005, 230015, 335017};

    rig_init(&rig, 50);
    rig.config.worker_count = 2;
    rig.config.worker.ingest_ns = 100 * DYNO_US;
    rig.config.worker.ingest_token_ticks = 1000 * DYNO_TICKS_PER_NS + DYNO_TICKS_PER_NS / 2;
    rig_open(&rig);
    for (uint64_t id = 0; id < 3; id++) {
        rig_ask(&rig, 0, id, prompts[id], 1);
    }
    rig_submit(&rig, 0, 1, (struct dyno_request){.id = 3, .prompt_tokens = 20, .max_tokens = 1}, 1);
    rig_ask(&rig, ms(1), 4, 1, 1);
    rig_run(&rig);
    for (uint64_t id = 0; id < 3; id++) {
        ck_assert_uint_eq(rig.records[id].ready_ns, ready[id]);
        ck_assert_uint_eq(rig.records[id].arrival_ns, 0);
    }
    ck_assert_uint_eq(rig.records[3].ready_ns, 120010);
    ck_assert_uint_eq(rig.records[3].worker, 1);
    ck_assert_uint_eq(rig.records[4].ready_ns, 1101000);
    rig_close(&rig);
}
END_TEST

/* Steps of 1 ms, ingest takes 1.3 ms.  A finds its worker idle, which is woken at 1.3 ms; its leap
 * begins at 2.3 ms.  B comes at 3.1 and is ready at 4.4, which is nothing that happens: the leap is
 * to end at 5.3, the first boundary after it. */
START_TEST(being_ready_is_an_event_for_an_idle_worker_only)
{
    rig_init(&rig, 20);
    rig.config.worker.ingest_ns = 1300 * DYNO_US;
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 4, 30);
    ck_assert_uint_eq(rig.workers->ops->next(rig.workers), 1300 * DYNO_US);
    rig_ask(&rig, 3100 * DYNO_US, 1, 4, 1);
    ck_assert_uint_eq(rig.workers->ops->next(rig.workers), 5300 * DYNO_US);
    rig_run(&rig);
    rig_check_stamps(&rig, 1, 5300 * DYNO_US, 6300 * DYNO_US, 6300 * DYNO_US);
    ck_assert_uint_eq(rig.records[1].ready_ns, 4400 * DYNO_US);
    rig_close(&rig);
}
END_TEST

START_TEST(without_host_time_a_request_is_ready_when_it_comes)
{
    rig_init(&rig, 20);
    rig_open(&rig);
    rig_ask(&rig, ms(7), 0, 4, 1);
    rig_run(&rig);
    ck_assert_uint_eq(rig.records[0].ready_ns, ms(7));
    rig_check_stamps(&rig, 0, ms(7), ms(8), ms(8));
    rig_close(&rig);
}
END_TEST

/* A prompt in 1 ms and two steps of 1 ms.  7 us later each token leaves the server: both stamps
 * move, the gaps between tokens do not. */
START_TEST(a_response_takes_its_time_and_gaps_do_not_notice)
{
    rig_init(&rig, 20);
    rig.config.worker.response_ns = 7 * DYNO_US;
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 4, 3);
    rig_run(&rig);
    rig_check_stamps(&rig, 0, 0, ms(1) + 7000, ms(3) + 7000);
    ck_assert_uint_eq(rig.itl.count, 2);
    ck_assert_uint_eq(rig.itl.min, ms(1));
    ck_assert_uint_eq(rig.itl.max, ms(1));
    rig_close(&rig);
}
END_TEST

/* A's tokens come at 1, 2, 3, ... ms.  B's prompt shares A's pass from 3 to 6 ms (8 tokens at 0.25
 * ms more each): A's gap there is 3 ms, and B's first token starts its own count. */
START_TEST(a_prompt_in_the_pass_shows_as_a_gap)
{
    rig_init(&rig, 20);
    rig.config.worker.batch_tokens_max = 9;
    rig.token_ticks = DYNO_MS * DYNO_TICKS_PER_NS / 4;
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 4, 5); /* first token at 1 + 4 / 4 = 2 ms */
    rig_ask(&rig, ms(3), 1, 8, 2);
    rig_run(&rig);
    rig_check_stamps(&rig, 0, 0, ms(2), ms(8)); /* 2, 3, 6, 7, 8 */
    rig_check_stamps(&rig, 1, ms(3), ms(6), ms(7));
    ck_assert_uint_eq(rig.itl.count, 4 + 1);
    ck_assert_uint_eq(rig.itl.min, ms(1));
    ck_assert_uint_eq(rig.itl.max, ms(3));
    ck_assert(rig.itl.sum == ms(1 + 3 + 1 + 1 + 1));
    rig_close(&rig);
}
END_TEST

/* ---- looking --------------------------------------------------------------------------------- */

static void look(dyno_ns at, struct dyno_sample_record *out)
{
    rig_to(&rig, at);
    rig.workers->ops->sample(rig.workers, at, 0, out);
    ck_assert_uint_eq(out->at, at);
    ck_assert_uint_eq(out->worker, 0);
    ck_assert_uint_eq(out->blocks_total, 20);
}

/* A's 4 tokens and B's 3 from 0 to 1 ms: a block each.  Then one leap of steps of 1 ms.  Step 0
 * starts at 1 ms and takes A's second block (token 5), step 1 B's (its token 5).  C waits for a
 * slot.  A look at 1 ms sees the pass's end, but not what starts then. */
START_TEST(a_look_in_the_middle_of_a_leap_sees_its_last_boundary)
{
    struct dyno_sample_record sample;

    rig_init(&rig, 20);
    rig.config.worker.seqs_max = 2;
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 4, 9);
    rig_ask(&rig, 0, 1, 3, 9);
    rig_ask(&rig, 0, 2, 4, 1);
    look(ms(1) / 2, &sample);
    ck_assert_uint_eq(sample.running, 2);
    ck_assert_uint_eq(sample.waiting, 1);
    ck_assert_uint_eq(sample.blocks_used, 2);
    ck_assert_uint_eq(sample.tokens_out, 0);
    ck_assert_uint_eq(sample.busy_ns, ms(1) / 2);
    look(ms(1), &sample);
    ck_assert_uint_eq(sample.blocks_used, 2);
    ck_assert_uint_eq(sample.tokens_out, 2);
    ck_assert_uint_eq(sample.busy_ns, ms(1));
    look(ms(2), &sample); /* step 0 is done, step 1 starts now */
    ck_assert_uint_eq(sample.blocks_used, 3);
    ck_assert_uint_eq(sample.tokens_out, 4);
    look(ms(2) + 1, &sample);
    ck_assert_uint_eq(sample.blocks_used, 4);
    ck_assert_uint_eq(sample.tokens_out, 4);
    ck_assert_uint_eq(sample.busy_ns, ms(2) + 1);
    rig_run(&rig);
    look(ms(30), &sample); /* all have ended: A and B at 9 ms, C at 10 */
    ck_assert_uint_eq(sample.running + sample.waiting + sample.blocks_used, 0);
    ck_assert_uint_eq(sample.tokens_out, 19);
    ck_assert_uint_eq(sample.busy_ns, ms(10));
    rig_close(&rig);
}
END_TEST

/* Looks at 2.5 and 5 ms find 4 blocks each: a straight line from 0 to 4 until 2.5 ms, 4 from then
 * on: 2 x 2.5 + 4 x 2.5 = 15 block-ms. */
START_TEST(use_of_blocks_is_summed_over_the_looks)
{
    struct dyno_sample_record sample;
    struct dyno_fleet_totals totals;

    rig_init(&rig, 20);
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 4, 9);
    rig_ask(&rig, 0, 1, 3, 9);
    look(ms(5) / 2, &sample);
    ck_assert_uint_eq(sample.blocks_used, 4);
    look(ms(5), &sample);
    ck_assert_uint_eq(sample.blocks_used, 4);
    rig.workers->ops->totals(rig.workers, &totals);
    ck_assert(totals.block_ns_used == 15 * ms(1));
    rig_run(&rig);
    rig_close(&rig);
}
END_TEST

/* A prompt of 10 in passes of 8 and 2: 1 + ... + 10 = 55 pairs.  Then 3 steps that read 11, 12 and
 * 13 tokens.  2 whole prompt blocks are looked up and not found; B's are found, both of them. */
START_TEST(the_totals_add_up)
{
    struct dyno_fleet_totals totals;

    rig_init(&rig, 20);
    rig.config.worker_count = 2;
    rig.config.gpus_per_worker = 4;
    rig_open(&rig);
    rig_ask_shared(&rig, 0, 0, 10, 4, 77, 2);
    rig_run(&rig);
    rig.workers->ops->totals(rig.workers, &totals);
    ck_assert_uint_eq(totals.workers, 2);
    ck_assert_uint_eq(totals.gpus, 8);
    ck_assert_uint_eq(totals.blocks_total, 40);
    ck_assert_uint_eq(totals.passes, 3);
    ck_assert_uint_eq(totals.steps, 5);
    ck_assert_uint_eq(totals.prefill_tokens, 10);
    ck_assert_uint_eq(totals.decode_tokens, 3);
    ck_assert(totals.attention_pairs == 55);
    ck_assert(totals.kv_tokens_read == 36);
    ck_assert(totals.busy_ns == ms(5));
    ck_assert_uint_eq(totals.prompt_blocks, 2);
    ck_assert_uint_eq(totals.prompt_blocks_hit, 0);
    rig_ask_shared(&rig, ms(9), 1, 10, 1, 77, 2);
    rig_run(&rig);
    rig.workers->ops->totals(rig.workers, &totals);
    ck_assert_uint_eq(totals.prefill_tokens, 12);
    ck_assert(totals.attention_pairs == 55 + 9 + 10);
    ck_assert_uint_eq(totals.prompt_blocks, 4);
    ck_assert_uint_eq(totals.prompt_blocks_hit, 2);
    rig_close(&rig);
}
END_TEST

/* ---- giving up ------------------------------------------------------------------------------- */

/* At 2.5 ms A decodes (2 tokens are out), B's prompt is half computed, C waits for a slot and D is
 * being ingested: all end with the outcome given, once, and everything they held is given back. */
START_TEST(an_abandoned_run_ends_everybody_once)
{
    static const uint32_t tokens[] = {2, 0, 0, 0};
    struct dyno_sample_record sample;

    rig_init(&rig, 20);
    rig.config.worker.seqs_max = 2;
    rig.config.worker.steps_max = 1;
    rig.config.worker.ingest_ns = 10;
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 4, 50);
    rig_ask(&rig, 10, 1, 30, 5);
    rig_ask(&rig, 10, 2, 4, 5);
    rig_ask(&rig, ms(5) / 2, 3, 4, 5);
    ck_assert_int_eq(rig.workers->ops->abandon(rig.workers, rig.now, DYNO_CANCELLED_AT_END),
                     DYNO_OK);
    for (uint64_t id = 0; id < 4; id++) {
        ck_assert_uint_eq(rig.ends[id], 1);
        ck_assert_int_eq(rig.records[id].outcome, DYNO_CANCELLED_AT_END);
        ck_assert_uint_eq(rig.records[id].output_tokens, tokens[id]);
    }
    ck_assert_uint_eq(rig.records[0].last_token_ns, ms(2) + 10);
    ck_assert_uint_eq(rig.records[1].admitted_ns, ms(1) + 10);
    ck_assert_uint_eq(rig.records[1].first_token_ns, DYNO_NEVER);
    ck_assert_uint_eq(rig.records[2].admitted_ns, DYNO_NEVER);
    rig.workers->ops->sample(rig.workers, ms(5) / 2, 0, &sample);
    ck_assert_uint_eq(sample.running + sample.waiting + sample.blocks_used, 0);
    rig_close(&rig);
}
END_TEST

START_TEST(an_idle_fleet_can_be_abandoned_and_closed)
{
    rig_init(&rig, 20);
    rig.config.worker_count = 3;
    rig_open(&rig);
    ck_assert_uint_eq(rig.workers->ops->next(rig.workers), DYNO_NEVER);
    ck_assert_int_eq(rig.workers->ops->abandon(rig.workers, rig.now, DYNO_CANCELLED_AT_END),
                     DYNO_OK);
    ck_assert_uint_eq(rig.ended_count, 0);
    rig_close(&rig);
}
END_TEST

/* ---- contradictions -------------------------------------------------------------------------- */

static void check_sentence(const char *sentence)
{
    struct dyno_workers *workers = NULL;
    struct dyno_error error = {0};

    ck_assert_int_eq(dyno_local_open(&workers, &rig.config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_null(workers);
    ck_assert_msg(strstr(error.text, sentence), "it says: %s", error.text);
}

START_TEST(contradictions_are_refused_in_words)
{
    rig_init(&rig, 20);
    rig.config.worker.batch_tokens_max = 3;
    check_sentence("batch.tokens_max (3) is smaller than batch.seqs_max (4)");
    rig_init(&rig, 20);
    rig.config.worker.watermark = 1.0;
    check_sentence("batch.watermark");
    rig_init(&rig, 20);
    rig.config.worker.watermark = -0.1;
    check_sentence("batch.watermark");
    rig_init(&rig, 20);
    rig.config.worker.admission = DYNO_ADMIT_ESTIMATE;
    rig.config.worker.new_token_ratio = 1.1;
    check_sentence("batch.new_token_ratio");
    rig_init(&rig, 20);
    rig.config.worker.queue_order = DYNO_QUEUE_LPM;
    check_sentence("batch.queue_order lpm, longest prefix first, is an order of sglang only");
    rig_init(&rig, 20);
    rig.config.worker.order = DYNO_ORDER_PREFILL_FIRST;
    check_sentence("batch.admission pass");
    rig_init(&rig, 20);
    rig.config.worker.order = DYNO_ORDER_PREFILL_FIRST;
    rig.config.worker.admission = DYNO_ADMIT_ESTIMATE;
    rig.config.worker.prefill_interval = 4;
    check_sentence("batch.prefill_interval (4)");
    rig_init(&rig, 20);
    rig.config.worker.mixed_chunk = true;
    check_sentence("batch.mixed_chunk lets decodes go along in passes of prompts");
    rig_init(&rig, 20);
    rig.config.worker = dyno_engine_find("sglang")->config;
    rig.config.worker.mixed_chunk = true;
    rig.config.worker.chunked_prefill = false;
    check_sentence("batch.mixed_chunk needs batch.chunked_prefill");
    rig_init(&rig, 20);
    rig.config.worker.lookahead = 80;
    check_sentence("batch.lookahead (80) tokens take all 20 KV blocks of 4 tokens");
    rig_init(&rig, 0);
    check_sentence("a worker needs blocks");
    rig_init(&rig, 20);
    rig.config.worker_count = 0;
    check_sentence("a fleet needs workers");
    rig_init(&rig, 20);
    rig.config.worker.steps_max = 0;
    check_sentence("steps");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("local");

    tcase_add_test(cases, a_full_queue_refuses_at_once);
    tcase_add_test(cases, the_queue_counts_what_is_being_ingested);
    tcase_add_test(cases, the_context_bounds_prompt_and_answer_together);
    tcase_add_test(cases, memory_bounds_prompt_and_answer_together);
    tcase_add_test(cases, requests_are_ingested_one_at_a_time);
    tcase_add_test(cases, being_ready_is_an_event_for_an_idle_worker_only);
    tcase_add_test(cases, without_host_time_a_request_is_ready_when_it_comes);
    tcase_add_test(cases, a_response_takes_its_time_and_gaps_do_not_notice);
    tcase_add_test(cases, a_prompt_in_the_pass_shows_as_a_gap);
    tcase_add_test(cases, a_look_in_the_middle_of_a_leap_sees_its_last_boundary);
    tcase_add_test(cases, use_of_blocks_is_summed_over_the_looks);
    tcase_add_test(cases, the_totals_add_up);
    tcase_add_test(cases, an_abandoned_run_ends_everybody_once);
    tcase_add_test(cases, an_idle_fleet_can_be_abandoned_and_closed);
    tcase_add_test(cases, contradictions_are_refused_in_words);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("worker/local", add_cases)

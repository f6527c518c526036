/* What GPUs, emulated, tell each other over NCCL, emulated too. */
#include "backends/cuda/collective.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "backends/cuda/collective_trial.h"
#include "kernels/half.h"
#include "tests/check_main.h"
#include "tests/cuda_emulation/faults.h"

enum { RANKS = 3, COUNT = 5 };

/* One rank, its thread, and what it has in the end. */
struct rank {
    struct dyno_collective *member;
    enum dyno_element element;
    bool captured;
    uint32_t bytes; /* of an element */
    char sums[COUNT * sizeof(float)], all[RANKS * COUNT * sizeof(float)];
};

/* Exact in every type, and so are sums of them. */
static float value_of(uint32_t rank, size_t at)
{
    return (float)(1 + rank * 10 + at);
}

static void put(const struct rank *rank, void *to, size_t at, float value)
{
    uint16_t bits =
        rank->element == DYNO_ELEMENT_F16 ? dyno_half_of_float(value) : dyno_bf16_of_float(value);

    memcpy((char *)to + at * rank->bytes,
           rank->element == DYNO_ELEMENT_F32 ? (const void *)&value : &bits, rank->bytes);
}

static void need(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* A sum in place, a barrier, and a gather of what was there before. */
static void queue_all(const struct rank *rank, void *values, const void *own, void *all,
                      cudaStream_t stream)
{
    const struct dyno_collective_ops *ops = rank->member->ops;

    need(ops->all_reduce_sum(rank->member, values, COUNT, rank->element, stream) == DYNO_OK &&
         ops->barrier(rank->member, stream) == DYNO_OK &&
         ops->all_gather(rank->member, own, COUNT, rank->element, all, stream) == DYNO_OK);
}

static void queue_captured(const struct rank *rank, void *values, const void *own, void *all,
                           cudaStream_t stream)
{
    cudaGraph_t graph;
    cudaGraphExec_t exec;

    need(!cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    queue_all(rank, values, own, all, stream);
    need(!cudaStreamEndCapture(stream, &graph) && !cudaGraphInstantiate(&exec, graph, 0) &&
         !cudaGraphLaunch(exec, stream) && !cudaStreamSynchronize(stream));
    (void)cudaGraphExecDestroy(exec);
    (void)cudaGraphDestroy(graph);
}

static void *work(void *argument)
{
    struct rank *rank = argument;
    size_t bytes = COUNT * rank->bytes;
    char host[COUNT * sizeof(float)];
    void *values, *own, *all;
    cudaStream_t stream;

    for (size_t at = 0; at < COUNT; at++) {
        put(rank, host, at, value_of(rank->member->rank, at));
    }
    need(!cudaSetDevice((int)rank->member->rank) &&
         !cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) &&
         !cudaMalloc(&values, bytes) && !cudaMalloc(&own, bytes) &&
         !cudaMalloc(&all, RANKS * bytes) &&
         !cudaMemcpy(values, host, bytes, cudaMemcpyHostToDevice) &&
         !cudaMemcpy(own, host, bytes, cudaMemcpyHostToDevice));
    (rank->captured ? queue_captured : queue_all)(rank, values, own, all, stream);
    need(!cudaStreamSynchronize(stream) &&
         !cudaMemcpy(rank->sums, values, bytes, cudaMemcpyDeviceToHost) &&
         !cudaMemcpy(rank->all, all, RANKS * bytes, cudaMemcpyDeviceToHost));
    (void)cudaFree(values);
    (void)cudaFree(own);
    (void)cudaFree(all);
    (void)cudaStreamDestroy(stream);
    return NULL;
}

static void check(const struct rank *rank)
{
    char due[RANKS * COUNT * sizeof(float)];

    for (size_t at = 0; at < COUNT; at++) {
        float sum = 0.0F;

        for (uint32_t other = 0; other < RANKS; other++) {
            sum += value_of(other, at);
        }
        put(rank, due, at, sum);
    }
    ck_assert(memcmp(rank->sums, due, COUNT * rank->bytes) == 0);
    for (uint32_t other = 0; other < RANKS; other++) {
        for (size_t at = 0; at < COUNT; at++) {
            put(rank, due, other * COUNT + at, value_of(other, at));
        }
    }
    ck_assert(memcmp(rank->all, due, RANKS * COUNT * rank->bytes) == 0);
}

static void open_group(struct dyno_collective *members[RANKS])
{
    static const int gpus[RANKS] = {0, 1, 2};
    struct dyno_error error = {0};

    dyno_emulation_devices(RANKS);
    ck_assert_msg(dyno_cuda_collective_open(members, RANKS, gpus, &error) == DYNO_OK, "%s",
                  error.text);
}

START_TEST(sums_and_gathers_are_those_of_all_ranks)
{
    static const enum dyno_element elements[] = {DYNO_ELEMENT_F32, DYNO_ELEMENT_F16,
                                                 DYNO_ELEMENT_BF16};
    enum dyno_element element = elements[_i % 3];
    struct dyno_collective *members[RANKS];
    struct rank ranks[RANKS];
    pthread_t threads[RANKS];

    open_group(members);
    for (uint32_t i = 0; i < RANKS; i++) {
        ranks[i] = (struct rank){.member = members[i],
                                 .element = element,
                                 .captured = _i >= 3,
                                 .bytes = element == DYNO_ELEMENT_F32 ? 4 : 2};
        ck_assert(pthread_create(&threads[i], NULL, work, &ranks[i]) == 0);
    }
    for (uint32_t i = 0; i < RANKS; i++) {
        pthread_join(threads[i], NULL);
        check(&ranks[i]);
    }
    for (uint32_t i = 0; i < RANKS; i++) {
        members[i]->ops->close(members[i]);
    }
}
END_TEST

static void *wait_for_ever(void *argument)
{
    struct dyno_collective *member = argument;

    need(!cudaSetDevice((int)member->rank));
    if (member->ops->barrier(member, NULL) == DYNO_OK) {
        (void)cudaDeviceSynchronize();
    }
    return NULL;
}

/* One rank never comes. */
START_TEST(who_waits_for_a_lost_rank_is_let_go)
{
    struct dyno_collective *members[RANKS];
    pthread_t threads[RANKS];

    open_group(members);
    for (uint32_t i = 0; i + 1 < RANKS; i++) {
        ck_assert(pthread_create(&threads[i], NULL, wait_for_ever, members[i]) == 0);
    }
    for (uint32_t i = 0; i < RANKS; i++) {
        dyno_cuda_collective_abort(members[i]);
        dyno_cuda_collective_abort(members[i]);
    }
    for (uint32_t i = 0; i + 1 < RANKS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert(members[i]->ops->barrier(members[i], NULL) == DYNO_WORKER_GONE);
    }
    for (uint32_t i = 0; i < RANKS; i++) {
        members[i]->ops->close(members[i]);
    }
}
END_TEST

START_TEST(what_cannot_be_told_is_refused)
{
    static const int twice[RANKS] = {0, 1, 0};
    struct dyno_collective *members[RANKS] = {NULL};
    struct dyno_error error = {0};

    dyno_emulation_devices(RANKS);
    ck_assert(dyno_cuda_collective_open(members, RANKS, twice, &error) == DYNO_UNSUPPORTED);
    ck_assert_msg(!members[0] && strstr(error.text, "NCCL does not bring 3 GPUs together: "), "%s",
                  error.text);
    open_group(members);
    ck_assert(members[0]->ops->all_reduce_sum(members[0], NULL, 0, DYNO_ELEMENT_Q8_0, NULL) ==
              DYNO_UNSUPPORTED);
    for (uint32_t i = 0; i < RANKS; i++) {
        members[i]->ops->close(members[i]);
    }
}
END_TEST

/* ---- what a group takes ---------------------------------------------------------------------- */

static const int trial_gpus[RANKS] = {2, 0, 1};
static const struct dyno_cuda_trial trial = {
    .ranks = RANKS, .gpus = trial_gpus, .sum_elements = 1000, .gather_each = 77};

static size_t free_on(int gpu)
{
    size_t free_bytes, total_bytes;

    ck_assert(cudaSetDevice(gpu) == cudaSuccess);
    ck_assert(cudaMemGetInfo(&free_bytes, &total_bytes) == cudaSuccess);
    return free_bytes;
}

/* What it takes when it is brought together, and what it takes when it is used; all of it is given
 * back. */
START_TEST(what_a_group_takes_is_measured)
{
    struct dyno_error error = {0};
    uint64_t taken = 1;
    size_t before;

    dyno_emulation_devices(RANKS);
    before = free_on(1);
    ck_assert_msg(dyno_cuda_collective_measure(&taken, &trial, &error) == DYNO_OK, "%s",
                  error.text);
    ck_assert_uint_eq(taken, 0);
    dyno_emulation_nccl_bytes(300 << 20, 77 << 20);
    ck_assert_msg(dyno_cuda_collective_measure(&taken, &trial, &error) == DYNO_OK, "%s",
                  error.text);
    ck_assert_uint_eq(taken, 377 << 20);
    for (int gpu = 0; gpu < RANKS; gpu++) {
        ck_assert_uint_eq(free_on(gpu), before);
    }
    dyno_emulation_nccl_bytes(0, 0);
}
END_TEST

/* Wherever one fails, all end, and nothing is left behind. */
START_TEST(a_trial_that_fails_is_told)
{
    struct dyno_cuda_trial small = trial;
    uint64_t calls, taken = 5;
    size_t before;

    small.sum_elements = 9;
    small.gather_each = 1;
    dyno_emulation_devices(RANKS);
    dyno_emulation_nccl_bytes(3 << 20, 1 << 20);
    before = free_on(0);
    dyno_emulation_fail(0, cudaSuccess);
    ck_assert(dyno_cuda_collective_measure(&taken, &small, NULL) == DYNO_OK);
    calls = dyno_emulation_calls() - 2 * RANKS; /* the last say whose memory is given back */
    taken = 5;
    ck_assert_uint_gt(calls, 30);
    for (uint64_t call = 1; call <= calls; call++) {
        struct dyno_error error = {0};
        dyno_status status;

        dyno_emulation_fail(call, cudaErrorIllegalAddress);
        status = dyno_cuda_collective_measure(&taken, &small, &error);
        ck_assert_msg(status != DYNO_OK && error.text[0] && taken == 5, "call %d: %d, %s",
                      (int)call, (int)status, error.text);
        dyno_emulation_fail(0, cudaSuccess);
        ck_assert_uint_eq(free_on(0), before);
    }
    dyno_emulation_nccl_bytes(0, 0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("collective");

    tcase_add_loop_test(tc, sums_and_gathers_are_those_of_all_ranks, 0, 6);
    tcase_add_test(tc, who_waits_for_a_lost_rank_is_let_go);
    tcase_add_test(tc, what_cannot_be_told_is_refused);
    tcase_add_test(tc, what_a_group_takes_is_measured);
    tcase_add_test(tc, a_trial_that_fails_is_told);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("cuda_collective", add_cases)

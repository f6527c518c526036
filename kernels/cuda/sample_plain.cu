/* Choosing tokens, the plain version: the host's steps, each shared out over a block.
 *
 * A token's logit, its penalties and its weight are one thread's, that with the token's rank modulo
 * the threads.  Where the order of tokens counts (ties, the draw by id), each thread has a range of
 * tokens, and the ranges' sums are added up in order.
 */
#include "kernels/cuda/sample_parts.cuh"

namespace
{

using namespace dyno;

constexpr unsigned threads = 256;
constexpr unsigned first_shift = 46, round_bits = 11, buckets = 45 << 6; /* kernels/sample_cut.c */
constexpr word one_key = 0x3ff0000000000000ULL;                          /* of 1.0 */

struct shared {
    word bucket[buckets];
    word range[threads];
    double largest[threads];
    unsigned best[threads];
    word need, prefix; /* of a cut */
};

/* One sequence's tokens: logits, then weights in their place; 0 is no candidate. */
struct tokens {
    const dyno_cuda_sample_row *row;
    const float *logits;
    double *logit;
    word *weight;
    unsigned char *seen;
    unsigned vocab;
};

/* The ids of this thread where their order counts. */
__device__ unsigned range_begin(unsigned vocab)
{
    word begin = static_cast<word>(divide_up(vocab, threads)) * threadIdx.x;

    return begin < vocab ? static_cast<unsigned>(begin) : vocab;
}

__device__ unsigned range_end(unsigned vocab)
{
    word end = static_cast<word>(divide_up(vocab, threads)) * (threadIdx.x + 1);

    return end < vocab ? static_cast<unsigned>(end) : vocab;
}

/* The sum over all threads, and into *before that of the threads before this one. */
__device__ word sum_ranges(word own, shared *shared, word *before)
{
    word sum = 0;

    __syncthreads();
    shared->range[threadIdx.x] = own;
    __syncthreads();
    for (unsigned i = 0; i < threads; i++) {
        if (before && i == threadIdx.x) {
            *before = sum;
        }
        sum += shared->range[i];
    }
    return sum;
}

__device__ void read_logits(const tokens &tokens)
{
    const dyno_sampling &sampling = tokens.row->sampling;

    for (unsigned i = threadIdx.x; i < tokens.vocab; i += threads) {
        tokens.logit[i] = is_allowed(sampling, i) ? static_cast<double>(tokens.logits[i])
                                                  : static_cast<double>(NAN);
        tokens.seen[i] = 0;
    }
    for (unsigned i = 0; i < sampling.bias_count; i++) {
        unsigned token = sampling.bias[i].token;

        if (token % threads == threadIdx.x && token < tokens.vocab) {
            tokens.logit[token] += sampling.bias[i].bias;
        }
    }
}

__device__ void penalize(const tokens &tokens)
{
    constexpr unsigned char anywhere = 1, in_answer = 2;
    const dyno_sampling &sampling = tokens.row->sampling;
    const dyno_sample_history &history = tokens.row->history;

    for (unsigned i = 0; i < history.count; i++) {
        unsigned token = history.tokens[i];

        if (token % threads != threadIdx.x || token >= tokens.vocab) {
            continue;
        }
        if (!(tokens.seen[token] & anywhere) && sampling.repetition > 0.0) {
            double logit = tokens.logit[token];

            tokens.logit[token] =
                logit > 0.0 ? logit / sampling.repetition : __dmul_rn(logit, sampling.repetition);
        }
        tokens.seen[token] |= anywhere;
    }
    for (unsigned i = history.prompt_count; i < history.count; i++) {
        unsigned token = history.tokens[i];

        if (token % threads != threadIdx.x || token >= tokens.vocab) {
            continue;
        }
        tokens.logit[token] = __dsub_rn(tokens.logit[token], sampling.frequency);
        if (!(tokens.seen[token] & in_answer)) {
            tokens.logit[token] = __dsub_rn(tokens.logit[token], sampling.presence);
        }
        tokens.seen[token] |= in_answer;
    }
}

__device__ unsigned find_best(const tokens &tokens, shared *shared)
{
    double largest = static_cast<double>(NAN);
    unsigned best = ~0U;

    for (unsigned i = threadIdx.x; i < tokens.vocab; i += threads) {
        unsigned id = is_allowed(tokens.row->sampling, i) ? i : ~0U;

        if (comes_before(tokens.logit[i], id, largest, best)) {
            largest = tokens.logit[i];
            best = id;
        }
    }
    shared->largest[threadIdx.x] = largest;
    shared->best[threadIdx.x] = best;
    __syncthreads();
    for (unsigned i = 0; i < threads; i++) {
        if (comes_before(shared->largest[i], shared->best[i], largest, best)) {
            largest = shared->largest[i];
            best = shared->best[i];
        }
    }
    __syncthreads();
    return best;
}

/* Logits become weights. */
__device__ void weigh(const tokens &tokens, unsigned best, double largest)
{
    const dyno_sampling &sampling = tokens.row->sampling;

    for (unsigned i = threadIdx.x; i < tokens.vocab; i += threads) {
        constexpr double below = -31.0, one = 0x1p44;
        double power = (tokens.logit[i] - largest) / sampling.temperature;
        double share = i == best ? 1.0 : power > below ? exp(power) : 0.0;

        tokens.weight[i] = share >= sampling.min_p ? static_cast<word>(share * one) : 0;
    }
    __syncthreads();
}

__device__ word key_of(word weight)
{
    return static_cast<word>(__double_as_longlong(static_cast<double>(weight))) - one_key;
}

/* What is added up until the cut: tokens or their weights. */
enum amount { COUNTS, SUMS };

__device__ word sum_of(const tokens &tokens, amount amount, shared *shared)
{
    word own = 0;

    for (unsigned i = threadIdx.x; i < tokens.vocab; i += threads) {
        own += amount == SUMS ? tokens.weight[i] : tokens.weight[i] > 0;
    }
    return sum_ranges(own, shared, nullptr);
}

/* A round of the cut: the bucket in which shared->need is reached, from the last one down; what
 * lies above is taken from it. */
__device__ unsigned crossing(shared *shared)
{
    constexpr unsigned each = divide_up(buckets, threads);
    word own = 0, before = 0, need = shared->need;
    unsigned last = buckets - threadIdx.x * each; /* of this thread's, plus 1 */
    unsigned first = last > each ? last - each : 0;

    last = threadIdx.x * each < buckets ? last : 0;
    for (unsigned i = first; i < last; i++) {
        own += shared->bucket[i];
    }
    sum_ranges(own, shared, &before);
    if (before < need && need <= before + own) {
        unsigned at = last - 1;

        need -= before;
        while (shared->bucket[at] < need) {
            need -= shared->bucket[at--];
        }
        shared->need = need;
        shared->best[0] = at;
    }
    __syncthreads();
    return shared->best[0];
}

struct cut {
    word weight, ties;
};

/* Behind the heaviest tokens, equal ones by id, that are `need`, or weigh it, together. */
__device__ cut cut_at(const tokens &tokens, amount amount, word need, shared *shared)
{
    word prefix = 0, weight; /* of the keys, down to the last round's lowest bit */
    unsigned bits = 64 - first_shift;

    if (threadIdx.x == 0) {
        shared->need = need;
    }
    for (unsigned shift = first_shift;; shift = shift > round_bits ? shift - round_bits : 0) {
        for (unsigned i = threadIdx.x; i < buckets; i += threads) {
            shared->bucket[i] = 0;
        }
        __syncthreads();
        for (unsigned i = threadIdx.x; i < tokens.vocab; i += threads) {
            word value = tokens.weight[i], key = key_of(value) >> shift;

            if (value > 0 && (bits == 64 - first_shift || key >> bits == prefix)) {
                atomicAdd(
                    &shared->bucket[bits == 64 - first_shift ? key : key & ((1U << bits) - 1)],
                    amount == SUMS ? value : word{1});
            }
        }
        __syncthreads();
        prefix = prefix << (bits == 64 - first_shift ? 0 : bits) | crossing(shared);
        if (shift == 0) {
            break;
        }
        bits = shift > round_bits ? round_bits : shift;
    }
    weight = static_cast<word>(__longlong_as_double(static_cast<long long>(prefix + one_key)));
    need = shared->need;
    __syncthreads();
    return {weight, amount == COUNTS ? need : (need + weight - 1) / weight};
}

/* How many of the tokens before this thread's range weigh `weight`. */
__device__ word ties_before(const tokens &tokens, word weight, shared *shared)
{
    word own = 0, before = 0;

    for (unsigned i = range_begin(tokens.vocab); i < range_end(tokens.vocab); i++) {
        own += tokens.weight[i] == weight;
    }
    sum_ranges(own, shared, &before);
    return before;
}

/* What lies behind the cut is no candidate any more. */
__device__ void keep(const tokens &tokens, cut cut, shared *shared)
{
    word ties = ties_before(tokens, cut.weight, shared);

    for (unsigned i = range_begin(tokens.vocab); i < range_end(tokens.vocab); i++) {
        word weight = tokens.weight[i];

        if (weight < cut.weight || (weight == cut.weight && ties >= cut.ties)) {
            tokens.weight[i] = 0;
        }
        ties += weight == cut.weight;
    }
    __syncthreads();
}

__device__ void keep_top(const tokens &tokens, shared *shared)
{
    const dyno_sampling &sampling = tokens.row->sampling;

    if (sampling.top_k > 0 && sampling.top_k < sum_of(tokens, COUNTS, shared)) {
        keep(tokens, cut_at(tokens, COUNTS, sampling.top_k, shared), shared);
    }
    if (sampling.top_p > 0.0 && sampling.top_p < 1.0) {
        word sum = sum_of(tokens, SUMS, shared);

        keep(tokens, cut_at(tokens, SUMS, due_of(sampling.top_p, sum), shared), shared);
    }
}

/* The one thread whose range has the token writes it. */
__device__ void draw_by_id(const tokens &tokens, word share, shared *shared, unsigned *out)
{
    word own = 0, before = 0;

    for (unsigned i = range_begin(tokens.vocab); i < range_end(tokens.vocab); i++) {
        own += tokens.weight[i];
    }
    sum_ranges(own, shared, &before);
    if (before <= share && share < before + own) {
        unsigned i = range_begin(tokens.vocab);

        while (before + tokens.weight[i] <= share) {
            before += tokens.weight[i++];
        }
        *out = i;
    }
}

__device__ void draw_by_weight(const tokens &tokens, word rest, shared *shared, unsigned *out)
{
    cut cut = cut_at(tokens, SUMS, rest, shared);
    word ties = ties_before(tokens, cut.weight, shared);

    for (unsigned i = range_begin(tokens.vocab); i < range_end(tokens.vocab); i++) {
        ties += tokens.weight[i] == cut.weight;
        if (tokens.weight[i] == cut.weight && ties == cut.ties) {
            *out = i;
        }
    }
}

__global__ void __launch_bounds__(threads) sample_plain(dyno_cuda_sample_job job)
{
    __shared__ shared shared;
    const dyno_cuda_sample_row *row = job.row + blockIdx.x;
    const dyno_sampling &sampling = row->sampling;
    double *logit =
        static_cast<double *>(job.scratch) + static_cast<size_t>(blockIdx.x) * job.vocab;
    tokens tokens = {row,
                     job.logits + blockIdx.x * job.stride,
                     logit,
                     reinterpret_cast<word *>(logit),
                     static_cast<unsigned char *>(job.scratch) +
                         static_cast<size_t>(job.rows) * job.vocab * sizeof(double) +
                         static_cast<size_t>(blockIdx.x) * job.vocab,
                     job.vocab};
    bool narrowed = is_narrowed(sampling);
    double largest;
    unsigned best;
    word sum, share;

    read_logits(tokens);
    penalize(tokens);
    best = find_best(tokens, &shared);
    largest = tokens.logit[best];
    __syncthreads();
    if (sampling.temperature <= 0.0 || is_nan(largest)) {
        if (threadIdx.x == 0) {
            job.token[blockIdx.x] = best;
        }
        return;
    }
    weigh(tokens, best, largest);
    if (narrowed) {
        keep_top(tokens, &shared);
    }
    sum = sum_of(tokens, SUMS, &shared);
    share = drawn_share(sum, sampling.seed, row->position);
    if (narrowed) {
        draw_by_weight(tokens, sum - share, &shared, job.token + blockIdx.x);
    } else {
        draw_by_id(tokens, share, &shared, job.token + blockIdx.x);
    }
}

} /* namespace */

size_t dyno_cuda_sample_plain_scratch(const struct dyno_cuda_sample_job *job)
{
    return static_cast<size_t>(job->rows) * job->vocab * (sizeof(double) + 1);
}

int dyno_cuda_sample_plain(const struct dyno_cuda_sample_job *job, dyno_cuda_stream stream)
{
    if (!sample_is_whole(job)) {
        return DYNO_CUDA_REFUSED;
    }
    if (job->rows == 0) {
        return 0;
    }
    DYNO_LAUNCH(sample_plain, job->rows, threads, 0, stream, *job);
    return DYNO_CUDA_CHECK(cudaGetLastError());
}

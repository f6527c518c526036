/* NCCL over the emulated devices: the ranks of a group meet at every operation, and the last to
 * come does it for all.
 *
 * Ranks that meet at different operations are found, as is a device that is in a group twice, a
 * stream of another device, and a communicator that is used after it was given back.  Sums are
 * rounded to the type after every rank, in their order, as rings do.
 */
#include "kernels/cuda/nccl.h"

#include <memory>
#include <vector>

#include "kernels/half.h"
#include "tests/cuda_emulation/devices.h"
#include "tests/cuda_emulation/faults.h"
#include "tests/cuda_emulation/memory.h"
#include "tests/cuda_emulation/stream.h"

namespace
{

/* NVIDIA's codes. */
enum { success = 0, unhandled_cuda_error = 1, invalid_argument = 4, invalid_usage = 5 };

/* What a rank has come for. */
struct call {
    const void *from;
    void *to;
    size_t count;
    dyno_nccl_type type;
    bool is_sum;
};

struct group {
    std::vector<call> calls;   /* [ranks] */
    std::vector<bool> aborted; /* [ranks] */
    size_t come;
    uint64_t met; /* so often */
};

} /* namespace */

static size_t taken_opened, taken_used; /* by dyno_emulation_nccl_bytes */

struct ncclComm {
    std::shared_ptr<group> all;
    size_t rank;
    int device;
    size_t taken;

    void take(size_t bytes)
    {
        emulation::take_free(device, bytes);
        taken += bytes;
    }
    ~ncclComm()
    {
        emulation::give_free(device, taken);
    }
};

void dyno_emulation_nccl_bytes(size_t opened, size_t used)
{
    taken_opened = opened;
    taken_used = used;
}

static size_t bytes_of(dyno_nccl_type type)
{
    return type == DYNO_NCCL_F32 ? sizeof(float) : sizeof(uint16_t);
}

static float value_of(const void *from, dyno_nccl_type type, size_t at)
{
    switch (type) {
    case DYNO_NCCL_F16:
        return dyno_half_to_float(static_cast<const uint16_t *>(from)[at]);
    case DYNO_NCCL_BF16:
        return dyno_bf16_to_float(static_cast<const uint16_t *>(from)[at]);
    case DYNO_NCCL_F32:
        break;
    }
    return static_cast<const float *>(from)[at];
}

static void put_value(void *to, dyno_nccl_type type, size_t at, float value)
{
    if (type == DYNO_NCCL_F32) {
        static_cast<float *>(to)[at] = value;
    } else {
        static_cast<uint16_t *>(to)[at] =
            type == DYNO_NCCL_F16 ? dyno_half_of_float(value) : dyno_bf16_of_float(value);
    }
}

static bool sum(const group &all)
{
    const call &first = all.calls[0];
    size_t bytes = first.count * bytes_of(first.type);
    std::vector<char> total(bytes);

    for (size_t at = 0; at < first.count; at++) {
        put_value(total.data(), first.type, at, value_of(first.from, first.type, at));
        for (size_t rank = 1; rank < all.calls.size(); rank++) {
            put_value(total.data(), first.type, at,
                      value_of(total.data(), first.type, at) +
                          value_of(all.calls[rank].from, first.type, at));
        }
    }
    for (const call &each : all.calls) {
        if (emulation::copy(each.to, total.data(), bytes) != cudaSuccess) {
            return false;
        }
    }
    return true;
}

static bool gather(const group &all)
{
    size_t bytes = all.calls[0].count * bytes_of(all.calls[0].type);

    for (const call &each : all.calls) {
        for (size_t rank = 0; rank < all.calls.size(); rank++) {
            if (emulation::copy(static_cast<char *>(each.to) + rank * bytes, all.calls[rank].from,
                                bytes) != cudaSuccess) {
                return false;
            }
        }
    }
    return true;
}

/* All have come. */
static cudaError_t finish(group *all)
{
    const call &first = all->calls[0];

    for (const call &each : all->calls) {
        if (each.is_sum != first.is_sum || each.count != first.count || each.type != first.type) {
            emulation::complain("ranks of NCCL meet at different operations");
        }
    }
    return (first.is_sum ? sum(*all) : gather(*all)) ? cudaSuccess : cudaErrorIllegalAddress;
}

/* A rank's turn at an operation: it comes once, and goes on when all have come, or when it will not
 * have to. */
struct visit {
    bool has_come;
    uint64_t met; /* before it came */
};

static cudaError_t meet(group *all, size_t rank, const call &own, visit *visit)
{
    size_t bytes = own.count * bytes_of(own.type), ranks = all->calls.size();
    cudaError_t code = cudaSuccess;

    if (all->aborted[rank] || (visit->has_come && all->met > visit->met)) {
        return cudaSuccess;
    }
    if (visit->has_come) {
        return cudaErrorNotReady;
    }
    if (!emulation::memory_is_here(own.from, bytes) ||
        !emulation::memory_is_here(own.to, own.is_sum ? bytes : ranks * bytes)) {
        return cudaErrorIllegalAddress;
    }
    all->calls[rank] = own;
    *visit = {true, all->met};
    if (++all->come < ranks) {
        return cudaErrorNotReady;
    }
    code = finish(all);
    all->come = 0;
    all->met++;
    emulation::something_changed();
    return code;
}

static int queue(ncclComm *comm, const call &own, dyno_cuda_stream stream)
{
    auto *on = static_cast<cudaStream_t>(stream);
    std::shared_ptr<group> all = comm->all;
    size_t rank = comm->rank;
    visit visit = {false, 0};

    if (emulation::device_current() != comm->device || !emulation::is_here(on)) {
        return invalid_usage;
    }
    if (emulation::fault() != cudaSuccess) {
        return unhandled_cuda_error;
    }
    if (comm->taken == taken_opened) {
        comm->take(taken_used);
    }
    return emulation::queue(
               on, [=]() mutable { return meet(all.get(), rank, own, &visit); }, true) ==
                   cudaSuccess
               ? success
               : unhandled_cuda_error;
}

int dyno_nccl_open(struct ncclComm **comms, int count, const int *gpus)
{
    auto all = std::make_shared<group>();

    if (emulation::fault() != cudaSuccess) {
        return unhandled_cuda_error;
    }
    for (int i = 0; i < count; i++) {
        for (int other = 0; other < i; other++) {
            if (gpus[i] == gpus[other]) {
                return invalid_usage;
            }
        }
    }
    all->calls.resize(static_cast<size_t>(count));
    all->aborted.resize(static_cast<size_t>(count));
    for (int i = 0; i < count; i++) {
        comms[i] = new ncclComm{all, static_cast<size_t>(i), gpus[i], 0};
        comms[i]->take(taken_opened);
    }
    return success;
}

int dyno_nccl_all_reduce_sum(struct ncclComm *comm, void *values, size_t count,
                             enum dyno_nccl_type type, dyno_cuda_stream stream)
{
    return queue(comm, {values, values, count, type, true}, stream);
}

int dyno_nccl_all_gather(struct ncclComm *comm, const void *values, size_t count,
                         enum dyno_nccl_type type, void *all, dyno_cuda_stream stream)
{
    return queue(comm, {values, all, count, type, false}, stream);
}

int dyno_nccl_close(struct ncclComm *comm)
{
    delete comm;
    return success;
}

int dyno_nccl_abort(struct ncclComm *comm)
{
    emulation::turn turn;

    comm->all->aborted[comm->rank] = true;
    emulation::something_changed();
    delete comm;
    return success;
}

int dyno_nccl_version(int *version)
{
    *version = 22809;
    return success;
}

const char *dyno_nccl_text(int code)
{
    return code == success                ? "no error"
           : code == unhandled_cuda_error ? "unhandled cuda error"
           : code == invalid_argument     ? "invalid argument"
                                          : "invalid usage";
}

/* The emulated GPUs: how many there are, which one a thread talks to, and what fails on order. */
#include "tests/cuda_emulation/devices.h"

#include <cstdlib>

#include "tests/cuda_emulation/faults.h"
#include "tests/cuda_emulation/stream.h"

constexpr int devices_max = 8;

struct loss {
    uint64_t calls, call; /* made on the device; from this one on they fail; 0: none does */
    cudaError_t error;
};

static int device_count; /* 0: not known yet */
static thread_local int current;
static uint64_t calls, failing_call;
static cudaError_t failing_error;
static loss losses[devices_max];
static bool sees[devices_max][devices_max]; /* [device][peer] */

namespace emulation
{

int device_current()
{
    return current;
}

cudaError_t fault()
{
    turn turn;
    loss *own = &losses[current];

    own->calls++;
    if (++calls == failing_call) {
        return failing_error;
    }
    return own->call > 0 && own->calls >= own->call ? own->error : cudaSuccess;
}

cudaError_t fault_beside(int device)
{
    turn turn;
    loss *own = &losses[device];

    own->calls++;
    return own->call > 0 && own->calls >= own->call ? own->error : cudaSuccess;
}

bool device_is_lost(int device)
{
    turn turn;

    return losses[device].call > 0 && losses[device].calls >= losses[device].call;
}

static long told(const char *name, long otherwise)
{
    const char *text = getenv(name);

    return text ? strtol(text, nullptr, 10) : otherwise;
}

static int devices()
{
    turn turn;
    long call = told("DYNO_EMULATION_LOSE", 0);

    if (device_count == 0) {
        dyno_emulation_devices(static_cast<int>(told("DYNO_EMULATION_DEVICES", 1)));
        if (call > 0) {
            dyno_emulation_lose(device_count - 1, static_cast<uint64_t>(call),
                                cudaErrorIllegalAddress);
        }
    }
    return device_count;
}

} /* namespace emulation */

void dyno_emulation_devices(int count)
{
    if (count < 1 || count > devices_max) {
        abort();
    }
    device_count = count;
}

void dyno_emulation_fail(uint64_t call, cudaError_t error)
{
    calls = 0;
    failing_call = call;
    failing_error = error;
}

uint64_t dyno_emulation_calls()
{
    return calls;
}

void dyno_emulation_lose(int device, uint64_t call, cudaError_t error)
{
    emulation::turn turn;

    losses[device] = {0, call, error};
}

uint64_t dyno_emulation_device_calls(int device)
{
    return losses[device].calls;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = emulation::devices();
    return emulation::fault();
}

cudaError_t cudaSetDevice(int device)
{
    if (device < 0 || device >= emulation::devices()) {
        return cudaErrorInvalidDevice;
    }
    current = device;
    return emulation::fault();
}

static bool is_pair(int device, int peer)
{
    return device >= 0 && peer >= 0 && device < emulation::devices() &&
           peer < emulation::devices() && device != peer;
}

cudaError_t cudaDeviceCanAccessPeer(int *can, int device, int peer)
{
    *can = is_pair(device, peer);
    return emulation::fault();
}

cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned)
{
    emulation::turn turn;
    cudaError_t fault = emulation::fault();

    if (fault != cudaSuccess || !is_pair(current, peer)) {
        return fault != cudaSuccess ? fault : cudaErrorInvalidDevice;
    }
    if (sees[current][peer]) {
        return cudaErrorPeerAccessAlreadyEnabled;
    }
    sees[current][peer] = true;
    return cudaSuccess;
}

bool dyno_emulation_sees(int device, int peer)
{
    return sees[device][peer];
}

cudaError_t cudaGetDevice(int *device)
{
    *device = current;
    return cudaSuccess;
}

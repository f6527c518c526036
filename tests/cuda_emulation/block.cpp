/* Threads as fibers, barriers, and meetings of the lanes of a warp. */
#include "tests/cuda_emulation/block.h"

#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/cuda_emulation/fiber.h"
#include "tests/cuda_emulation/hopper.h"
#include "tests/cuda_emulation/memory.h"
#include "tests/cuda_emulation/tensor.h"

namespace emulation
{

place here;

enum class state { ready, at_barrier, at_meeting, waiting, done };

struct thread {
    fiber own;
    state is;
    index3 index;
    unsigned mask; /* of the lanes that it waits for */
    const char *what;
    void *argument;
    const void *what_for;
    unsigned line; /* of the barrier in the file `what` */
    bool has_waited;
};

static struct {
    thread threads[block_threads_max];
    unsigned warp_epoch[block_threads_max / warp_lanes];
    unsigned count, running, waiting; /* waiting: at the barrier */
    unsigned launch_waits;            /* threads that have waited for the launch before */
    bool down;
    fiber host;
    unsigned char *stacks; /* [block_threads_max][stack_bytes] */
    void (*body)(const void *);
    const void *argument;
} block;

static void make_stacks()
{
    size_t bytes = block_threads_max * stack_bytes;
    void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED) {
        complain("no memory for %zu bytes of stacks", bytes);
    }
    block.stacks = static_cast<unsigned char *>(memory);
    for (unsigned i = 0; i < block_threads_max; i++) {
        mprotect(block.stacks + i * stack_bytes, static_cast<size_t>(sysconf(_SC_PAGESIZE)),
                 PROT_NONE);
    }
    memory_ignore(memory, bytes);
}

/* The thread whose turn it is after `index`, or `count` if all wait. */
static unsigned next_ready(unsigned index)
{
    for (unsigned i = 0; i < block.count; i++) {
        if (block.down) {
            index = index == 0 ? block.count - 1 : index - 1;
        } else {
            index = index + 1 == block.count ? 0 : index + 1;
        }
        if (block.threads[index].is == state::ready) {
            return index;
        }
    }
    return block.count;
}

static void set_place(unsigned index)
{
    block.running = index;
    here.thread = index;
    here.thread_index = block.threads[index].index;
    here.warp_epoch = block.warp_epoch[index / warp_lanes];
    here.has_waited = block.threads[index].has_waited;
}

[[noreturn]] static void complain_of_deadlock()
{
    for (unsigned i = 0; i < block.count; i++) {
        if (block.threads[i].is == state::at_meeting) {
            complain("thread %u waits at %s for lanes %08x, and nobody can go on", i,
                     block.threads[i].what, block.threads[i].mask);
        }
        if (block.threads[i].is == state::waiting) {
            complain("thread %u waits for %s, and nobody can go on", i, block.threads[i].what);
        }
    }
    complain("%u of %u threads wait at __syncthreads(), and the others have ended", block.waiting,
             block.count);
}

/* The running thread cannot go on, or has ended. */
static void give_way(bool last)
{
    unsigned from = block.running, to = next_ready(from);

    if (to == from) {
        return;
    }
    if (to == block.count) {
        if (!last || block.waiting > 0) {
            complain_of_deadlock();
        }
        for (unsigned i = 0; i < block.count; i++) {
            if (block.threads[i].is != state::done) {
                complain_of_deadlock();
            }
        }
        fiber_switch(&block.threads[from].own, &block.host, true);
    }
    set_place(to);
    fiber_switch(&block.threads[from].own, &block.threads[to].own, last);
}

static void run_thread()
{
    fiber_begun();
    block.body(block.argument);
    block.threads[block.running].is = state::done;
    give_way(true);
    abort();
}

static void run_block()
{
    index3 dim = here.block_dim;

    block.count = dim.x * dim.y * dim.z;
    block.waiting = 0;
    block.launch_waits = 0;
    for (unsigned i = 0; i < block.count; i++) {
        block.threads[i] = {};
        block.threads[i].index = {i % dim.x, i / dim.x % dim.y, i / dim.x / dim.y};
        fiber_make(&block.threads[i].own, block.stacks + i * stack_bytes, run_thread);
    }
    set_place(block.down ? block.count - 1 : 0);
    fiber_switch(&block.host, &block.threads[block.running].own, false);
}

/* Static memory lies before dynamic memory, so that this is aligned to what it asks for alone. */
static void make_shared(size_t bytes)
{
    constexpr size_t alignment = 1024, unit = 16;
    static size_t launches;
    size_t before = unit * (1 + 2 * (launches++ * 5 % 31));
    void *memory = nullptr;

    if (posix_memalign(&memory, alignment, before + bytes) != 0) {
        complain("no memory for %zu bytes of shared memory", bytes);
    }
    here.shared_window = static_cast<unsigned char *>(memory);
    here.dynamic_shared = here.shared_window + before;
}

void launch(const char *kernel, index3 grid, index3 dim, size_t dynamic_bytes, bool is_early,
            void (*body)(const void *), const void *argument)
{
    unsigned blocks = grid.x * grid.y * grid.z;

    if (!block.stacks) {
        make_stacks();
    }
    block.down = !block.down;
    block.body = body;
    block.argument = argument;
    here.block_dim = dim;
    here.grid_dim = grid;
    make_shared(dynamic_bytes);
    memory_launch_begins(kernel, is_early, __builtin_frame_address(0));
    for (unsigned i = 0; i < blocks; i++) {
        unsigned rank = block.down ? blocks - 1 - i : i;

        here.block_index = {rank % grid.x, rank / grid.x % grid.y, rank / grid.x / grid.y};
        copies_forget();
        hopper_forget();
        memory_block_begins(here.dynamic_shared, dynamic_bytes);
        run_block();
        if (is_early && block.launch_waits == 0) {
            complain("a block has ended without wait_for_launch_before(): what follows may begin "
                     "while the launch before this one runs");
        }
    }
    copies_forget();
    hopper_forget();
    memory_launch_ends();
    free(here.shared_window);
}

void barrier(const char *file, unsigned line)
{
    thread *self = &block.threads[block.running];

    self->is = state::at_barrier;
    self->what = file;
    self->line = line;
    if (++block.waiting < block.count) {
        give_way(false);
        return;
    }
    block.waiting = 0;
    memory_barrier();
    for (unsigned i = 0; i < block.count; i++) {
        const thread &other = block.threads[i];

        if (other.line != line || strcmp(other.what, file) != 0) {
            complain("threads of one block meet at two barriers: __syncthreads() of %s:%u and of "
                     "%s:%u",
                     file, line, other.what, other.line);
        }
        block.threads[i].is = state::ready;
    }
}

void wait_for_launch()
{
    thread *self = &block.threads[block.running];

    block.launch_waits += !self->has_waited;
    self->has_waited = true;
    here.has_waited = true;
}

void wait_for(const void *what_for, const char *what)
{
    thread *self = &block.threads[block.running];

    self->is = state::waiting;
    self->what = what;
    self->what_for = what_for;
    give_way(false);
}

void wake(const void *what_for)
{
    for (unsigned i = 0; i < block.count; i++) {
        if (block.threads[i].is == state::waiting && block.threads[i].what_for == what_for) {
            block.threads[i].is = state::ready;
        }
    }
}

bool is_waited_for(const void *what_for)
{
    for (unsigned i = 0; i < block.count; i++) {
        if (block.threads[i].is == state::waiting && block.threads[i].what_for == what_for) {
            return true;
        }
    }
    return false;
}

/* The rank of the first thread of the running thread's warp. */
static unsigned warp_begin()
{
    return block.running / warp_lanes * warp_lanes;
}

static bool all_have_come(unsigned mask, const char *what)
{
    for (unsigned lane = 0; lane < warp_lanes; lane++) {
        unsigned index = warp_begin() + lane;
        const thread *other = &block.threads[index];

        if (!(mask >> lane & 1)) {
            continue;
        }
        if (index >= block.count || other->is == state::done) {
            complain("%s waits for lane %u, which has ended or never was", what, lane);
        }
        if (other->is != state::at_meeting) {
            return false;
        }
        if (other->what != what || other->mask != mask) {
            complain("lanes of one warp meet at %s (%08x) and %s (%08x)", what, mask, other->what,
                     other->mask);
        }
    }
    return true;
}

void meet(unsigned mask, const char *what, void *argument,
          void (*finish)(void *const *arguments, unsigned mask))
{
    thread *self = &block.threads[block.running];
    void *arguments[warp_lanes] = {};

    if (!(mask >> (block.running - warp_begin()) & 1)) {
        complain("%s with mask %08x, which lacks the lane itself", what, mask);
    }
    self->is = state::at_meeting;
    self->mask = mask;
    self->what = what;
    self->argument = argument;
    if (!all_have_come(mask, what)) {
        give_way(false);
        here.warp_epoch = block.warp_epoch[block.running / warp_lanes];
        return;
    }
    for (unsigned lane = 0; lane < warp_lanes; lane++) {
        if (mask >> lane & 1) {
            arguments[lane] = block.threads[warp_begin() + lane].argument;
            block.threads[warp_begin() + lane].is = state::ready;
        }
    }
    finish(arguments, mask);
    here.warp_epoch = block.warp_epoch[block.running / warp_lanes];
}

/* finish() of __syncwarp. */
void warp_epoch_ends(void *const *, unsigned mask);
void warp_epoch_ends(void *const *, unsigned mask)
{
    if (mask == ~0U) {
        block.warp_epoch[block.running / warp_lanes]++;
    }
}

} /* namespace emulation */

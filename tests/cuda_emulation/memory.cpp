/* Device memory, its shadow, and the hooks that the compiler calls. */
#include "tests/cuda_emulation/memory.h"

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>

#include "tests/cuda_emulation/block.h"
#include "tests/cuda_emulation/cuda_runtime.h"
#include "tests/cuda_emulation/devices.h"

extern "C" {
extern unsigned char __executable_start, _end;
/* Static shared memory; there is none if no kernel has any. */
extern unsigned char __start_dyno_shared __attribute__((weak));
extern unsigned char __stop_dyno_shared __attribute__((weak));
}

namespace emulation
{

constexpr unsigned nobody = ~0U, several = ~0U - 1;

/* What a byte remembers. */
struct trace {
    unsigned write_epoch, write_thread, write_warp_epoch;
    unsigned read_epoch, read_thread,
        read_warp_epoch; /* read_thread: one, or several of read_warp */
    unsigned read_warp;  /* one, or several */

    /* The launch in which another block read it, or updated it, than the one that is remembered. */
    unsigned also_read, also_updated;
    unsigned fence; /* of shared memory: as many had the writer's thread made when it wrote */
    bool written, atomic, by_thread; /* by_thread: not by TMA */
};

enum class space { device, shared };

struct region {
    unsigned char *begin, *end;
    trace *traces; /* [end - begin] */
    space is;
    int device; /* where it was taken */
};

constexpr unsigned regions_max = 256;
static struct {
    region regions[regions_max];
    unsigned count, last;
    unsigned epoch, launch_epoch, block_epoch; /* block_epoch: the running block's first */
    unsigned chain_epoch; /* the first of what may still run when a launch starts early */
    bool is_early;
    const char *kernel;
    const unsigned char *stack, *stacks;
    size_t stacks_bytes;
    region *dynamic; /* its place in regions; null where there is none */
} memory;

static std::map<const unsigned char *, size_t> pinned; /* memory of the host: its bytes */
static thread_local bool launches; /* the host's thread on which a kernel runs */

void complain(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "cuda emulation: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n    thread (%u, %u, %u) of block (%u, %u, %u), kernel %s\n",
            here.thread_index.x, here.thread_index.y, here.thread_index.z, here.block_index.x,
            here.block_index.y, here.block_index.z, memory.kernel ? memory.kernel : "none");
    va_end(arguments);
    abort();
}

static region *region_add(unsigned char *begin, size_t bytes, space is)
{
    region *added = &memory.regions[memory.count];

    if (memory.count == regions_max) {
        complain("more than %u allocations", regions_max);
    }
    *added = {begin, begin + bytes, nullptr, is, device_current()};
#if !defined(__SANITIZE_ADDRESS__)
    added->traces = static_cast<trace *>(calloc(bytes + 1, sizeof(trace)));
    if (!added->traces) {
        return nullptr;
    }
#endif
    memory.count++;
    return added;
}

static region *region_of(const unsigned char *address)
{
    region *last = &memory.regions[memory.last];

    if (memory.last < memory.count && address >= last->begin && address < last->end) {
        return last;
    }
    for (unsigned i = 0; i < memory.count; i++) {
        if (address >= memory.regions[i].begin && address < memory.regions[i].end) {
            memory.last = i;
            return &memory.regions[i];
        }
    }
    return nullptr;
}

void *memory_take(size_t bytes)
{
    constexpr size_t alignment = 256;
    void *taken = nullptr;

    if (posix_memalign(&taken, alignment, bytes + (bytes == 0)) != 0) {
        return nullptr;
    }
    if (!region_add(static_cast<unsigned char *>(taken), bytes, space::device)) {
        free(taken);
        return nullptr;
    }
    memset(taken, 0xff, bytes);
    return taken;
}

static void region_remove(region *gone)
{
    free(gone->traces);
    *gone = memory.regions[--memory.count];
}

bool memory_give(void *given)
{
    for (unsigned i = 0; i < memory.count; i++) {
        if (memory.regions[i].begin == given && memory.regions[i].is == space::device) {
            region_remove(&memory.regions[i]);
            free(given);
            return true;
        }
    }
    return false;
}

bool memory_within(const void *address, size_t bytes)
{
    const auto *begin = static_cast<const unsigned char *>(address);
    region *region = region_of(begin);

    return !region || static_cast<size_t>(region->end - begin) >= bytes;
}

bool memory_holds(const void *address, size_t bytes)
{
    return region_of(static_cast<const unsigned char *>(address)) && memory_within(address, bytes);
}

bool memory_is_here(const void *address, size_t bytes)
{
    const region *region = region_of(static_cast<const unsigned char *>(address));

    return !region || (region->device == device_running() && memory_within(address, bytes));
}

bool memory_written(const void *address, size_t bytes)
{
    const auto *begin = static_cast<const unsigned char *>(address);
    region *region = region_of(begin);

    if (!memory_within(address, bytes)) {
        return false;
    }
    for (size_t i = 0; region && region->traces && i < bytes; i++) {
        trace *trace = &region->traces[begin - region->begin + static_cast<ptrdiff_t>(i)];

        *trace = {};
        trace->written = true;
        trace->write_epoch = memory.epoch;
    }
    return true;
}

void memory_pin(const void *address, size_t bytes)
{
    pinned[static_cast<const unsigned char *>(address)] = bytes;
}

void memory_unpin(const void *address)
{
    pinned.erase(static_cast<const unsigned char *>(address));
}

bool memory_is_known(const void *address)
{
    const auto *begin = static_cast<const unsigned char *>(address);
    auto after = pinned.upper_bound(begin);

    if (region_of(begin)) {
        return true;
    }
    return after != pinned.begin() && begin < std::prev(after)->first + std::prev(after)->second;
}

void memory_ignore(const void *begin, size_t bytes)
{
    memory.stacks = static_cast<const unsigned char *>(begin);
    memory.stacks_bytes = bytes;
}

void memory_launch_begins(const char *kernel, bool is_early, const void *stack)
{
    launches = true;
    memory.kernel = kernel;
    memory.stack = static_cast<const unsigned char *>(stack);
    memory.launch_epoch = ++memory.epoch;
    memory.is_early = is_early;
    if (!is_early) {
        memory.chain_epoch = memory.launch_epoch;
    }
}

void memory_other_launch()
{
    memory.chain_epoch = ++memory.epoch;
}

void memory_all_ended()
{
    memory.chain_epoch = memory.epoch + 1;
}

void memory_launch_ends()
{
    launches = false;
    memory.kernel = nullptr;
    if (memory.dynamic) {
        region_remove(memory.dynamic);
        memory.dynamic = nullptr;
    }
}

static void share_static_memory()
{
#if !defined(__SANITIZE_ADDRESS__)
    static bool known;
    auto bytes = static_cast<size_t>(&__stop_dyno_shared - &__start_dyno_shared);

    if (!known && bytes > 0) {
        region_add(&__start_dyno_shared, bytes, space::shared);
    }
    known = true;
    if (bytes > 0) {
        memset(&__start_dyno_shared, 0xff, bytes);
    }
#endif
}

void memory_block_begins(void *dynamic, size_t bytes)
{
    memory.block_epoch = ++memory.epoch;
    share_static_memory();
    memset(dynamic, 0xff, bytes);
#if !defined(__SANITIZE_ADDRESS__)
    if (!memory.dynamic && bytes > 0) {
        memory.dynamic = region_add(static_cast<unsigned char *>(dynamic), bytes, space::shared);
    }
#endif
}

void memory_barrier()
{
    memory.epoch++;
}

void copy_unwatched(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}

#if defined(__SANITIZE_ADDRESS__)

extern "C" void *__asan_region_is_poisoned(void *begin, size_t bytes);

/* What the emulation itself does for a thread: the compiler has seen to all else. */
void watch(const void *address, size_t bytes, access kind)
{
    if (__asan_region_is_poisoned(const_cast<void *>(address), bytes)) {
        complain("%s of %zu bytes at %p, which is outside of all device and shared memory",
                 kind == access::read ? "read" : "write", bytes, address);
    }
}

void watch_async(const void *address, size_t bytes, access kind)
{
    watch(address, bytes, kind);
}

void fence_async()
{
}

#else

static unsigned fences[block_threads_max]; /* that each thread of a block has made */

static const char *space_name(const region *region)
{
    return region->is == space::shared ? "shared" : "device";
}

[[noreturn]] static void complain_of_race(const region *region, size_t offset, const char *earlier,
                                          unsigned thread, bool other_block, const char *now)
{
    char who[32];

    snprintf(who, sizeof who, thread == several ? "several threads" : "thread %u", thread);
    complain("race: %s by %s%s, then %s, at byte %zu of %zu of %s memory", earlier, who,
             other_block ? " of another block" : "", now, offset,
             static_cast<size_t>(region->end - region->begin), space_name(region));
}

/* Whether an access in (epoch, warp_epoch) by `thread` (several: of `warp`) is unordered with one
 * by the running thread now. */
static bool unordered(unsigned epoch, unsigned thread, unsigned warp, unsigned warp_epoch)
{
    if (epoch < memory.block_epoch) {
        return epoch >= memory.launch_epoch;
    }
    if (epoch < memory.epoch || thread == here.thread) {
        return false;
    }
    return warp != here.thread / warp_lanes || warp_epoch == here.warp_epoch;
}

/* Whether an access was of this launch, and of a block before this one. */
static bool is_of_other_block(unsigned epoch)
{
    return epoch >= memory.launch_epoch && epoch < memory.block_epoch;
}

static void note_read(trace *trace)
{
    unsigned warp = here.thread / warp_lanes;

    if (is_of_other_block(trace->read_epoch)) {
        trace->also_read = memory.launch_epoch;
    }
    if (trace->read_epoch != memory.epoch) {
        trace->read_thread = here.thread;
        trace->read_warp = warp;
    } else if (trace->read_warp != warp) {
        trace->read_warp = several;
        trace->read_thread = several;
    } else if (trace->read_thread != here.thread) {
        trace->read_thread = trace->read_warp_epoch == here.warp_epoch ? several : here.thread;
    }
    trace->read_epoch = memory.epoch;
    trace->read_warp_epoch = here.warp_epoch;
}

/* What is remembered no more, for a later block did the same: blocks of a launch have no order. */
static void check_forgotten(const region *region, size_t offset, access kind, const char *now)
{
    const trace &trace = region->traces[offset];

    if (region->is != space::device) {
        return;
    }
    if (kind != access::atomic && trace.also_updated == memory.launch_epoch) {
        complain_of_race(region, offset, "updated", several, true, now);
    }
    if (kind != access::read && trace.also_read == memory.launch_epoch) {
        complain_of_race(region, offset, "read", several, true, now);
    }
}

/* Whether it was of a launch that may still run. */
static bool may_run(unsigned epoch)
{
    return epoch >= memory.chain_epoch && epoch < memory.launch_epoch;
}

/* Of a launch that may have started early. */
static void check_early(const region *region, size_t offset, access kind, const char *now)
{
    const trace &trace = region->traces[offset];

    if (!memory.is_early || here.has_waited || region->is != space::device) {
        return;
    }
    if (may_run(trace.write_epoch) || (kind != access::read && may_run(trace.read_epoch))) {
        complain("race: byte %zu of %zu of device memory is %s before wait_for_launch_before(), "
                 "and a launch that may still run %s it",
                 offset, static_cast<size_t>(region->end - region->begin), now,
                 may_run(trace.write_epoch) ? "writes" : "reads");
    }
}

static void check_byte(const region *region, size_t offset, access kind)
{
    trace *trace = &region->traces[offset];
    const char *now = kind == access::read ? "read" : kind == access::write ? "written" : "updated";
    bool in_this_block = trace->write_epoch >= memory.block_epoch;

    check_early(region, offset, kind, now);
    if (trace->write_epoch > 0 && !(trace->atomic && kind == access::atomic) &&
        (region->is == space::device || in_this_block) &&
        unordered(trace->write_epoch, trace->write_thread, trace->write_thread / warp_lanes,
                  trace->write_warp_epoch)) {
        complain_of_race(region, offset, "written", trace->write_thread, !in_this_block, now);
    }
    check_forgotten(region, offset, kind, now);
    if (kind != access::write && (region->is == space::device ? !trace->written : !in_this_block)) {
        complain("read of byte %zu of %zu of %s memory, which nobody wrote", offset,
                 static_cast<size_t>(region->end - region->begin), space_name(region));
    }
    if (kind == access::read) {
        note_read(trace);
        return;
    }
    if (trace->read_epoch > 0 &&
        (region->is == space::device || trace->read_epoch >= memory.block_epoch) &&
        unordered(trace->read_epoch, trace->read_thread, trace->read_warp,
                  trace->read_warp_epoch)) {
        complain_of_race(region, offset, "read", trace->read_thread,
                         trace->read_epoch < memory.block_epoch, now);
    }
    if (is_of_other_block(trace->write_epoch)) {
        trace->also_updated = memory.launch_epoch;
    }
    trace->write_epoch = memory.epoch;
    trace->write_thread = here.thread;
    trace->write_warp_epoch = here.warp_epoch;
    trace->written = true;
    trace->by_thread = true;
    trace->fence = fences[here.thread];
    trace->atomic = kind == access::atomic;
}

void fence_async()
{
    fences[here.thread]++;
}

void watch_async(const void *address, size_t bytes, access kind)
{
    const auto *begin = static_cast<const unsigned char *>(address);
    const region *region = region_of(begin);

    for (size_t i = 0; region && i < bytes && begin + i < region->end; i++) {
        const trace &trace = region->traces[static_cast<size_t>(begin - region->begin) + i];

        if (trace.by_thread && trace.write_epoch >= memory.block_epoch &&
            fences[trace.write_thread] == trace.fence) {
            complain("byte %zu of shared memory is %s asynchronously, and thread %u, which wrote "
                     "it, has made no fence since",
                     static_cast<size_t>(begin - region->begin) + i,
                     kind == access::read ? "read" : "written", trace.write_thread);
        }
    }
    watch(address, bytes, kind);
    for (size_t i = 0; region && kind == access::write && i < bytes; i++) {
        region->traces[static_cast<size_t>(begin - region->begin) + i].by_thread = false;
    }
}

/* Memory of the program itself: the launcher's stack, constants and the emulation's state. */
static bool is_own(const unsigned char *address)
{
    constexpr size_t stack_depth = 8U << 20;

    return (address >= memory.stack && address < memory.stack + stack_depth) ||
           (address >= &__executable_start && address < &_end &&
            !(address >= &__start_dyno_shared && address < &__stop_dyno_shared));
}

void watch(const void *address, size_t bytes, access kind)
{
    const auto *begin = static_cast<const unsigned char *>(address);
    const region *region;

    if (static_cast<size_t>(begin - memory.stacks) < memory.stacks_bytes || !launches ||
        is_own(begin)) {
        return;
    }
    region = region_of(begin);
    if (!region || static_cast<size_t>(region->end - begin) < bytes) {
        complain("%s of %zu bytes at %p, which is outside of all device and shared memory",
                 kind == access::read ? "read" : "write", bytes, address);
    }
    if (region->is == space::device && region->device != device_running()) {
        complain("a kernel of device %d touches memory of device %d", device_running(),
                 region->device);
    }
    for (size_t i = 0; region->traces && i < bytes; i++) {
        check_byte(region, static_cast<size_t>(begin - region->begin) + i, kind);
    }
}

#endif

} /* namespace emulation */

#if !defined(__SANITIZE_ADDRESS__)

using emulation::access;
using emulation::watch;

#define HOOK(bytes)                                                                                \
    void __tsan_read##bytes(void *address)                                                         \
    {                                                                                              \
        watch(address, bytes, access::read);                                                       \
    }                                                                                              \
    void __tsan_write##bytes(void *address)                                                        \
    {                                                                                              \
        watch(address, bytes, access::write);                                                      \
    }                                                                                              \
    void __tsan_unaligned_read##bytes(void *address)                                               \
    {                                                                                              \
        watch(address, bytes, access::read);                                                       \
    }                                                                                              \
    void __tsan_unaligned_write##bytes(void *address)                                              \
    {                                                                                              \
        watch(address, bytes, access::write);                                                      \
    }

/* The names are the compiler's. */
#pragma GCC diagnostic ignored "-Wmissing-declarations"
extern "C" {
HOOK(1)
HOOK(2)
HOOK(4)
HOOK(8)
HOOK(16)

void __tsan_read_range(void *address, unsigned long bytes)
{
    watch(address, bytes, access::read);
}

void __tsan_write_range(void *address, unsigned long bytes)
{
    watch(address, bytes, access::write);
}

/* Launchers' static variables are behind such a byte. */
unsigned char __tsan_atomic8_load(const volatile unsigned char *address, int order)
{
    return __atomic_load_n(address, order == 0 ? __ATOMIC_RELAXED : __ATOMIC_ACQUIRE);
}

void __tsan_init()
{
}

void __tsan_func_entry(void *)
{
}

void __tsan_func_exit()
{
}
}

#endif

/* Barriers by phases, boxes that wait for them, products that wait to be waited for. */
#include "tests/cuda_emulation/hopper.h"

#include <cstring>
#include <vector>

#include "tests/cuda_emulation/block.h"
#include "tests/cuda_emulation/memory.h"

namespace emulation
{

constexpr unsigned swizzle_row_bytes = 128, chunk_bytes = 16, atom_bytes = 1024, step_k = 16;

unsigned shared_offset(const void *shared)
{
    return static_cast<unsigned>(static_cast<const unsigned char *>(shared) - here.shared_window);
}

struct box {
    unsigned char *to;
    std::vector<unsigned char> bytes;
};

struct phases {
    const uint64_t *barrier;
    unsigned arrivals, missing, parity; /* parity: of the phase that has not ended */
    long bytes;                         /* expected and not here */
    std::vector<box> boxes;             /* on their way */
    bool is_set;                        /* TMA sees that it is initialised */
};

static std::vector<phases> known;
static std::vector<product> waiting[block_threads_max];
static unsigned open_group[block_threads_max];
static bool is_fenced[block_threads_max]; /* the group's products may begin */

void hopper_forget()
{
    for (auto &phases : known) {
        if (!phases.boxes.empty()) {
            complain("a block ended with %zu boxes on their way", phases.boxes.size());
        }
    }
    for (auto &products : waiting) {
        if (!products.empty()) {
            complain("a thread of the last block ended with %zu products that it did not wait for",
                     products.size());
        }
    }
    known.clear();
    memset(open_group, 0, sizeof open_group);
    memset(is_fenced, 0, sizeof is_fenced);
}

static phases *phases_of(const uint64_t *barrier)
{
    for (auto &phases : known) {
        if (phases.barrier == barrier) {
            return &phases;
        }
    }
    complain("a barrier at %p that was not initialised", static_cast<const void *>(barrier));
}

void phases_init(const uint64_t *barrier, unsigned arrivals)
{
    if (reinterpret_cast<uintptr_t>(barrier) % sizeof *barrier != 0) {
        complain("a barrier at %p, which is not aligned", static_cast<const void *>(barrier));
    }
    known.push_back({barrier, arrivals, arrivals, 0, 0, {}, false});
}

void phases_are_set()
{
    for (auto &phases : known) {
        phases.is_set = true;
    }
}

static void look_whether_it_ends(phases *phases)
{
    if (phases->missing == 0 && phases->bytes == 0) {
        phases->missing = phases->arrivals;
        phases->parity ^= 1;
        memory_barrier();
        wake(phases->barrier);
    }
}

static void deliver(phases *phases)
{
    for (auto &box : phases->boxes) {
        memcpy(box.to, box.bytes.data(), box.bytes.size());
        phases->bytes -= static_cast<long>(box.bytes.size());
    }
    phases->boxes.clear();
    look_whether_it_ends(phases);
}

void phases_arrive(const uint64_t *barrier, unsigned bytes_expected)
{
    phases *phases = phases_of(barrier);

    if (phases->missing == 0) {
        complain("more than %u arrivals at a barrier", phases->arrivals);
    }
    phases->missing--;
    phases->bytes += bytes_expected;
    look_whether_it_ends(phases);
}

void phases_wait(const uint64_t *barrier, unsigned parity)
{
    phases *phases = phases_of(barrier);

    while (phases->parity == parity) {
        deliver(phases);
        if (phases->parity == parity) {
            wait_for(barrier, "a barrier's phase");
        }
    }
}

constexpr unsigned numbers = 16;
static struct {
    uint64_t place; /* its address names it */
    unsigned come;
} by_number[numbers];

void threads_arrive(unsigned barrier, unsigned threads)
{
    auto *own = &by_number[barrier % numbers];

    if (barrier >= numbers || threads % warp_lanes != 0) {
        complain("barrier %u of %u threads", barrier, threads);
    }
    if (++own->come == threads) {
        own->come = 0;
        memory_barrier();
        wake(&own->place);
    }
}

void threads_wait(unsigned barrier, unsigned threads)
{
    auto *own = &by_number[barrier % numbers];
    bool last = own->come + 1 == threads;

    threads_arrive(barrier, threads);
    if (!last) {
        wait_for(&own->place, "bar.sync");
    }
}

constexpr unsigned dimensions = 5;

/* Row `index` of the box, to where the swizzle has it. */
static void copy_row(const CUtensorMap *map, const unsigned (&at)[dimensions], unsigned index,
                     box *box)
{
    unsigned char *to = box->bytes.data() + size_t{index} * swizzle_row_bytes;
    const unsigned char *from = map->address + at[0] * sizeof(uint16_t);
    bool within = at[0] < map->size[0];
    unsigned rest = index;

    for (unsigned i = 1; i < dimensions; i++) {
        unsigned place = at[i] + rest % map->box[i];

        rest /= map->box[i];
        within = within && place < map->size[i];
        from += place * map->stride[i - 1];
    }
    if (!within) {
        return;
    }
    auto inside = static_cast<unsigned>(map->size[0] - at[0]) *
                  static_cast<unsigned>(sizeof(uint16_t)); /* whole chunks: see make_map */
    unsigned bytes = inside < swizzle_row_bytes ? inside : swizzle_row_bytes;

    if (!memory_holds(from, bytes)) { /* what nobody wrote may come along: it is NaN */
        complain("a box reads a row at %p, which is outside of all device memory",
                 static_cast<const void *>(from));
    }
    for (unsigned chunk = 0; chunk < bytes / chunk_bytes; chunk++) {
        memcpy(to + (chunk ^ index % 8) * chunk_bytes, from + chunk * chunk_bytes, chunk_bytes);
    }
}

void fetch_box(const CUtensorMap *map, void *to, const uint64_t *barrier,
               const unsigned (&at)[dimensions])
{
    unsigned rows = map->box[1] * map->box[2] * map->box[3] * map->box[4];
    size_t bytes = size_t{rows} * swizzle_row_bytes;
    box box = {static_cast<unsigned char *>(to), std::vector<unsigned char>(bytes)};
    phases *phases = phases_of(barrier);

    if (shared_offset(to) % atom_bytes != 0) {
        complain("a box to byte %u of shared memory, which is not aligned", shared_offset(to));
    }
    if (!phases->is_set) {
        complain("a box for a barrier whose initialisation no fence has made known");
    }
    for (unsigned i = 0; i < rows; i++) {
        copy_row(map, at, i, &box);
    }
    watch_async(to, bytes, access::write);
    memset(to, 0xff, bytes);
    phases->boxes.push_back(box);
    if (is_waited_for(barrier)) {
        deliver(phases);
    }
}

static CUresult make_map(CUtensorMap *map, void *address, const cuuint64_t *size,
                         const cuuint64_t *stride, const cuuint32_t *box)
{
    constexpr unsigned box_max = 256;
    uintptr_t wrong = reinterpret_cast<uintptr_t>(address) % chunk_bytes;

    map->address = static_cast<const unsigned char *>(address);
    for (unsigned i = 0; i < dimensions; i++) {
        map->size[i] = size[i];
        map->box[i] = box[i];
        wrong |= size[i] == 0 || box[i] == 0 || box[i] > box_max;
    }
    for (unsigned i = 0; i < dimensions - 1; i++) {
        map->stride[i] = stride[i];
        wrong |= stride[i] % chunk_bytes;
    }
    wrong |= size[0] * sizeof(uint16_t) % chunk_bytes;
    wrong |= box[0] * sizeof(uint16_t) != swizzle_row_bytes;
    return wrong == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* An operand in shared memory, as its descriptor says. */
struct operand {
    unsigned begin, leading, stride; /* bytes */
};

static operand operand_of(uint64_t descriptor)
{
    constexpr unsigned field = 0x3fff, unit = 16;
    auto part = [=](unsigned shift) {
        return static_cast<unsigned>(descriptor >> shift & field) * unit;
    };

    if (descriptor >> 62 != 1) {
        complain("a descriptor without the swizzle of 128 bytes: %016llx",
                 static_cast<unsigned long long>(descriptor));
    }
    return {part(0), part(16), part(32)};
}

/* The address bits that the swizzle changes. */
static const unsigned char *swizzled(unsigned offset)
{
    return here.shared_window + (offset ^ (offset / swizzle_row_bytes % 8 * chunk_bytes));
}

/* Element (row, k) of a tile with k contiguous; `turned`: of one with the rows contiguous. */
static const unsigned char *element_at(const operand &of, unsigned row, unsigned k, bool turned)
{
    constexpr unsigned panel = 64, size = sizeof(uint16_t);

    if (turned) {
        return swizzled(of.begin + row / panel * of.leading + row % panel * size +
                        k / 8 * of.stride + k % 8 * swizzle_row_bytes);
    }
    return swizzled(of.begin + row / 8 * of.stride + row % 8 * swizzle_row_bytes + k * size);
}

static void read_operand(uint64_t descriptor, unsigned first, unsigned rows, bool turned,
                         const product &product, float *to)
{
    operand operand = operand_of(descriptor);

    for (unsigned i = 0; i < rows * step_k; i++) {
        const unsigned char *from = element_at(operand, first + i / step_k, i % step_k, turned);
        uint16_t bits;

        watch_async(from, sizeof bits, access::read);
        memcpy(&bits, from, sizeof bits);
        to[i] = product.to_float(bits);
    }
}

/* A warp's 16 rows of the left side from its lanes' registers. */
static void read_fragments(void *const *arguments, float *to)
{
    for (unsigned lane = 0; lane < warp_lanes; lane++) {
        const auto *own = static_cast<const product *>(arguments[lane]);

        for (unsigned i = 0; i < 8; i++) {
            unsigned row = lane / 4 + i / 2 % 2 * 8, k = lane % 4 * 2 + i / 4 * 8 + i % 2;

            to[row * step_k + k] =
                own->to_float(static_cast<uint16_t>(own->a[i / 2] >> i % 2 * 16));
        }
    }
}

static void multiply(void *const *arguments, unsigned)
{
    constexpr unsigned columns_max = 256;
    static float a[16 * step_k], b[columns_max * step_k];
    const auto *first = static_cast<const product *>(arguments[0]);
    unsigned warp = here.thread / warp_lanes % 4;

    read_operand(first->b, 0, first->columns, first->a != nullptr, *first, b);
    if (first->a) {
        read_fragments(arguments, a);
    } else {
        read_operand(first->a_rows, warp * 16, 16, false, *first, a);
    }
    for (unsigned lane = 0; lane < warp_lanes; lane++) {
        const auto *own = static_cast<const product *>(arguments[lane]);

        for (unsigned i = 0; i < own->columns / 2; i++) {
            unsigned row = lane / 4 + i % 4 / 2 * 8, column = i / 4 * 8 + lane % 4 * 2 + i % 2;
            double sum = own->add ? static_cast<double>(own->c[i]) : 0.0;

            for (unsigned k = 0; k < step_k; k++) {
                sum += static_cast<double>(a[row * step_k + k]) *
                       static_cast<double>(b[column * step_k + k]);
            }
            own->c[i] = static_cast<float>(sum);
        }
    }
}

void products_fence()
{
    is_fenced[here.thread] = true;
}

void product_begin(const product &product)
{
    if (!is_fenced[here.thread]) {
        complain("a group of products begins without wgmma.fence");
    }
    waiting[here.thread].push_back(product);
    waiting[here.thread].back().group = open_group[here.thread];
}

void products_commit()
{
    is_fenced[here.thread] = false;
    open_group[here.thread]++;
}

void products_wait(unsigned groups)
{
    auto &own = waiting[here.thread];

    while (!own.empty() && own.front().group + groups < open_group[here.thread]) {
        product due = own.front();

        own.erase(own.begin());
        meet(~0U, "wgmma", &due, multiply);
    }
}

} /* namespace emulation */

CUresult cuTensorMapEncodeTiled(CUtensorMap *map, CUtensorMapDataType, cuuint32_t rank,
                                void *address, const cuuint64_t *size, const cuuint64_t *stride,
                                const cuuint32_t *box, const cuuint32_t *step,
                                CUtensorMapInterleave, CUtensorMapSwizzle swizzle,
                                CUtensorMapL2promotion, CUtensorMapFloatOOBfill)
{
    if (rank != emulation::dimensions || swizzle != CU_TENSOR_MAP_SWIZZLE_128B || step[0] != 1) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    return emulation::make_map(map, address, size, stride, box);
}

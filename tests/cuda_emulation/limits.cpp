/* Limits of launches, and what the program's own file says of its kernels. */
#include "tests/cuda_emulation/limits.h"

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <map>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "tests/cuda_emulation/devices.h"
#include "tests/cuda_emulation/faults.h"
#include "tests/cuda_emulation/stream.h"

extern "C" {
/* Where what is written before each kernel begins (cuda_runtime.h); there is none if no kernel has
 * bounds. */
extern const uintptr_t __start___patchable_function_entries[] __attribute__((weak));
extern const uintptr_t __stop___patchable_function_entries[] __attribute__((weak));
}

namespace emulation
{

constexpr size_t kib = 1024, shared_unasked = 48 * kib;

/* CUDA's table of compute capabilities. */
static const capability capabilities[] = {
    {8, 0, 163 * kib}, {8, 6, 99 * kib},   {8, 9, 99 * kib},
    {9, 0, 227 * kib}, {10, 0, 227 * kib}, {12, 0, 99 * kib},
};
static int major_told = 9, minor_told;
static std::map<std::pair<int, const void *>, size_t> asked; /* of a device's kernel */

static const capability *find_capability(int major, int minor)
{
    for (const capability &each : capabilities) {
        if (each.major == major && each.minor == minor) {
            return &each;
        }
    }
    fprintf(stderr, "cuda emulation: nothing is known of compute capability %d.%d\n", major, minor);
    abort();
}

capability capability_of_device()
{
    static const bool is_told = [] {
        const char *text = getenv("DYNO_EMULATION_CAPABILITY");

        return !text || sscanf(text, "%d.%d", &major_told, &minor_told) == 2;
    }();

    return *find_capability(is_told ? major_told : 0, minor_told);
}

/* ---- what the program says of a kernel ------------------------------------------------------- */

/* Threads of a block; 0: it has no bounds.  So many bytes before its code are nops, one a thread.
 */
static size_t threads_of(const void *kernel)
{
    const auto at = reinterpret_cast<uintptr_t>(kernel);
    size_t least = 0;

#if defined(__x86_64__)
    for (const uintptr_t *entry = __start___patchable_function_entries;
         entry && entry < __stop___patchable_function_entries; entry++) {
        size_t before = at - *entry;

        if (*entry < at && (least == 0 || before < least)) {
            least = before;
        }
    }
    for (size_t i = 1; i <= least; i++) {
        if (reinterpret_cast<const unsigned char *>(kernel)[-static_cast<ptrdiff_t>(i)] != 0x90) {
            return 0; /* another kernel's */
        }
    }
#endif
    return least;
}

#if !defined(__SANITIZE_ADDRESS__)

/* The program's file, and its symbols. */
struct program {
    const unsigned char *file;
    const Elf64_Sym *symbols;
    size_t count;
    const char *names;
};

static program read_program()
{
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat about = {};
    void *memory = MAP_FAILED;
    program found = {};

    if (file >= 0 && fstat(file, &about) == 0) {
        memory = mmap(nullptr, static_cast<size_t>(about.st_size), PROT_READ, MAP_PRIVATE, file, 0);
    }
    if (memory == MAP_FAILED) {
        return found;
    }
    close(file);
    found.file = static_cast<const unsigned char *>(memory);
    const auto *header = reinterpret_cast<const Elf64_Ehdr *>(found.file);
    const auto *sections = reinterpret_cast<const Elf64_Shdr *>(found.file + header->e_shoff);

    for (unsigned i = 0; i < header->e_shnum; i++) {
        if (sections[i].sh_type == SHT_SYMTAB) {
            found.symbols = reinterpret_cast<const Elf64_Sym *>(found.file + sections[i].sh_offset);
            found.count = sections[i].sh_size / sizeof(Elf64_Sym);
            found.names = reinterpret_cast<const char *>(found.file +
                                                         sections[sections[i].sh_link].sh_offset);
        }
    }
    return found;
}

/* What the program's addresses are further on than in its file; it is the first of all objects. */
static uintptr_t load_address()
{
    uintptr_t address = 0;

    dl_iterate_phdr(
        [](dl_phdr_info *info, size_t, void *out) {
            *static_cast<uintptr_t *>(out) = info->dlpi_addr;
            return 1;
        },
        &address);
    return address;
}

/* The static variables of _ZN...v are named _ZZN...vE and on. */
static size_t measure_static(const program &program, const void *kernel)
{
    const auto at = reinterpret_cast<uintptr_t>(kernel) - load_address();
    std::string prefix;
    size_t bytes = 0;

    for (size_t i = 0; i < program.count && prefix.empty(); i++) {
        const Elf64_Sym &symbol = program.symbols[i];
        const char *name = program.names + symbol.st_name;

        if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && strncmp(name, "_Z", 2) == 0 &&
            symbol.st_value == at) {
            prefix = std::string("_ZZ") + (name + 2) + "E";
        }
    }
    for (size_t i = 0; i < program.count && !prefix.empty(); i++) {
        const Elf64_Sym &symbol = program.symbols[i];

        if (ELF64_ST_TYPE(symbol.st_info) == STT_OBJECT &&
            strncmp(program.names + symbol.st_name, prefix.c_str(), prefix.size()) == 0) {
            bytes += symbol.st_size;
        }
    }
    return bytes;
}

static size_t static_shared_of(const void *kernel)
{
    static const program program = read_program();
    static std::map<const void *, size_t> known;
    auto found = known.find(kernel);

    if (found == known.end()) {
        found = known.emplace(kernel, measure_static(program, kernel)).first;
    }
    return found->second;
}

#else

static size_t static_shared_of(const void *)
{
    return 0;
}

#endif

/* ---- what is refused ------------------------------------------------------------------------- */

static cudaError_t refuse(cudaError_t error, const char *kernel, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static cudaError_t refuse(cudaError_t error, const char *kernel, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "cuda emulation: %s is not launched: ", kernel);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return error;
}

static bool is_grid(index3 grid)
{
    constexpr unsigned x_max = 0x7fffffff, most = 65535;

    return grid.x >= 1 && grid.x <= x_max && grid.y >= 1 && grid.y <= most && grid.z >= 1 &&
           grid.z <= most;
}

static bool is_block(index3 block)
{
    constexpr unsigned z_max = 64;
    size_t threads = size_t{block.x} * block.y * block.z;

    return block.x >= 1 && block.x <= block_threads_max && block.y >= 1 &&
           block.y <= block_threads_max && block.z >= 1 && block.z <= z_max &&
           threads <= block_threads_max;
}

static cudaError_t look_at_shared(const char *name, const void *kernel, size_t dynamic_bytes)
{
    size_t fixed = static_shared_of(kernel), all = fixed + dynamic_bytes;
    auto found = asked.find({device_current(), kernel});
    size_t may = found == asked.end() ? shared_unasked : fixed + found->second;

    may = may < shared_unasked ? shared_unasked : may;
    if (all > may) {
        return refuse(cudaErrorInvalidValue, name,
                      "%zu bytes of shared memory, %zu of them static, where it may have %zu "
                      "(cudaFuncAttributeMaxDynamicSharedMemorySize)",
                      all, fixed, may);
    }
    return cudaSuccess;
}

cudaError_t look_at_launch(const char *name, const void *kernel, index3 grid, index3 block,
                           size_t dynamic_bytes)
{
    turn turn;
    size_t threads = size_t{block.x} * block.y * block.z, most = threads_of(kernel);

    if (!is_grid(grid) || !is_block(block)) {
        return refuse(cudaErrorInvalidConfiguration, name,
                      "a grid of (%u, %u, %u) blocks of (%u, %u, %u) threads", grid.x, grid.y,
                      grid.z, block.x, block.y, block.z);
    }
    if (most > 0 && threads > most) {
        return refuse(cudaErrorInvalidValue, name, "%zu threads, and its __launch_bounds__ say %zu",
                      threads, most);
    }
    return look_at_shared(name, kernel, dynamic_bytes);
}

} /* namespace emulation */

void dyno_emulation_capability(int major, int minor)
{
    (void)emulation::capability_of_device(); /* the environment's is read first */
    emulation::major_told = major;
    emulation::minor_told = minor;
}

cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute, int value)
{
    emulation::turn turn;
    size_t most = emulation::capability_of_device().shared_max;

    if (value < 0 || emulation::static_shared_of(function) + static_cast<size_t>(value) > most) {
        return cudaErrorInvalidValue;
    }
    emulation::asked[{emulation::device_current(), function}] = static_cast<size_t>(value);
    return cudaSuccess;
}

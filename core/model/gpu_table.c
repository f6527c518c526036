/* The built-in GPUs.  Peaks are dense (half of what data sheets print "with sparsity"), in
 * operations per second at the boost clock of the data sheet.  memory_bytes is what the CUDA or HIP
 * runtime reports as total, which is below the nominal size.  Links and networks are one direction.
 * Where a figure is an assumption and not from a data sheet, its `source` says so. */
#include "core/model/gpu.h"

#define MIB           ((uint64_t)1 << 20)
#define TERA          1e12
#define GIGA          1e9
#define PCIE4         (31.5 * GIGA) /* 16 lanes x 16 GT/s x 128/130 / 8 */
#define PCIE5         (63.0 * GIGA) /* 16 lanes x 32 GT/s x 128/130 / 8 */
#define GIGABIT(rate) ((rate)*0.125 * GIGA)

const struct dyno_gpu dyno_gpu_table[] = {
    {
        .name = "a100",
        .title = "NVIDIA A100 SXM4 80GB",
        .source =
            "NVIDIA A100 80GB data sheet (2022): 312 TFLOPS bf16, 2,039 GB/s, NVLink 600 GB/s "
            "both ways, 400 W; no fp8 units: fp8 weights multiply in bf16. Memory: 79.25 GiB "
            "as PyTorch reports it. Network: DGX A100, one 200 Gb/s HDR port a GPU",
        .flops = {312.0 * TERA, 312.0 * TERA, 312.0 * TERA},
        .memory_bytes = 81153 * MIB,
        .memory_bytes_per_s = 2039 * GIGA,
        .link_bytes_per_s = 300 * GIGA,
        .link = "nvlink3",
        .pcie_bytes_per_s = PCIE4,
        .network_bytes_per_s = GIGABIT(200),
        .watts_max = 400,
        .multiprocessors = 108,
    },
    {
        .name = "h100",
        .title = "NVIDIA H100 SXM5 80GB",
        .source = "NVIDIA H100 data sheet (2023): 1,979 bf16 and 3,958 fp8 TFLOPS with sparsity, "
                  "3.35 TB/s, NVLink 900 GB/s both ways, 700 W. Memory: 81,090 MiB as PyTorch "
                  "reports it. Network: DGX H100, one 400 Gb/s ConnectX-7 a GPU",
        .flops = {989.4 * TERA, 1978.9 * TERA, 989.4 * TERA},
        .memory_bytes = 81090 * MIB,
        .memory_bytes_per_s = 3350 * GIGA,
        .link_bytes_per_s = 450 * GIGA,
        .link = "nvlink4",
        .pcie_bytes_per_s = PCIE5,
        .network_bytes_per_s = GIGABIT(400),
        .watts_max = 700,
        .multiprocessors = 132,
    },
    {
        .name = "h100-pcie",
        .title = "NVIDIA H100 PCIe 80GB",
        .source =
            "NVIDIA H100 data sheet (2022), PCIe column: 1,513 bf16 and 3,026 fp8 TFLOPS with "
            "sparsity, 2 TB/s, 350 W; 114 multiprocessors from the H100 whitepaper. Memory: taken "
            "to be as on the SXM part. NVLink bridges join pairs only: PCIe 5.0 x16 is taken. "
            "Network: assumed one 400 Gb/s port a GPU",
        .flops = {756.5 * TERA, 1513.0 * TERA, 756.5 * TERA},
        .memory_bytes = 81090 * MIB,
        .memory_bytes_per_s = 2000 * GIGA,
        .link_bytes_per_s = PCIE5,
        .link = "pcie5",
        .pcie_bytes_per_s = PCIE5,
        .network_bytes_per_s = GIGABIT(400),
        .watts_max = 350,
        .multiprocessors = 114,
    },
    {
        .name = "h200",
        .title = "NVIDIA H200 SXM 141GB",
        .source = "NVIDIA H200 data sheet (2024): 1,979 bf16 and 3,958 fp8 TFLOPS with sparsity, "
                  "4.8 TB/s, NVLink 900 GB/s both ways, 700 W. Memory: 139.80 GiB as PyTorch "
                  "reports it. Network: DGX H200, one 400 Gb/s ConnectX-7 a GPU",
        .flops = {989.4 * TERA, 1978.9 * TERA, 989.4 * TERA},
        .memory_bytes = 143155 * MIB,
        .memory_bytes_per_s = 4800 * GIGA,
        .link_bytes_per_s = 450 * GIGA,
        .link = "nvlink4",
        .pcie_bytes_per_s = PCIE5,
        .network_bytes_per_s = GIGABIT(400),
        .watts_max = 700,
        .multiprocessors = 132,
    },
    {
        .name = "b200",
        .title = "NVIDIA B200 SXM 180GB",
        .source = "NVIDIA DGX B200 data sheet (2024), an eighth of it: 72 fp8 PFLOPS with sparsity "
                  "(dense fp8 4.5, bf16 2.25 a GPU), 1,440 GB at 64 TB/s, NVLink 14.4 TB/s both "
                  "ways; 1,000 W a GPU from the HGX B200 page. Memory: 178.35 GiB as PyTorch "
                  "reports it. Network: one 400 Gb/s ConnectX-7 a GPU",
        .flops = {2250 * TERA, 4500 * TERA, 2250 * TERA},
        .memory_bytes = 182630 * MIB,
        .memory_bytes_per_s = 8000 * GIGA,
        .link_bytes_per_s = 900 * GIGA,
        .link = "nvlink5",
        .pcie_bytes_per_s = PCIE5,
        .network_bytes_per_s = GIGABIT(400),
        .watts_max = 1000,
        .multiprocessors = 148,
    },
    {
        .name = "l40s",
        .title = "NVIDIA L40S 48GB",
        .source =
            "NVIDIA L40S data sheet (2023): 362.05 bf16 and 733 fp8 TFLOPS dense, 864 GB/s, "
            "PCIe 4.0 x16, 350 W, no NVLink. Memory: 44.39 GiB as PyTorch reports it with ECC. "
            "Network: assumed one 200 Gb/s port a GPU",
        .flops = {362.05 * TERA, 733.0 * TERA, 362.05 * TERA},
        .memory_bytes = 45457 * MIB,
        .memory_bytes_per_s = 864 * GIGA,
        .link_bytes_per_s = PCIE4,
        .link = "pcie4",
        .pcie_bytes_per_s = PCIE4,
        .network_bytes_per_s = GIGABIT(200),
        .watts_max = 350,
        .multiprocessors = 142,
    },
    {
        .name = "rtx4090",
        .title = "NVIDIA GeForce RTX 4090 24GB",
        .source =
            "NVIDIA Ada GPU architecture whitepaper (2022), table of the RTX 4090: 165.2 bf16 "
            "and 330.3 fp8 TFLOPS dense with fp32 accumulation, 1,008 GB/s, PCIe 4.0 x16, "
            "450 W. Memory: 25,250,627,584 bytes, recorded by vLLM 0.19 on such a card. "
            "Network: assumed 25 Gb/s",
        .flops = {165.2 * TERA, 330.3 * TERA, 165.2 * TERA},
        .memory_bytes = 25250627584,
        .memory_bytes_per_s = 1008 * GIGA,
        .link_bytes_per_s = PCIE4,
        .link = "pcie4",
        .pcie_bytes_per_s = PCIE4,
        .network_bytes_per_s = GIGABIT(25),
        .watts_max = 450,
        .multiprocessors = 128,
    },
    {
        .name = "rtx-pro-6000",
        .title = "NVIDIA RTX PRO 6000 Blackwell Server Edition 96GB",
        .source =
            "NVIDIA RTX PRO 6000 Blackwell Server Edition data sheet (2025): 4 PFLOPS fp4 with "
            "sparsity (dense: fp8 1,007.6, bf16 503.8 TFLOPS with fp32 accumulation), "
            "1,597 GB/s, PCIe 5.0 x16, 600 W. Memory: 94.97 GiB as PyTorch reports it. "
            "Network: assumed one 200 Gb/s port a GPU",
        .flops = {503.8 * TERA, 1007.6 * TERA, 503.8 * TERA},
        .memory_bytes = 97249 * MIB,
        .memory_bytes_per_s = 1597 * GIGA,
        .link_bytes_per_s = PCIE5,
        .link = "pcie5",
        .pcie_bytes_per_s = PCIE5,
        .network_bytes_per_s = GIGABIT(200),
        .watts_max = 600,
        .multiprocessors = 188,
    },
    {
        .name = "mi300x",
        .title = "AMD Instinct MI300X 192GB",
        .source =
            "AMD Instinct MI300X data sheet (2023): 1,307.4 bf16 and 2,614.9 fp8 TFLOPS dense, "
            "5.3 TB/s, seven 64 GB/s Infinity Fabric links each way, PCIe 5.0 x16, 750 W, 304 "
            "compute units. Memory: 191.69 GiB as PyTorch reports it. Network: assumed one "
            "400 Gb/s port a GPU",
        .flops = {1307.4 * TERA, 2614.9 * TERA, 1307.4 * TERA},
        .memory_bytes = 196290 * MIB,
        .memory_bytes_per_s = 5300 * GIGA,
        .link_bytes_per_s = 448 * GIGA,
        .link = "xgmi",
        .pcie_bytes_per_s = PCIE5,
        .network_bytes_per_s = GIGABIT(400),
        .watts_max = 750,
        .multiprocessors = 304,
    },
    {.name = ""},
};

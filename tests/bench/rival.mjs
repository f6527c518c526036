// Passes of ours and of llama.cpp in turn, on the same file, and the medians of the pairs.
//
// usage: node tests/bench/rival.mjs MODEL.gguf [THREADS [ROUNDS [cpu|wall]]]
//
// Needs build/release/tests/bench_forward (cmake --build --preset release --target bench_forward)
// and node-llama-cpp, installed anywhere outside this tree: NODE_LLAMA_CPP names the folder that
// holds its node_modules.  Without it the first two columns are printed alone.
//
// "cpu" counts the time that the process's threads ran, not the wall's: for one thread on a machine
// that others use.  llama.cpp is driven through the binding's own batches, so that only decoding is
// timed; its keys and values are F16, as is its habit, and its flash attention is left on "auto".
import {spawn} from "node:child_process";
import path from "node:path";
import readline from "node:readline";
import {pathToFileURL} from "node:url";

const [model, threads = "1", rounds = "9", clock = "wall"] = process.argv.slice(2);
const work = [
    {name: "prefill 512", line: "prefill 512", batch: 1, context: 0, steps: 0, tokens: 512},
    {name: "decode 1 at 32", line: "decode 1 32 16", batch: 1, context: 32, steps: 16, tokens: 1},
    {name: "decode 16 at 32", line: "decode 16 32 4", batch: 16, context: 32, steps: 4, tokens: 16}
];

function startOurs() {
    const root = path.dirname(path.dirname(path.dirname(new URL(import.meta.url).pathname)));
    const ours = spawn(path.join(root, "build/release/tests/bench_forward"), [model, threads],
        {stdio: ["pipe", "pipe", "inherit"]});
    const lines = readline.createInterface({input: ours.stdout})[Symbol.asyncIterator]();

    ours.stdin.write(clock + "\n");
    return {
        measure: async (item) => {
            ours.stdin.write(item.line + "\n");
            return Number((await lines.next()).value);
        },
        stop: () => ours.stdin.end()
    };
}

function nowMs() {
    if (clock === "cpu") {
        const used = process.cpuUsage();

        return (used.user + used.system) / 1000;
    }
    return performance.now();
}

async function startRival() {
    const folder = process.env.NODE_LLAMA_CPP;

    if (folder === undefined) {
        return null;
    }
    const entry = path.join(folder, "node_modules/node-llama-cpp/dist/index.js");
    const {getLlama} = await import(pathToFileURL(entry).href);
    const llama = await getLlama({gpu: false, build: "never", maxThreads: Number(threads),
        logLevel: "error"});
    const loaded = await llama.loadModel({modelPath: model, gpuLayers: 0});
    const context = await loaded.createContext({contextSize: 1024, sequences: 16, batchSize: 512,
        threads: {ideal: Number(threads), min: Number(threads)}});
    const raw = context._ctx;
    const token = (i) => ((Math.imul(i, 2654435761) >>> 8) % 32000);

    // One pass: `count` tokens from `first` on of each of `batch` sequences, each one's last logits.
    const pass = async (batch, first, count) => {
        raw.initBatch(batch * count);
        for (let sequence = 0; sequence < batch; sequence++) {
            const tokens = Uint32Array.from({length: count}, (_, i) => token(first + i));

            raw.addToBatch(sequence, first, tokens, Uint32Array.of(count - 1));
        }
        await raw.decodeBatch();
    };

    raw.setThreads(Number(threads));
    return {
        measure: async (item) => {
            let begin, took;

            for (let sequence = 0; sequence < 16; sequence++) {
                raw.disposeSequence(sequence);
            }
            if (item.steps === 0) {
                begin = nowMs();
                await pass(1, 0, item.tokens);
                return nowMs() - begin;
            }
            for (let first = 0; first < item.context; first += 32) {
                await pass(item.batch, first, 32);
            }
            begin = nowMs();
            for (let step = 0; step < item.steps; step++) {
                await pass(item.batch, item.context + step, 1);
            }
            took = nowMs() - begin;
            return took / item.steps;
        },
        stop: async () => {
            await context.dispose();
            await loaded.dispose();
        }
    };
}

function median(values) {
    const sorted = [...values].sort((a, b) => a - b);

    return sorted[sorted.length >> 1];
}

const ours = startOurs();
const rival = await startRival();

console.log(`${path.basename(model)}, ${threads} thread(s), ${rounds} rounds, ${clock} clock`);
console.log("pass               ours ms  tokens/s   llama.cpp ms  tokens/s  median of ratios");
for (const item of work) {
    const mine = [], theirs = [];

    for (let round = 0; round < Number(rounds) + 1; round++) {
        const first = await ours.measure(item);
        const second = rival ? await rival.measure(item) : NaN;

        if (round > 0) { // the first warms caches and pages
            mine.push(first);
            theirs.push(second);
        }
    }
    const ratio = median(mine.map((ms, i) => theirs[i] / ms));
    const row = (ms) => ms.toFixed(2).padStart(9) + (item.tokens * 1000 / ms).toFixed(1).padStart(10);

    console.log(item.name.padEnd(17) + row(median(mine)) + "    " + row(median(theirs)) +
        "  " + ratio.toFixed(2).padStart(10));
}
ours.stop();
if (rival) {
    await rival.stop();
}
process.exit(0);

// Greedy answers of llama.cpp (npm node-llama-cpp) against ours, token by token, until one of ours
// was not sure: the two best logits closer than the tolerance of the type of weights.
//
// usage: node greedy_llama.mjs NPM_FOLDER ORACLE_GREEDY MODEL:TYPE...
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [npm, ours, ...models] = process.argv.slice(2);
const { getLlama } = await import(
    pathToFileURL(join(npm, "node_modules/node-llama-cpp/dist/index.js")).href
);
const ANSWER = 24;
const PROMPTS = 4;
// llama.cpp rounds activations to the type that it multiplies with; we do not.
const tolerances = { f32: 0.002, f16: 0.02, bf16: 0.05, q8_0: 0.1 };

async function llamaAnswer(context, prompt) {
    const sequence = context.getSequence();
    const answer = [];
    for await (const token of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
        answer.push(token);
        if (answer.length === ANSWER) {
            break;
        }
    }
    await sequence.dispose();
    return answer;
}

function ourAnswer(model, prompt) {
    const text = execFileSync(ours, [model, ANSWER, ...prompt].map(String), { encoding: "utf8" });
    return text.trim().split("\n").map((line) => line.split(" ").map(Number));
}

// How many tokens agree before the first that is not sure; throws where one that is sure differs.
function compare(path, prompt, due, got, tolerance) {
    for (let i = 0; i < due.length; i++) {
        const [token, margin] = got[i];
        if (token !== due[i] && margin > tolerance) {
            throw new Error(`${path}: after ${prompt.concat(due.slice(0, i))}: ${token}, ahead by ` +
                `${margin}, where llama.cpp has ${due[i]}`);
        }
        if (token !== due[i]) {
            return i;
        }
    }
    return due.length;
}

const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: 1 });
for (const entry of models) {
    const [path, type] = entry.split(/:(?=[^:]*$)/);
    const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
    const context = await model.createContext({
        contextSize: 256, threads: 1, flashAttention: false,
        experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32",
    });
    let agreed = 0;
    for (let seed = 0; seed < PROMPTS; seed++) {
        const prompt = Array.from({ length: 5 + seed * 7 }, (_, i) => (i * 37 + seed * 101) % 250 + 3);
        agreed += compare(path, prompt, await llamaAnswer(context, prompt), ourAnswer(path, prompt),
            tolerances[type]);
    }
    console.log(`${path}: ${agreed} of ${PROMPTS * ANSWER} tokens agree, none differs beyond the tolerance`);
    if (type === "f32" && agreed < PROMPTS * ANSWER / 2) {
        throw new Error(`${path}: too few to judge by`);
    }
    await context.dispose();
    await model.dispose();
}
process.exit(0);

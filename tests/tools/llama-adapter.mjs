// What llama.cpp answers with an adapter, for comparison with ours:
//   node tests/tools/llama-adapter.mjs MODEL.gguf ADAPTER.gguf N [TOKENS,…]
// prints, as JSON, the N greedy tokens after the prompt. Needs npm's
// node-llama-cpp, in the folder that PIPIT_LLAMA names or beside this program.
import { createRequire } from "node:module";
import * as path from "node:path";
import { pathToFileURL } from "node:url";

const [model, adapter, n, list] = process.argv.slice(2);
const folder = process.env.PIPIT_LLAMA;
const from = folder ? path.join(folder, "package.json") : import.meta.url;
const entry = createRequire(from).resolve("node-llama-cpp");
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(entry).href);
const llama = await getLlama({
    gpu: false,
    build: "never",
    logLevel: LlamaLogLevel.error,
});
const loaded = await llama.loadModel({ modelPath: String(model) });
const context = await loaded.createContext({
    contextSize: 512,
    threads: 1,
    lora: adapter ? { adapters: [{ filePath: adapter, scale: 1 }] } : undefined,
});
const sequence = context.getSequence();
const tokens = String(list).split(",").map(Number);
const answer = [];
for await (const token of sequence.evaluate(tokens, { temperature: 0 })) {
    if (loaded.isEogToken(token)) break;
    answer.push(token);
    if (answer.length === Number(n)) break;
}
console.log(JSON.stringify(answer));
process.exit();

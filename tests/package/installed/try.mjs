// Every entry of the installed package, used once. The argument is a model.
import { createRequire } from "node:module";
import { inspect, loadModel, loadTokenizer, PipitError } from "pipit";
import { measure } from "pipit/bench";
import * as inline from "pipit/inline";
import { models } from "pipit/models";
import { createOpenAI } from "pipit/openai";
import { LanguageModel } from "pipit/prompt-api";
import { measureTraining } from "pipit/train";

const [path = ""] = process.argv.slice(2);
const { architecture } = await inspect(path);

const model = await loadModel(path, { threads: 2, training: true });
const answers = [];
const options = { maxTokens: 8, temperature: 1, seed: 5 };
const chat = await model.createChat();
let answer = "";
for await (const text of chat.send("Hi", options)) answer += text;
answers.push(answer);

const local = createOpenAI(model, { name: "tiny.gguf" });
const messages = [{ role: "user", content: "Hi" }];
const reply = await local.chat.completions.create({ messages, max_tokens: 4 });
const examples = [{ prompt: "the", completion: " end" }];
const training = await measureTraining(model, examples, { maxLength: 32 });
await model.close();

const other = await inline.loadModel(path, { threads: 1 });
const second = await other.createChat();
answer = "";
for await (const text of second.send("Hi", options)) answer += text;
answers.push(answer);
await other.close();

const tokenizer = await loadTokenizer(path);
const tokens = await tokenizer.tokenize("the end");
await tokenizer.close();

const session = await LanguageModel.create({ model: path });
const prompted = await session.prompt("Hi", { maxTokens: 4 });
session.destroy();

const stored = await models.import(path, { name: "tiny.gguf" });
const listed = (await models.list()).length;
await models.remove(stored.source);

const code = await loadModel("./no-such.gguf").catch((error) =>
    error instanceof PipitError ? error.code : String(error),
);
const wasm = createRequire(import.meta.url).resolve("pipit/pipit-simd128.wasm");
console.log(
    JSON.stringify({
        node: process.version,
        architecture,
        answers,
        completion: reply.usage?.completion_tokens,
        trainingBytes: training.bytes ?? training,
        tokens: tokens.length,
        prompted: typeof prompted,
        listed,
        code,
        wasm: wasm.endsWith("dist/pipit-simd128.wasm"),
        bench: typeof measure,
    }),
);

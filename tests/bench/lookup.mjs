// Prompt lookup on ten tasks whose answers repeat their prompt (summaries, edits,
// extraction) and on five that don't: tokens per second with it and without, in
// turns, medians; the answers must be the same.
//
//   node tests/bench/lookup.mjs [MODEL] [--rounds 3] [--threads 1] [--save FILE]
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { allowRelaxedSimd } from "../tools/relaxed-simd.mjs";
import { parseArgs } from "node:util";
import { loadModel } from "pipit";
import { median } from "./median.mjs";

allowRelaxedSimd();
const { values, positionals } = parseArgs({
    options: {
        rounds: { type: "string", default: "3" },
        threads: { type: "string", default: "1" },
        tokens: { type: "string", default: "160" },
        save: { type: "string" },
    },
    allowPositionals: true,
});

const letter = `Dear Ms Okafor, thank you for your order of 14 March. Your bicycle, a green Tern Link D8,
will leave our shop in Freiburg on Tuesday 19 March and should reach you in Leipzig on Thursday 21 March between nine and noon.
The invoice 2024-0317 over 1,149.00 euros is attached. Please check the frame, the brakes and the lights when it arrives and
write to service@radhaus.example within two days if anything is missing. Kind regards, Jonas Weber`;
const code = `function total(items, rate) {
    let sum = 0;
    for (const item of items) {
        if (item.count > 0) {
            sum += item.count * item.price;
        }
    }
    return sum + sum * rate;
}

function describe(items, rate) {
    const lines = items.map((item) => item.count + " x " + item.name + ": " + item.price);
    lines.push("total: " + total(items, rate));
    return lines.join("\\n");
}`;
const list = `name,city,phone
Amara Okafor,Leipzig,+49 341 555 0101
Jonas Weber,Freiburg,+49 761 555 0142
Mei Tanaka,Hamburg,+49 40 555 0177
Luca Moretti,Berlin,+49 30 555 0123
Sofia Lind,Bremen,+49 421 555 0166`;
const log = `08:01:12 INFO  server started on port 8080
08:01:15 WARN  cache folder is missing, creating /var/cache/app
08:02:44 ERROR request 17 failed: connection reset by peer
08:02:45 INFO  request 18 served in 12 ms
08:03:01 ERROR request 19 failed: connection reset by peer
08:03:07 INFO  request 20 served in 9 ms`;
const recipe = `Bread rolls: 500 g flour, 300 ml water, 10 g salt, 7 g dry yeast. Mix the flour, the salt and the yeast.
Add the water and knead the dough for ten minutes. Let it rise for one hour under a cloth. Shape eight rolls, let them rise for
twenty minutes, and bake them at 220 degrees for eighteen minutes until they are golden.`;

const copying = {
    "repeat a letter": `Repeat this letter word for word:\n${letter}`,
    "correct a letter": `Replace "green" by "blue" in this letter and write it again, all of it:\n${letter}`,
    "quote a letter": `Quote the sentences of this letter that name a date:\n${letter}`,
    "rename in code": `Rename the variable sum to amount and print the whole code:\n${code}`,
    "comment code": `Print this code again with a comment before each function:\n${code}`,
    "list to JSON": `Write this table as JSON, one object a line:\n${list}`,
    "sort a list": `Write these lines again in alphabetical order:\n${list}`,
    "errors of a log": `Print the lines of this log that hold ERROR, then those that hold INFO:\n${log}`,
    "summary of a recipe": `Write the recipe again as numbered steps, in its own words:\n${recipe}`,
    "extract amounts": `Name each ingredient with its amount, then repeat the recipe:\n${recipe}`,
};
const writing = {
    story: "Write a story about a lighthouse keeper who finds a map.",
    explain: "Explain how a bicycle stays upright.",
    poem: "Write a poem about rain in the city.",
    plan: "Plan three days in Lisbon.",
    email: "Write an email that invites colleagues to a picnic.",
};

const model = await loadModel(positionals[0] ?? "smollm2-135m-instruct-q4_1", {
    threads: Number(values.threads),
});
const rounds = Number(values.rounds);
const maxTokens = Number(values.tokens);

/** @param {string} prompt @param {boolean} promptLookup */
async function answer(prompt, promptLookup) {
    const chat = await model.createChat({ contextLength: 2048 });
    let text = "";
    const options = { maxTokens, promptLookup, temperature: 0 };
    for await (const piece of chat.send(prompt, options)) text += piece;
    const rate = chat.last?.timings.completionTokensPerSecond ?? 0;
    await chat.close();
    return { text, rate };
}

/** @param {Record<string, string>} tasks */
async function measure(tasks) {
    const ratios = [];
    for (const [name, prompt] of Object.entries(tasks)) {
        /** @type {number[]} */
        const withIt = [];
        /** @type {number[]} */
        const without = [];
        for (let round = 0; round < rounds; round++) {
            const a = await answer(prompt, true);
            const b = await answer(prompt, false);
            assert.equal(a.text, b.text, name);
            withIt.push(a.rate);
            without.push(b.rate);
        }
        const ratio = median(withIt) / median(without);
        ratios.push(ratio);
        console.log(
            `${name.padEnd(22)} ${median(withIt).toFixed(1).padStart(7)} ` +
                `${median(without).toFixed(1).padStart(7)}  ${ratio.toFixed(2)} x`,
        );
    }
    const mean = Math.exp(
        ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length,
    );
    console.log(`${"geometric mean".padEnd(40)}${mean.toFixed(2)} x\n`);
    return { mean, least: Math.min(...ratios) };
}

console.log(`tokens/s with and without, ${values.threads} thread(s)`);
const found = {
    copying: await measure(copying),
    writing: await measure(writing),
};
if (values.save) writeFileSync(values.save, JSON.stringify(found));
await model.close();

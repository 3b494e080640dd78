/* tokens.ts — text as tokens: ids, and how likely they are. */
import { readFile } from "node:fs/promises";
import { loadTokenizer, PipitError } from "../index.js";
import { type Args } from "./args.js";
import { adaptersOf, inputText, modelName, openModel } from "./model.js";

export async function tokenize(args: Args, signal: AbortSignal): Promise<void> {
    const text = await inputText(args, "the text");
    const tokenizer = await loadTokenizer(modelName(args), { signal });
    const ids = await tokenizer.tokenize(text, {
        parseSpecial: args.values.special === true,
    });
    const pieces = [];
    for (const id of ids) pieces.push(await tokenizer.detokenize([id]));
    if (args.values.json)
        console.log(JSON.stringify({ tokens: [...ids], pieces }));
    else
        for (const [i, id] of ids.entries())
            console.log(`${id}\t${JSON.stringify(pieces[i])}`);
    await tokenizer.close();
}

async function fileText(args: Args): Promise<string> {
    const file = args.words[0];
    if (file === undefined || file === "-") return inputText(args, "the file");
    try {
        return await readFile(file, "utf8");
    } catch (cause) {
        throw new PipitError("not-found", `can't read ${file}`, { cause });
    }
}

export async function score(args: Args, signal: AbortSignal): Promise<void> {
    const text = await fileText(args);
    const model = await openModel(args, signal);
    const tokens = await model.tokenize(text);
    const uses = await adaptersOf(args, model, signal);
    const session = await model.createSession(
        args.values.context === undefined
            ? {
                  ...uses,
                  contextLength: Math.min(
                      model.contextLength,
                      tokens.length + 1,
                  ),
              }
            : uses,
    );
    const { logprobs } = await session.score(tokens, { signal });
    const rows = [];
    let sum = 0;
    let n = 0;
    for (const [i, token] of tokens.entries()) {
        const logprob = logprobs[i] ?? NaN;
        const text = await model.detokenize([token]);
        rows.push({ token, text, logprob: isNaN(logprob) ? null : logprob });
        if (isNaN(logprob)) continue;
        sum += logprob;
        n++;
    }
    const perplexity = n > 0 ? Math.exp(-sum / n) : null;
    if (args.values.json)
        console.log(JSON.stringify({ tokens: rows, scored: n, perplexity }));
    else {
        for (const row of rows)
            console.log(
                `${row.logprob === null ? "-" : row.logprob.toFixed(4)}\t` +
                    JSON.stringify(row.text),
            );
        console.log(
            `${n} tokens scored, perplexity ${perplexity?.toFixed(3) ?? "-"}`,
        );
    }
    await model.close();
}

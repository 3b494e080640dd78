// Reasoning: what stands between <think> and </think> is not the answer.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { transformSync } from "esbuild";
import { collect, openTiny } from "./support.mjs";

const source = new URL("../src/host/reasoning.ts", import.meta.url);
const { code } = transformSync(readFileSync(source, "utf8"), { loader: "ts" });
const { ReasoningSplitter } = await import(
    `data:text/javascript,${encodeURIComponent(code)}`
);

/** @param {string} prompt @param {string} text @param {number} size */
function cut(prompt, text, size) {
    const splitter = new ReasoningSplitter(prompt);
    const parts = [];
    for (let i = 0; i < text.length; i += size)
        parts.push(splitter.add(text.slice(i, i + size)));
    parts.push(splitter.end());
    const all = (/** @type {"reasoning" | "answer"} */ key) =>
        parts.map((part) => part[key]).join("");
    return [all("reasoning"), all("answer")];
}

test("cut the same wherever the pieces end", () => {
    /** @type {[string, string, string, string][]} */
    const cases = [
        ["", "Hello", "", "Hello"],
        ["", "\n Hello\n", "", "\n Hello\n"],
        ["", "<think>\nhm, so\n</think>\n\nYes. ", "hm, so", "Yes. "],
        ["", " <think></think>Yes", "", "Yes"],
        ["", "<think>a\n\nb < c </thin", "a\n\nb < c </thin", ""],
        ["x<think>\n", "hm\n</think>\n\nYes", "hm", "Yes"],
        ["x<think>\n\n</think>\n\n", "Yes", "", "Yes"],
        ["", "<thin", "", "<thin"],
        ["", "Say <think>x</think>", "", "Say <think>x</think>"],
        ["", "<think>a</think>b</think>c", "a", "b</think>c"],
        ["", "<think>only", "only", ""],
    ];
    for (const [prompt, text, reasoning, answer] of cases)
        for (let size = 1; size <= text.length; size++)
            assert.deepEqual(
                cut(prompt, text, size),
                [reasoning, answer],
                `${text} by ${size}`,
            );
});

test("a chat gives the answer and keeps the reasoning", async (t) => {
    const probe = await openTiny(t);
    const end = probe.specialTokens.eos ?? 0;
    // Three letters that no text here has become words.
    const [hmm, close, yes] = [200, 201, 202];
    const tokens = /** @type {string[]} */ ([
        .../** @type {any} */ (probe.metadata["tokenizer.ggml.tokens"]),
    ]);
    [tokens[hmm], tokens[close], tokens[yes]] = ["hmm", "</think>", "yes"];
    const model = await openTiny(t, {
        metadata: { "tokenizer.ggml.tokens": tokens },
    });
    const template =
        "{% for m in messages %}{{ m.role }}:{{ m.reasoning_content }}|" +
        "{{ m.content }};{% endfor %}<think>\n";
    const bias = { [hmm]: 1000, [close]: 1000, [yes]: 1000, [end]: 1000 };
    const chat = await model.createChat({ template });
    let answered = false;
    for (let seed = 0; !answered; seed++) {
        assert.ok(seed < 200, "some seed reasons and answers");
        let seen = "";
        const pieces = await collect(
            chat.send("a", {
                logitBias: bias,
                seed,
                temperature: 1.5,
                maxTokens: 30,
                onReasoning: (piece) => (seen += piece),
            }),
        );
        const answer = pieces.join("");
        const { reasoning = "" } = chat.last ?? {};
        assert.equal(seen, reasoning);
        assert.match(reasoning, /^(hmm|yes)*$/);
        assert.doesNotMatch(pieces[0] ?? "", /^<.think>/);
        const last = chat.messages.at(-1);
        const known = reasoning ? { reasoning_content: reasoning } : {};
        if (last?.role === "assistant")
            assert.deepEqual(last, {
                role: "assistant",
                content: answer,
                ...known,
            });
        answered = Boolean(reasoning && answer);
    }
    // The next prompt gives the template its reasoning back.
    const { reasoning } = chat.last ?? {};
    const content = chat.messages.at(-1)?.content;
    for await (const _ of chat.send("b", { maxTokens: 1 }));
    const prompt = await model.detokenize(await chat.session.tokens());
    assert.ok(prompt.includes(`assistant:${reasoning}|${content};user:|b;`));
});

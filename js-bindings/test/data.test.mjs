// Examples from files: the formats, and what is wrong by its line.
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkExamples, compareExamples, readExamples } from "pipit/train";
import { openTiny, rejects } from "./support.mjs";

const line = (/** @type {unknown} */ value) => JSON.stringify(value);
const turn = (/** @type {string} */ role, /** @type {unknown} */ content) => ({
    role,
    content,
});
const pair = (/** @type {string} */ q, /** @type {string} */ a) => ({
    messages: [turn("user", q), turn("assistant", a)],
});
/** @param {readonly import("pipit/train").DataProblem[]} problems */
const brief = (problems) =>
    problems.map(({ line, code, severity }) => `${line} ${severity} ${code}`);

test("JSONL of chats and of prompts, with blank lines and a byte order mark", async () => {
    const text = `\ufeff${line(pair("a", "b"))}\r\n\r\n${line({ prompt: "x", completion: "y" })}\n`;
    const bytes = new TextEncoder().encode(text);
    for (const source of [text, bytes, bytes.buffer, new Blob([bytes])]) {
        const file = await readExamples(source);
        assert.equal(file.format, "jsonl");
        assert.deepEqual(file.examples, [
            pair("a", "b"),
            { prompt: "x", completion: "y" },
        ]);
        assert.deepEqual(file.lines, [1, 3]);
        assert.deepEqual(file.problems, []);
    }
    const chats = await readExamples(text, { system: "Be brief." });
    assert.deepEqual(chats.examples, [
        { messages: [turn("system", "Be brief."), ...pair("a", "b").messages] },
        { messages: [turn("system", "Be brief."), ...pair("x", "y").messages] },
    ]);
});

test("CSV: columns by name, any usual separator, lines within fields", async () => {
    const text =
        'id;Mail;label\r\n1;"My ""bell""\nis broken; twice";defect\r\n2;Where is it?;delivery\r\n';
    const file = await readExamples(text, {
        chat: true,
        completionColumn: "label",
    });
    assert.equal(file.format, "csv");
    assert.deepEqual(file.columns, ["id", "Mail", "label"]);
    assert.deepEqual(file.examples, [
        pair('My "bell"\nis broken; twice', "defect"),
        pair("Where is it?", "delivery"),
    ]);
    assert.deepEqual(file.lines, [2, 4]);
    const plain = await readExamples("prompt,completion\na,b\n\nc,\nd,e");
    assert.deepEqual(plain.examples, [
        { prompt: "a", completion: "b" },
        { prompt: "d", completion: "e" },
    ]);
    assert.deepEqual(brief(plain.problems), ["4 error no-answer"]);
    const wide = new Uint8Array(
        Uint16Array.from("\ufeffprompt\tanswer\nä\tö\n", (c) => c.charCodeAt(0))
            .buffer,
    );
    assert.deepEqual((await readExamples(wide)).examples, [
        { prompt: "ä", completion: "ö" },
    ]);
    const columns = await readExamples("one,two\n1,2\n");
    assert.equal(columns.examples.length, 0);
    assert.match(
        columns.problems[0]?.message ?? "",
        /promptColumn.*"one", "two"/,
    );
    const torn = await readExamples('prompt,answer\na,b\nc,"d\n');
    assert.deepEqual(brief(torn.problems), ["3 error malformed"]);
    assert.equal(torn.examples.length, 1);
});

test("every mistake by its line and code; the others are kept", async () => {
    const bad = [
        line(pair("good", "one")),
        "{ not json",
        line([1]),
        line({ text: "x" }),
        line({ messages: [turn("usr", "a"), turn("assistant", "b")] }),
        line({ messages: [turn("user", "a")] }),
        line(pair("a", "  ")),
        line({ messages: [] }),
        line(pair("", "b")),
        line({ prompt: "a", completion: "" }),
        line({ prompt: 7, completion: "b" }),
        line(pair("good ", "one")),
        line(pair("good", "two")),
        line({ messages: "a" }),
    ].join("\n");
    const file = await readExamples(bad);
    assert.deepEqual(brief(file.problems), [
        "2 error malformed",
        "3 error malformed",
        "4 error malformed",
        "5 error unknown-role",
        "6 error no-answer",
        "7 error no-answer",
        "8 error empty",
        "9 error empty",
        "10 error no-answer",
        "11 error malformed",
        "12 warning duplicate",
        "13 warning contradictory",
        "14 error malformed",
    ]);
    assert.match(file.problems[3]?.message ?? "", /"usr"/);
    assert.equal(file.problems[10]?.other, 1);
    assert.deepEqual(file.lines, [1, 12, 13]);
    const error = await rejects(
        readExamples(bad, { strict: true }),
        "invalid-file",
        /^line 2: /,
    );
    assert.equal(error.details.line, 2);
    assert.deepEqual(brief((await readExamples("")).problems), [
        "1 error empty",
    ]);
    const latin = Uint8Array.from([0x61, 10, 0x61, 0xe4, 10]);
    await rejects(readExamples(latin), "invalid-file", /line 2.*UTF-8/);
});

test("what is tested and also learned", async () => {
    const learned = await readExamples(
        [pair("a", "b"), pair("c", "d")].map(line).join("\n"),
    );
    const tested = await readExamples(
        [pair("x", "y"), pair("c", "other"), pair("a", "b")]
            .map(line)
            .join("\n"),
    );
    const problems = compareExamples(learned, tested);
    assert.deepEqual(brief(problems), [
        "2 warning also-in-training",
        "3 warning also-in-training",
    ]);
    assert.deepEqual(
        problems.map(({ other }) => other),
        [2, 1],
    );
});

test("lengths in tokens, and what is too long", async (t) => {
    const model = await openTiny(t, { context: 256 });
    const examples = [pair("a", "b"), pair("hello", "x".repeat(300))];
    const { tokens, answerTokens, problems } = await checkExamples(model, {
        examples,
        lines: [1, 7],
    });
    assert.ok((tokens[0] ?? 0) > 5 && (tokens[1] ?? 0) > 300);
    assert.equal(answerTokens[0], 2);
    assert.deepEqual(brief(problems), ["7 error too-long"]);
    await rejects(
        model.trainAdapter([{ messages: [turn("usr", "a")] }]),
        "invalid-argument",
        /line 1: unknown role "usr"/,
    );
});

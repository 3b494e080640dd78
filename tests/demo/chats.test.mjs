// Chats: what is exported comes back, what is wrong is named; what the model
// still sees; plots.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
    ChatFileError,
    chatToMarkdown,
    chatsToJSON,
    fileName,
    parseChats,
} from "../../demo/chat-file.js";
import { ageOf, firstSeen, messagesOf, titleOf } from "../../demo/history.js";
import { layBars, median, plotWords } from "../../demo/plot.js";

let ids = 0;
const newId = () => `id${++ids}`;

const whole = () => ({
    chat: {
        id: "a",
        title: "Birds",
        createdAt: 1,
        updatedAt: 2,
        model: { source: "hf:x/y/z.gguf", label: "Z" },
        files: ["d"],
        library: true,
    },
    turns: [
        {
            id: "t",
            chat: "a",
            at: 5,
            question: "What?\nWhy?",
            answer: "**This** <b>",
            model: "Z",
            ended: "aborted",
            task: /** @type {const} */ ("ask"),
            used: "From all of guide.md",
            sources: [
                {
                    document: "d",
                    name: "guide.md",
                    n: 3,
                    place: "p",
                    text: "x",
                },
            ],
            figures: {
                promptTokens: 1,
                cachedTokens: 2,
                completionTokens: 3,
                rate: 4.5,
                firstMs: 6,
            },
        },
        { id: "u", chat: "a", at: 6, question: "مرحبا", answer: "" },
    ],
});

describe("a file of chats", () => {
    test("comes back as it was, with ids of its own", () => {
        const { chat, turns } = whole();
        const [back] = parseChats(chatsToJSON([{ chat, turns }]), newId);
        assert.ok(back);
        assert.notEqual(back.chat.id, "a");
        assert.deepEqual(
            { ...back.chat, id: "a" },
            {
                ...chat,
                model: { source: null, label: "Z" },
                files: [],
                library: false,
            },
        );
        const plain = (/** @type {any} */ { id: _, chat: __, ...turn }) => ({
            ...turn,
            sources: turn.sources?.map((/** @type {any} */ source) => ({
                ...source,
                document: "",
            })),
        });
        assert.deepEqual(back.turns.map(plain), turns.map(plain));
        assert.ok(back.turns.every((turn) => turn.chat === back.chat.id));
    });

    test("what is wrong is named", () => {
        const cases = /** @type {[string, (file: any) => unknown][]} */ ([
            ["file", () => []],
            ["file", () => null],
            ["format", (file) => ({ ...file, format: "other" })],
            ["version", (file) => ({ ...file, version: 9 })],
            ["chats", (file) => ({ ...file, chats: {} })],
            ["chats[0]", (file) => ((file.chats[0] = 3), file)],
            ["chats[0].title", (file) => ((file.chats[0].title = 3), file)],
            [
                "chats[0].createdAt",
                (file) => ((file.chats[0].createdAt = "now"), file),
            ],
            ["chats[0].turns", (file) => (delete file.chats[0].turns, file)],
            [
                "chats[0].turns[1].question",
                (file) => ((file.chats[0].turns[1].question = {}), file),
            ],
            [
                "chats[0].turns[0].figures.rate",
                (file) => ((file.chats[0].turns[0].figures.rate = "x"), file),
            ],
            [
                "chats[0].turns[0].sources[0].text",
                (file) => ((file.chats[0].turns[0].sources[0].text = 1), file),
            ],
        ]);
        for (const [key, spoil] of cases) {
            const file = spoil(JSON.parse(chatsToJSON([whole()])));
            assert.throws(
                () => parseChats(JSON.stringify(file), newId),
                (error) =>
                    error instanceof ChatFileError &&
                    error.key === key &&
                    error.code === "chat-file",
                key,
            );
        }
        assert.throws(() => parseChats("<html>", newId), ChatFileError);
    });

    test("as Markdown", () => {
        assert.equal(
            chatToMarkdown(whole()),
            "# Birds\n\n> What?\n> Why?\n\n**This** <b>\n\n" +
                "1. guide.md, p\n\n> مرحبا\n\n" +
                "*Answered on this device by Z.*\n",
        );
    });

    test("has a name that any system takes", () => {
        assert.equal(fileName('a/b: "c"?\n', "md"), "a b c.md");
        assert.equal(fileName("...", "json"), "chat.json");
        assert.equal(fileName("鳥", "md"), "鳥.md");
    });
});

describe("history", () => {
    test("what the model sees, freed by half", () => {
        assert.equal(firstSeen([10, 10, 10], 100, 0), 0);
        assert.equal(firstSeen([10, 10, 10], 30, 0), 0);
        assert.equal(firstSeen([10, 10, 10, 10], 30, 0), 3);
        // What was dropped stays dropped while the rest fits.
        assert.equal(firstSeen([10, 10, 10, 10, 10], 30, 3), 3);
        assert.equal(firstSeen([100], 30, 0), 1);
        assert.equal(firstSeen([], 30, 0), 0);
    });

    test("messages, without what has no answer", () => {
        const messages = messagesOf(whole().turns);
        assert.deepEqual(
            messages.map(({ role }) => role),
            ["user", "assistant"],
        );
    });

    test("titles and ages", () => {
        assert.equal(titleOf("  Why?\nmore"), "Why?");
        assert.equal(titleOf(""), "Chat");
        const long = titleOf("word ".repeat(30));
        assert.ok(long.length <= 49 && long.endsWith("word…"), long);
        const now = new Date(2026, 10, 25, 12).getTime();
        const hour = 3_600_000;
        assert.equal(ageOf(now - hour, now), "Today");
        assert.equal(ageOf(now - 13 * hour, now), "Yesterday");
        assert.equal(ageOf(now - 4 * 24 * hour, now), "Last seven days");
        assert.equal(ageOf(now - 40 * 24 * hour, now), "Earlier");
    });
});

describe("plots", () => {
    test("bars stand at the right and stay inside", () => {
        const box = { width: 100, height: 40, most: 10 };
        const bars = layBars([1, 2, 4, 0], box);
        assert.equal(bars.length, 4);
        for (const { x, y, width, height } of bars) {
            assert.ok(x >= 0 && x + width <= 100);
            assert.ok(y >= 0 && y + height <= 40.001 && height >= 1);
        }
        assert.equal(bars[2]?.height, 40);
        assert.equal(layBars(Array(30).fill(1), box).length, 10);
        assert.deepEqual(layBars([], box), []);
    });

    test("in words", () => {
        assert.equal(median([3, 1, 2]), 2);
        assert.equal(median([1, 2]), 1.5);
        assert.equal(
            plotWords("Rate", [3, 1, 2], String),
            "Rate of the last 3 answers: 1 to 3, median 2, last 2",
        );
        assert.equal(plotWords("Rate", [], String), "Rate: no answers yet");
    });
});

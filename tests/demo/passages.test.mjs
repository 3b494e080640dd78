// Documents as passages: cut, found, chosen, told.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import MiniSearch from "minisearch";
import {
    describeUse,
    extracts,
    rankByPattern,
    spread,
    takeWhatFits,
    writePrompt,
} from "../../demo/grounding.js";
import { describePlaces, splitPassages } from "../../demo/passages.js";
import {
    decodeText,
    markdownSections,
    plainSections,
} from "../../demo/plain-text.js";
import { SearchIndex, plainWord, wordsOf } from "../../demo/search-index.js";
import { parseTable, tableSections } from "../../demo/table-text.js";

const bytes = (/** @type {string} */ text) => new TextEncoder().encode(text);

describe("passages", () => {
    test("keep every word, in order, and their size", () => {
        const text = Array.from(
            { length: 400 },
            (_, i) => `Sentence ${i} is here.${i % 7 ? " " : "\n\n"}`,
        ).join("");
        for (const size of [40, 100, 333, 1000]) {
            const passages = splitPassages([{ text, place: "page 1" }], size);
            for (const passage of passages)
                assert.ok(passage.text.length <= size, passage.text);
            assert.deepEqual(
                passages.map(({ n }) => n),
                passages.map((_, i) => i),
            );
            const words = passages.map((p) => p.text).join(" ");
            assert.deepEqual(words.split(/\s+/), text.trim().split(/\s+/));
        }
    });

    test("one word without an end is cut between characters", () => {
        const text = "🐦".repeat(50);
        const passages = splitPassages([{ text, place: "" }], 20);
        assert.equal(passages.map((p) => p.text).join(""), text);
        for (const { text } of passages) assert.match(text, /^(🐦)+$/u);
    });

    test("nothing gives nothing", () => {
        assert.deepEqual(splitPassages([]), []);
        assert.deepEqual(splitPassages([{ text: " \n\n ", place: "x" }]), []);
    });

    test("places in words", () => {
        const at = (/** @type {string[]} */ ...places) =>
            describePlaces(places.map((place) => ({ place })));
        assert.equal(at(), "");
        assert.equal(at("", ""), "");
        assert.equal(at("page 3"), "page 3");
        assert.equal(at("page 3", "page 3", "page 5"), "pages 3 and 5");
        assert.equal(at("Costs", "Delivery"), "Costs and Delivery");
        assert.equal(
            at(...[1, 2, 3, 4, 5, 6].map((n) => `page ${n}`)),
            "pages 1, 2, 3, 4 and 2 more",
        );
    });
});

describe("files", () => {
    test("bytes as text, or as none", () => {
        assert.equal(decodeText(bytes("naïve 🐦")), "naïve 🐦");
        assert.equal(
            decodeText(Uint8Array.of(0x6e, 0x61, 0xef, 0x76, 0x65)),
            "naïve",
        );
        assert.equal(
            decodeText(Uint8Array.of(0xff, 0xfe, 0x41, 0, 0x42, 0)),
            "AB",
        );
        assert.equal(
            decodeText(Uint8Array.of(0xfe, 0xff, 0, 0x41, 0, 0x42)),
            "AB",
        );
        assert.equal(decodeText(Uint8Array.of(1, 0, 2, 0)), undefined);
        const noise = Uint8Array.from(
            { length: 500 },
            (_, i) => 128 + (i % 30),
        );
        assert.equal(decodeText(noise), undefined);
        assert.equal(decodeText(new Uint8Array(0)), "");
    });

    test("Markdown under its headings, code left alone", () => {
        const sections = markdownSections(
            "before\r\n# One *big*\ntext\n```\n# no heading\n```\n## Two ##\nmore\n## Empty\n",
        );
        assert.deepEqual(sections, [
            { text: "before", place: "" },
            { text: "text\n```\n# no heading\n```", place: "One big" },
            { text: "more", place: "Two" },
        ]);
    });

    test("plain text by its lines", () => {
        assert.deepEqual(plainSections("a\nb"), [{ text: "a\nb", place: "" }]);
        const long = Array.from({ length: 100 }, (_, i) => `line ${i + 1}`);
        const sections = plainSections(long.join("\n"));
        assert.equal(sections.map((s) => s.text).join("\n"), long.join("\n"));
        assert.deepEqual(
            sections.map((s) => s.place),
            ["line 1", "line 41", "line 81"],
        );
    });

    test("tables: quotes, separators, rows with names", () => {
        assert.deepEqual(parseTable('a,"b ""x"", c"\r\n1,"2\n3"\n\n'), [
            ["a", 'b "x", c'],
            ["1", "2\n3"],
        ]);
        assert.deepEqual(parseTable("a;b,c\n1;2"), [
            ["a", "b,c"],
            ["1", "2"],
        ]);
        assert.deepEqual(parseTable("a\tb\n1\t2"), [
            ["a", "b"],
            ["1", "2"],
        ]);
        const rows = Array.from({ length: 7 }, (_, i) => `bird ${i},${i}`);
        const sections = tableSections(["name,price", ...rows].join("\n"));
        assert.deepEqual(
            sections.map((s) => s.place),
            ["rows 2 to 6", "rows 7 to 8"],
        );
        assert.match(sections[0]?.text ?? "", /^name: bird 0; price: 0\n/);
        assert.deepEqual(tableSections(""), []);
        assert.deepEqual(tableSections('"never closed'), [
            { text: "never closed", place: "row 1" },
        ]);
    });
});

describe("search", () => {
    const guide = {
        id: "guide",
        name: "guide.md",
        passages: splitPassages([
            { text: "The warranty lasts two years.", place: "Warranty" },
            { text: "Batteries are charged over night.", place: "Charging" },
            {
                text: "Das Gerät wiegt 2 kg. Es kommt aus Zürich.",
                place: "Maße",
            },
            { text: "電池は夜に充電します。", place: "日本語" },
        ]),
    };

    test("finds words in other forms, says nothing about small ones", () => {
        const index = new SearchIndex(MiniSearch);
        index.add(guide);
        index.add(guide); // twice is once
        assert.equal(index.size, 4);
        const best = (/** @type {string} */ question) =>
            index.search(question)[0]?.n;
        assert.equal(best("How long is the warranty?"), 0);
        assert.equal(best("how do I charge the battery"), 1);
        assert.equal(best("zurich"), 2);
        assert.equal(best("waranty"), 0);
        assert.equal(best("充電"), 3);
        assert.deepEqual(index.search("what is the"), []);
        assert.deepEqual(index.search("refrigerator"), []);
        assert.deepEqual(index.search(""), []);
        assert.equal(index.search("warranty")[0]?.document, "guide");
    });

    test("is kept and read again, and forgets what was removed", () => {
        const index = new SearchIndex(MiniSearch);
        index.add(guide);
        const kept = structuredClone(index.toJSON());
        const again = new SearchIndex(MiniSearch, kept);
        assert.deepEqual(again.search("warranty"), index.search("warranty"));
        again.remove(guide);
        assert.deepEqual(again.search("warranty"), []);
        assert.equal(again.size, 0);
        again.remove(guide);
    });

    test("words", () => {
        assert.deepEqual(wordsOf("don't stop, 2 birds!"), [
            "don",
            "t",
            "stop",
            "2",
            "birds",
        ]);
        assert.equal(plainWord("Berries"), "berry");
        assert.equal(plainWord("ÉCOLES"), "ecole");
        assert.equal(plainWord("glass"), "glass");
    });
});

describe("what the model reads", () => {
    const count = async (/** @type {string} */ text) => text.length;
    const of = (/** @type {number} */ length) => ({ text: "x".repeat(length) });

    test("what fits, the best first", async () => {
        const items = [of(50), of(100), of(40), of(500), of(30)];
        const taken = await takeWhatFits(items, 200, count);
        assert.deepEqual(
            taken.map(({ text }) => text.length),
            [50, 100],
        );
        assert.deepEqual(await takeWhatFits(items, 10, count), []);
    });

    test("any number of a whole is spread over it", () => {
        const items = Array.from({ length: 33 }, (_, i) => i);
        const order = spread(items);
        assert.deepEqual(
            [...order].sort((a, b) => a - b),
            items,
        );
        assert.deepEqual(order.slice(0, 5), [0, 32, 16, 8, 24]);
        assert.deepEqual(spread([]), []);
        assert.deepEqual(spread([7]), [7]);
    });

    test("patterns find what is extracted", () => {
        const passages = splitPassages([
            { text: "Nothing to see.", place: "a" },
            { text: "Pay €300 by 2026-12-01.", place: "b" },
            { text: "Write to anna@example.org.", place: "c" },
        ]);
        const found = (/** @type {keyof typeof extracts} */ kind) =>
            rankByPattern(passages, extracts[kind].pattern).map((p) => p.place);
        assert.deepEqual(found("amounts"), ["b"]);
        assert.deepEqual(found("dates"), ["b"]);
        assert.deepEqual(found("contacts"), ["c"]);
    });

    test("the prompt, and what is said of it", () => {
        const source = (
            /** @type {string} */ name,
            /** @type {number} */ n,
        ) => ({ document: name, name, n, place: `page ${n}`, text: `t${n}` });
        const one = [source("a.pdf", 1), source("a.pdf", 2)];
        const prompt = writePrompt("ask", "Why?", one);
        assert.match(prompt, /\[1\] page 1\nt1\n\n\[2\] page 2\nt2/);
        assert.match(prompt, /Question: Why\?$/);
        assert.match(writePrompt("summarize", "Sum up.", one), /Sum up\.$/);
        assert.equal(
            describeUse(one, 9),
            "From 2 of 9 passages of a.pdf: pages 1 and 2",
        );
        assert.equal(describeUse(one, 2), "From all of a.pdf");
        const two = [...one, source("b.md", 1)];
        assert.match(writePrompt("ask", "?", two), /\[3\] b\.md, page 1/);
        assert.equal(describeUse(two, 9), "From 3 passages of 2 documents");
    });
});

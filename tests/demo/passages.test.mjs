// Documents as passages: cut, found, chosen, told.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import MiniSearch from "minisearch";
import {
    bestOf,
    describeUse,
    extracts,
    findAll,
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

    test("rules find what is extracted, each with its sentence", () => {
        const text =
            "The library closes on 3 March 2026 and opens on 2026-09-15. It " +
            "costs 2.4 million euros, half of it from the state.\nWrite to " +
            "anna@example.org or call +49 40 1234567. About 80 seats, 12 % " +
            "more; see https://example.org/plan.";
        const passages = [{ text: "Nothing here." }, { text }];
        const found = (/** @type {string} */ kind) => {
            const { pattern } = extracts[kind] ?? assert.fail(kind);
            return findAll(passages, pattern);
        };
        const marks = (/** @type {string} */ kind) =>
            [...found(kind).answer.matchAll(/\*\*(.+?)\*\*/g)].map(
                ([, words]) => words,
            );
        assert.deepEqual(marks("dates"), ["3 March 2026", "2026-09-15"]);
        assert.deepEqual(marks("amounts"), ["2.4 million euros", "12 %"]);
        assert.deepEqual(marks("contacts"), [
            "anna@example.org",
            "+49 40 1234567",
            "https://example.org/plan",
        ]);
        const { answer, sources } = found("dates");
        assert.deepEqual(sources, [passages[1]]);
        assert.match(
            answer,
            /^\*\*3 March 2026\*\*: The library .* 2026-09-15\. \[1\]\n\n/,
        );
        assert.deepEqual(findAll([], /x/g), { answer: "", sources: [] });
    });

    test("dates in the ways they are written", () => {
        const { pattern } = extracts.dates ?? assert.fail();
        for (const date of [
            "1.2.2026",
            "01/02/26",
            "March 3, 2026",
            "3rd March",
            "Sept. 2026",
            "2026-01-31",
        ])
            assert.equal(`on ${date} it`.match(pattern)?.[0], date);
        for (const none of ["12:30", "version 1.2", "555-1234", "marching 5"])
            assert.equal(`on ${none} it`.match(pattern), null, none);
    });

    test("those with most of a pattern come first, and few but the best", () => {
        const passages = [{ text: "1" }, { text: "1 2 3" }, { text: "none" }];
        assert.deepEqual(rankByPattern(passages, /\d/g), [
            passages[1],
            passages[0],
        ]);
        const hits = [10, 9, 4, 3, 2].map((score) => ({ score }));
        assert.equal(bestOf(hits, 9).length, 3);
        assert.equal(bestOf(hits, 2).length, 2);
        assert.deepEqual(bestOf([], 3), []);
    });

    test("the prompt, and what is said of it", () => {
        const source = (
            /** @type {string} */ name,
            /** @type {number} */ n,
        ) => ({ document: name, name, n, place: `page ${n}`, text: `t${n}` });
        const one = [source("a.pdf", 1), source("a.pdf", 2)];
        // The best passage is read last, before the question.
        assert.match(
            writePrompt("ask", "Why?", one, false),
            /^t2\n\nt1\n\nQuestion: Why\?\nGive a short answer/,
        );
        const marked = writePrompt("ask", "Why?", one, true);
        assert.match(marked, /^\[2\] a\.pdf\nt2\n\n\[1\] a\.pdf\nt1\n/);
        assert.equal(
            writePrompt("summarize", "Sum up.", one, false),
            "t1\n\nt2\n\nSum up.",
        );
        const [first] = one;
        assert.ok(first);
        const headed = [{ ...first, place: "Costs" }];
        assert.match(writePrompt("ask", "?", headed, false), /^Costs\nt1/);
        assert.equal(
            describeUse(one, 9),
            "From 2 of 9 passages of a.pdf: pages 1 and 2",
        );
        assert.equal(describeUse(one, 2), "From all of a.pdf");
        const two = [...one, source("b.md", 1)];
        assert.equal(describeUse(two, 9), "From 3 passages of 2 documents");
    });
});

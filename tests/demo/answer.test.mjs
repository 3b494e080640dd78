// An answer cut into blocks: what models write often, and that nothing is lost
// of what they write otherwise; the pages put together of their parts.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
    headingText,
    listItems,
    splitBlocks,
} from "../../demo/answer-blocks.js";
import { composePage } from "../../demo/pages.mjs";

/** @param {string} text */
const kinds = (text) => splitBlocks(text).map(({ kind }) => kind);

describe("the blocks of an answer", () => {
    test("paragraphs, headings, lists, code", () => {
        const text =
            "Three things:\n1. **One**\n2. Two\nand more\n\n## Then ##\n" +
            "Last words\n\n```js\n- no list\n\n# no heading\n```\nend";
        const blocks = splitBlocks(text);
        assert.deepEqual(kinds(text), [
            "text",
            "list",
            "heading",
            "text",
            "code",
            "text",
        ]);
        assert.equal(headingText(String(blocks[2]?.text)), "Then");
        assert.equal(blocks[4]?.text, "- no list\n\n# no heading");
        assert.equal(blocks[4]?.language, "js");
        assert.deepEqual(listItems(String(blocks[1]?.text)), [
            { indent: 0, number: 1, text: "**One**" },
            { indent: 0, number: 2, text: "Two\nand more" },
        ]);
    });

    test("items that empty lines part are one list, others are others", () => {
        assert.deepEqual(kinds("1. a\n\n2. b\n\n3. c"), ["list"]);
        assert.deepEqual(kinds("1. a\n\n   - inner\n\n2. b"), ["list"]);
        assert.deepEqual(kinds("1. a\n\n- b"), ["list", "list"]);
        assert.deepEqual(kinds("1. a\n\nwords\n\n2. b"), [
            "list",
            "text",
            "list",
        ]);
        const [list] = splitBlocks("1. a\n   - in\n   - ner\n2. b");
        assert.deepEqual(
            listItems(String(list?.text)).map(({ indent }) => indent),
            [0, 3, 3, 0],
        );
    });

    test("what only looks alike stays a paragraph", () => {
        for (const text of [
            "1996. That was a year.",
            "-5 degrees",
            "#hashtag",
            "**bold** first",
            "3.5 is a number",
            "- ",
            "1.",
            "",
        ])
            assert.deepEqual(kinds(text), text ? ["text"] : [], text);
    });

    test("grown letter by letter, no letter is lost", () => {
        const text = "Hi\n\n1. a\n   * b\n\n2. c\n# d\n```\ne\n\nf\n```\n- g";
        const letters = (/** @type {string} */ all) => all.replace(/\s/g, "");
        for (let i = 0; i <= text.length; i++) {
            const part = text.slice(0, i);
            const shown = splitBlocks(part).map((one) => one.text);
            assert.equal(
                letters(shown.join("")).replaceAll("`", ""),
                letters(part).replaceAll("`", ""),
            );
        }
    });
});

test("a page is put together of parts that hold parts", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "pipit-pages-"));
    t.after(() => rm(folder, { recursive: true }));
    await mkdir(join(folder, "parts"));
    const write = (/** @type {string} */ name, /** @type {string} */ text) =>
        writeFile(join(folder, name), text);
    const page = join(folder, "page.html");
    await write("page.html", "<a>\n  <!-- part one -->\n</a>\n");
    await write("parts/one.html", "<b>\n  <!-- part two -->\n\n</b>\n");
    await write("parts/two.html", "<i></i>\n");
    assert.equal(
        await composePage(page),
        "<a>\n  <b>\n    <i></i>\n\n  </b>\n</a>\n",
    );
    await write("parts/two.html", "<!-- part one -->\n");
    await assert.rejects(composePage(page), /holds itself/);
    await rm(join(folder, "parts/two.html"));
    await assert.rejects(composePage(page), { code: "ENOENT" });
});

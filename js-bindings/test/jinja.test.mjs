// Templates as Jinja2 renders them: text and error messages, over cases that
// jinja/render.py has rendered with Jinja2 itself.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { PipitError, renderChatTemplate } from "pipit";

const { cases, variables } = JSON.parse(
    readFileSync(new URL("jinja/cases.json", import.meta.url), "utf8"),
);
const now = new Date(2026, 0, 15, 12, 34, 56);

/** @param {string} template */
async function rendered(template) {
    try {
        return { text: await renderChatTemplate(template, variables, { now }) };
    } catch (error) {
        assert.ok(error instanceof PipitError, String(error));
        assert.equal(error.code, "template");
        return { error: error.message };
    }
}

test("as Jinja2 renders", async () => {
    for (const { template, ...expected } of cases)
        assert.deepEqual(await rendered(template), expected, template);
});

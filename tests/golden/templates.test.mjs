// Chat templates of real models against the reference data: what Python's
// Jinja2 renders, and the messages with which it refuses.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { PipitError, renderChatTemplate } from "pipit";
import { peerdata, skipWithout } from "./reference.mjs";

/** Where we differ, and why. "template case": reason. All are equal now.
 * @type {Record<string, string>} */
const known = {};

test(
    "fourteen templates, eighteen conversations",
    { skip: skipWithout("templates") },
    async () => {
        const zipped = readFileSync(peerdata("templates", "golden.json.gz"));
        const golden = JSON.parse(gunzipSync(zipped).toString());
        const now = new Date(golden.strftime_now.slice(0, 19));
        const base = {
            bos_token: "<s>",
            eos_token: "</s>",
            tools: null,
            documents: null,
            add_generation_prompt: true,
        };
        /** @type {string[]} */
        const different = [];
        for (const { name, template, rendered } of golden.templates)
            for (const [what, expected] of Object.entries(rendered)) {
                const variables = { ...base, ...golden.cases[what] };
                const got = await renderChatTemplate(template, variables, {
                    now,
                }).then(
                    (text) => ({ text }),
                    (error) => {
                        assert.ok(error instanceof PipitError);
                        assert.equal(error.code, "template");
                        return { error: error.message };
                    },
                );
                // Python's own kind of error stands before the message.
                const { text, error } = /** @type {any} */ (expected);
                const same =
                    text === undefined
                        ? "error" in got &&
                          got.error === error.replace(/^\w+: /, "")
                        : "text" in got && got.text === text;
                if (!same) different.push(`${name} ${what}`);
            }
        assert.deepEqual(different, Object.keys(known));
    },
);

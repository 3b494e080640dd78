// Templates in a page: harm is stopped while it stays responsive, and the demo
// folds the reasoning of a model away.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
    answered,
    ask,
    endless,
    lastAnswer,
    loadFile,
    openPage,
    useBrowser,
    withoutBrowser,
    writeTiny,
} from "./support.mjs";

useBrowser();

const forEver =
    "{% for a in range(99999) %}".repeat(2) + "{% endfor %}".repeat(2);
const tooMuch =
    "{% set ns = namespace(s='x') %}{% for i in range(99) %}" +
    "{% set ns.s = ns.s ~ ns.s %}{% endfor %}";
const tooDeep = `{{ ${"not ".repeat(50_000)} 1 }}`;

describe("templates in a page", { skip: withoutBrowser }, () => {
    test("harm is stopped, the page goes on", async (t) => {
        const { page, errors } = await openPage(t);
        for (const [template, why] of /** @type {const} */ ([
            [forEver, /1000 ms/],
            [tooMuch, /16 MB/],
            [tooDeep, /deep/],
        ])) {
            const { message, ms, beats } = await page.evaluate(
                async (template) => {
                    const address = new URL("/pipit/index.js", location.href);
                    const { renderChatTemplate } = await import(address.href);
                    await renderChatTemplate("");
                    let beats = 0;
                    const heart = setInterval(() => beats++, 20);
                    const startedAt = performance.now();
                    const message = await renderChatTemplate(template).catch(
                        (/** @type {Error} */ error) => error.message,
                    );
                    const ms = performance.now() - startedAt;
                    clearInterval(heart);
                    return { message, ms, beats };
                },
                template,
            );
            // On a busy machine the clock may come first.
            assert.match(message, new RegExp(`${why.source}|1000 ms`));
            assert.ok(ms < 30_000, `${ms} ms`);
            assert.ok(beats >= Math.floor(ms / 500), `${beats} in ${ms} ms`);
        }
        assert.deepEqual(errors, []);
    });

    test("reasoning is folded away above the answer", async (t) => {
        const thinker = await writeTiny("thinker.gguf", {
            ...endless,
            template: "{{ messages[-1].content }}<think>\n",
        });
        const { page, errors } = await openPage(t, {}, {}, { maxTokens: 24 });
        await loadFile(page, thinker);
        await ask(page, "Hello");
        await answered(page);
        const thought = page.locator("details.reasoning");
        assert.equal(await thought.count(), 1);
        const words = page.locator(".reasoning-text");
        assert.equal(await words.isVisible(), false);
        await thought.locator("summary").click();
        assert.notEqual((await words.innerText()).trim(), "");
        assert.equal(await lastAnswer(page), "");
        assert.deepEqual(errors, []);
    });
});

// What axe-core finds wrong in a page: WCAG 2.2 AA and its best practices.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/**
 * @param {import("playwright-core").Page} page
 * @returns {Promise<string[]>} rule and element, each; none when all is well
 */
export async function violations(page) {
    // The page's policy lets it in by the browser's own channel.
    await page.evaluate(await readFile(axe, "utf8"));
    return page.evaluate(async () => {
        const { axe } = /** @type {any} */ (globalThis);
        const { violations } = await axe.run(document, {
            resultTypes: ["violations"],
            // In WCAG 2.2 AA, and off unless it is asked for.
            rules: { "target-size": { enabled: true } },
        });
        return violations.flatMap((/** @type {any} */ rule) =>
            rule.nodes.map(
                (/** @type {any} */ node) => `${rule.id}: ${node.html}`,
            ),
        );
    });
}

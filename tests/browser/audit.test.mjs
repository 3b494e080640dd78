// The audit of the demo: all is well with it, and what is not well is found.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { audit, exported, report } from "./audit.mjs";
import { withoutBrowser } from "./support.mjs";

describe("the audit", { skip: withoutBrowser }, () => {
    test("finds nothing wrong with the demo", async (t) => {
        const site = await exported();
        t.after(site.end);
        const checks = await audit(site.url, site.cut);
        t.diagnostic(report(checks));
        const wrong = checks.filter(({ ok }) => !ok);
        assert.equal(report(wrong), "");
        assert.ok(checks.length >= 20);
    });

    test("finds what is spoilt", async (t) => {
        const site = await exported();
        t.after(site.end);
        const page = join(site.folder, "index.html");
        const html = await readFile(page, "utf8");
        const spoilt = html
            .replace(/<title>.*<\/title>/, "<title>P</title>")
            .replace("<h1", "<h1>Another</h1><script></script><h1")
            .replace('src="pipit.svg" alt=""', 'src="gone.svg"');
        assert.notEqual(spoilt, html);
        await writeFile(page, spoilt);
        const css = join(site.folder, "css/base.css");
        const colours = await readFile(css, "utf8");
        await writeFile(
            css,
            `${colours}body { color: #888; min-width: 1400px }`,
        );
        const manifest = join(site.folder, "manifest.webmanifest");
        await writeFile(
            manifest,
            (await readFile(manifest, "utf8"))
                .replace('"display": "standalone",', "")
                .replace('"sizes": "192x192"', '"sizes": "193x193"'),
        );
        const checks = await audit(site.url, site.cut, [""]);
        const wrong = report(checks.filter(({ ok }) => !ok));
        for (const found of [
            /offers to install it: .*display/,
            /all that is shown of an app: display/,
            /sizes they claim: icons.icon-192.png: 192x192/,
            /title: "P"/,
            /inline code/,
            /2 headings of the first rank/,
            /image without text or size/,
            /wider than its window/,
            /color-contrast/,
            /image-alt/,
            /nothing is missing on the host: 404 .*gone\.svg/,
            /nothing in the console: /,
        ])
            assert.match(wrong, found);
        const well = checks.filter(({ ok }) => ok);
        assert.match(report(well), /is there without a network/);
    });
});

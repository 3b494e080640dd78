// An audit of the demo as browsers' own audits do it, on a plain static host:
// installable, whole without a network, nothing in the console, the head of each
// page, accessible, light. No timing: that would be of the machine.
//
//   npm run audit:demo               what is here, exported
//   npm run audit:demo -- ADDRESS    a site somewhere, which ends in a slash
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { exportSite } from "../../demo/shell.mjs";
import { violations } from "./axe.mjs";
import { startSite } from "./site.mjs";
import { launchProfile, PATIENCE_MS } from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").BrowserContext} Context */

/** @typedef {{ about: string, ok: boolean, found: string }} Check */

export const pages = ["", "bench.html", "teach.html"];

/* Measured, and a tenth. The page alone, before a model is asked for; what is
 * kept to work without a network is fetched behind it. */
const LIMITS = {
    pageBytes: 143_000,
    keptBytes: 1_600_000,
    requests: 68,
    elements: 570,
    shift: 0.1,
};

/** @param {number} bytes */
const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;

/** Waits until all that the page needs is kept. @param {Page} page */
async function kept(page) {
    await page.waitForFunction(
        () => navigator.serviceWorker.controller?.state === "activated",
    );
    // A host without the isolation headers: the first visit loads twice.
    await page.waitForFunction(() => crossOriginIsolated);
    await page.waitForLoadState("networkidle");
}

/** The manifest and what Chromium itself says of it. @param {Page} page @returns {Promise<Check[]>} */
async function installable(page) {
    const client = await page.context().newCDPSession(page);
    const { errors, data } = await client.send("Page.getAppManifest");
    const { installabilityErrors } = await client.send(
        "Page.getInstallabilityErrors",
    );
    const manifest = JSON.parse(data || "{}");
    const missing = [
        ...["id", "name", "short_name", "description", "start_url", "scope"],
        ...["display", "theme_color", "background_color", "icons"],
    ].filter((key) => !manifest[key]);
    const icons = await page.evaluate(
        async (icons) =>
            Promise.all(
                icons.map(async (/** @type {any} */ { src, sizes }) => {
                    const image = new Image();
                    image.src = src;
                    await image.decode();
                    const { naturalWidth, naturalHeight } = image;
                    const real = `${naturalWidth}x${naturalHeight}`;
                    return real === sizes ? "" : `${src}: ${real}`;
                }),
            ),
        manifest.icons ?? [],
    );
    const purposes = (manifest.icons ?? []).map(
        (/** @type {any} */ { sizes, purpose = "any" }) =>
            `${sizes} ${purpose}`,
    );
    const wanted = ["192x192 any", "512x512 any", "512x512 maskable"];
    await client.detach();
    return [
        check(
            "the browser offers to install it",
            [...errors.map(({ message }) => message)].concat(
                installabilityErrors.map(({ errorId }) => errorId),
            ),
        ),
        check("the manifest says all that is shown of an app", missing),
        check("its icons are of the sizes they claim", icons.filter(Boolean)),
        check(
            "with icons for the screen, the start and any shape",
            wanted.filter((one) => !purposes.includes(one)),
        ),
    ];
}

/** @param {string} about @param {string[]} wrong none when all is well @param {string} [found] @returns {Check} */
const check = (about, wrong, found = "") => ({
    about,
    ok: wrong.length === 0,
    found: wrong.length === 0 ? found : wrong.join("; "),
});

/** What the head and the body of a page have to say. @param {Page} page */
const documentFaults = (page) =>
    page.evaluate(async () => {
        /** @type {string[]} */
        const wrong = [];
        const need = (
            /** @type {unknown} */ ok,
            /** @type {string} */ what,
        ) => {
            if (!ok) wrong.push(what);
        };
        const content = (/** @type {string} */ name) =>
            document
                .querySelector(`meta[name="${name}"]`)
                ?.getAttribute("content") ?? "";
        const has = (/** @type {string} */ css) => document.querySelector(css);
        need(document.compatMode === "CSS1Compat", "no doctype");
        need(document.characterSet === "UTF-8", "not in UTF-8");
        need(document.documentElement.lang, "no language");
        const { title } = document;
        need(title.length > 4 && title.length < 70, `title: "${title}"`);
        const description = content("description");
        need(
            description.length > 40 && description.length < 170,
            `description: "${description}"`,
        );
        need(
            /width=device-width/.test(content("viewport")),
            "no viewport for phones",
        );
        need(
            !/user-scalable=no|maximum-scale/.test(content("viewport")),
            "zooming is forbidden",
        );
        need(content("theme-color"), "no theme-color");
        need(/light dark/.test(content("color-scheme")), "no color-scheme");
        need(content("referrer") === "no-referrer", "sends referrers");
        need(has('link[rel="manifest"]'), "no manifest");
        need(has('link[rel="icon"]'), "no icon");
        need(has('link[rel="apple-touch-icon"]'), "no icon for iOS");
        const policy =
            has('meta[http-equiv="Content-Security-Policy"]')?.getAttribute(
                "content",
            ) ?? "";
        need(/script-src 'self' 'wasm-unsafe-eval'/.test(policy), "no policy");
        need(!/'unsafe-(inline|eval)'/.test(policy), "it allows inline code");
        // As it was sent: scripts may set a style by the object model.
        const html = await (await fetch(location.href)).text();
        const sent = new DOMParser().parseFromString(html, "text/html");
        const inline = "script:not([src]), style, [style], [onclick], [onload]";
        need(!sent.querySelector(inline), "inline code");
        const shown = (/** @type {Element} */ one) => one.checkVisibility();
        const h1 = [...document.querySelectorAll("h1")].filter(shown);
        need(h1.length === 1, `${h1.length} headings of the first rank`);
        for (const image of document.images)
            need(
                image.hasAttribute("alt") && image.width && image.height,
                `image without text or size: ${image.src}`,
            );
        for (const link of document.querySelectorAll("a"))
            need(link.getAttribute("href"), `link to nowhere: ${link.text}`);
        const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
        const twice = ids.filter((id, i) => ids.indexOf(id) !== i);
        need(twice.length === 0, `ids twice: ${twice}`);
        const { scrollWidth, clientWidth } = document.documentElement;
        need(
            scrollWidth <= clientWidth,
            `wider than its window: ${scrollWidth}`,
        );
        return wrong;
    });

/** The bytes of what a fresh visit fetches. @param {Page} page */
async function weigh(page) {
    const names = await page.evaluate(() => [
        location.href.replace(/#.*/, ""),
        ...performance.getEntriesByType("resource").map(({ name }) => name),
    ]);
    let bytes = 0;
    const all = [...new Set(names.map((name) => name.replace(/#.*/, "")))];
    for (const name of all) {
        const response = await fetch(name);
        const body = Buffer.from(await response.arrayBuffer());
        bytes += gzipSync(body, { level: 9 }).length;
    }
    return { bytes, requests: all.length };
}

/** @param {Page} page @returns {Promise<Check[]>} */
async function weight(page) {
    const { bytes, requests } = await weigh(page);
    const stored = await page.evaluate(async () => {
        let bytes = 0;
        /** @type {string[]} */
        const models = [];
        for (const name of await caches.keys()) {
            const cache = await caches.open(name);
            for (const request of await cache.keys()) {
                const response = await cache.match(request);
                bytes += (await response?.blob())?.size ?? 0;
                if (/\.gguf/.test(request.url)) models.push(request.url);
            }
        }
        return { bytes, models };
    });
    const elements = await page.locator("*").count();
    const shift = await page.evaluate(
        () =>
            new Promise((/** @type {(shift: number) => void} */ done) => {
                let sum = 0;
                new PerformanceObserver((list) => {
                    for (const entry of list.getEntries())
                        sum += /** @type {any} */ (entry).value;
                }).observe({ type: "layout-shift", buffered: true });
                setTimeout(() => done(sum), 500);
            }),
    );
    const most = (
        /** @type {string} */ about,
        /** @type {number} */ value,
        /** @type {number} */ limit,
        /** @type {(n: number) => string} */ show = String,
    ) => {
        const words = `${show(value)} of ${show(limit)}`;
        return check(about, value <= limit ? [] : [words], words);
    };
    return [
        most("the page is light (gzip)", bytes, LIMITS.pageBytes, kB),
        most("in few requests", requests, LIMITS.requests),
        most("kept for later (raw)", stored.bytes, LIMITS.keptBytes, kB),
        check("no model is kept unasked", stored.models),
        most("few elements", elements, LIMITS.elements),
        most("nothing jumps while it loads", shift, LIMITS.shift, (n) =>
            n.toFixed(3),
        ),
    ];
}

/** Each page in both colours, on a phone and a desk.
 * @param {Context} context @param {string} url @param {string[]} paths
 * @returns {Promise<Check[]>} */
async function everyPage(context, url, paths) {
    const checks = [];
    const page = await context.newPage();
    for (const path of paths) {
        /** @type {string[]} */
        const head = [];
        /** @type {string[]} */
        const access = [];
        for (const colorScheme of /** @type {const} */ (["light", "dark"]))
            for (const width of [320, 1280]) {
                await page.emulateMedia({
                    colorScheme,
                    reducedMotion: "reduce",
                });
                await page.setViewportSize({ width, height: 720 });
                await page.goto(url + path);
                await page.waitForLoadState("networkidle");
                const at = (/** @type {string} */ fault) =>
                    `${colorScheme}, ${width}: ${fault}`;
                head.push(...(await documentFaults(page)).map(at));
                access.push(...(await violations(page)).map(at));
            }
        const name = path || "index.html";
        checks.push(
            check(`${name}: head, headings, links, images`, head),
            check(`${name}: accessible, WCAG 2.2 AA (axe)`, access),
        );
    }
    await page.close();
    return checks;
}

/** The host is gone: every page is there all the same. @param {Context} context @param {string} url @returns {Promise<Check>} */
async function withoutNetwork(context, url) {
    const wrong = [];
    for (const path of [...pages, "index.html", "?from=home#/documents"]) {
        const page = await context.newPage();
        /** @type {string[]} */
        const faults = [];
        page.on("pageerror", (error) => faults.push(String(error)));
        const response = await page.goto(url + path).catch(() => null);
        if (!response?.ok()) faults.push("does not answer");
        else if (!(await page.locator("h1:visible").count()))
            faults.push("has no heading");
        wrong.push(...faults.map((fault) => `${path || "/"}: ${fault}`));
        await page.close();
    }
    return check("every page is there without a network", wrong);
}

/**
 * @param {string} url of the start page; ends in a slash
 * @param {() => Promise<void>} cut ends the network
 * @param {string[]} [paths] of the pages to look at closely
 * @returns {Promise<Check[]>}
 */
export async function audit(url, cut, paths = pages) {
    const folder = await mkdtemp(join(tmpdir(), "pipit-audit-"));
    const profile = join(folder, "profile");
    await mkdir(profile);
    // A private window can't install.
    const context = await launchProfile(profile);
    context.setDefaultTimeout(PATIENCE_MS);
    /** @type {string[]} */
    const noise = [];
    /** @type {string[]} */
    const failed = [];
    /** @type {Set<string>} */
    const elsewhere = new Set();
    let connected = true;
    context.on("console", (message) => {
        if (connected && ["error", "warning"].includes(message.type()))
            noise.push(message.text());
    });
    context.on("weberror", (error) => noise.push(String(error.error())));
    context.on("request", (request) => {
        const { origin } = new URL(url);
        if (/^https?:/.test(request.url()) && !request.url().startsWith(origin))
            elsewhere.add(request.url());
    });
    context.on("response", (response) => {
        if (response.status() >= 400)
            failed.push(`${response.status()} ${response.url()}`);
    });
    try {
        const page = await context.newPage();
        await page.goto(url);
        await kept(page);
        const checks = [
            // First: looking at the icons would weigh.
            ...(await weight(page)),
            ...(await installable(page)),
            ...(await everyPage(context, url, paths)),
        ];
        connected = false;
        await cut();
        await context.setOffline(true);
        return [
            ...checks,
            await withoutNetwork(context, url),
            check("nothing is missing on the host", failed),
            check("nothing is asked of other hosts", [...elsewhere]),
            check("nothing in the console", noise),
        ];
    } finally {
        await context.close();
        await rm(folder, { recursive: true, force: true });
    }
}

/**
 * @typedef {object} Exported
 * @property {string} folder
 * @property {string} url
 * @property {string[]} requests paths that were asked for
 * @property {() => Promise<void>} cut
 * @property {() => Promise<void>} end
 */

/** The demo as a host has it that sends no header of ours, or these.
 * @param {Record<string, string>} [headers] @returns {Promise<Exported>} */
export async function exported(headers = {}) {
    const folder = await mkdtemp(join(tmpdir(), "pipit-site-"));
    const at = (/** @type {string} */ path) =>
        fileURLToPath(new URL(`../../${path}`, import.meta.url));
    await exportSite(
        {
            page: at("demo"),
            pipit: at("js-bindings/dist"),
            manifest: at("models/manifest.json"),
        },
        folder,
    );
    /** @type {(() => unknown)[]} */
    const ends = [];
    const site = await startSite(
        { after: (end) => void ends.push(end) },
        folder,
        headers,
    );
    return {
        folder,
        url: site.url,
        requests: site.requests,
        cut: site.kill,
        end: async () => {
            for (const end of ends) await end();
            await rm(folder, { recursive: true, force: true });
        },
    };
}

/** @param {Check[]} checks */
export const report = (checks) =>
    checks
        .map(
            ({ about, ok, found }) =>
                `${ok ? "ok    " : "WRONG "} ${about}${found && `: ${found}`}`,
        )
        .join("\n");

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const [address] = process.argv.slice(2);
    const here = address === undefined ? await exported() : undefined;
    const checks = await audit(
        here?.url ?? new URL(String(address)).href,
        here?.cut ?? (async () => {}),
    );
    await here?.end();
    console.log(report(checks));
    process.exitCode = checks.every(({ ok }) => ok) ? 0 : 1;
}

// What the page is made of, for its service worker: every file, and a version
// that changes with any of them.
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { apiFolder, hasApi } from "./api.mjs";
import { composePage } from "./pages.mjs";

/** @typedef {{ page: string, pipit: string }} Sources */

const kinds = /\.(html|css|js|svg|png|webmanifest|jsonl)$/;

const packages = fileURLToPath(new URL("../node_modules", import.meta.url));

/** Libraries that the page loads when it needs them, by the name they have
 * under vendor/: a file, or a folder of flat files. */
export const vendored = {
    "minisearch.js": join(packages, "minisearch/dist/es/index.js"),
    "minisearch.LICENSE.txt": join(packages, "minisearch/LICENSE.txt"),
    "pdf.js": join(packages, "pdfjs-dist/legacy/build/pdf.min.mjs"),
    "pdf.worker.js": join(
        packages,
        "pdfjs-dist/legacy/build/pdf.worker.min.mjs",
    ),
    "pdf.LICENSE.txt": join(packages, "pdfjs-dist/LICENSE"),
    cmaps: join(packages, "pdfjs-dist/cmaps"),
};

/** What of it is small enough to be kept from the beginning. */
const vendoredInShell = ["vendor/minisearch.js"];

/** @param {string} folder @returns {Promise<string[]>} with slashes */
async function filesOf(folder) {
    const names = await readdir(folder, { recursive: true });
    return (
        names
            .map((name) => name.replaceAll("\\", "/"))
            .filter((name) => kinds.test(name) && name !== "sw.js")
            // They are to be read and copied, and no part of the page.
            .filter((name) => !name.startsWith("examples/"))
            .sort()
    );
}

/**
 * The package's files that a page's scripts load, and those that these load.
 * @param {Sources} sources
 * @param {string[]} files of the page
 */
async function packageFiles({ page, pipit }, files) {
    const found = new Set();
    const read = async (
        /** @type {string} */ path,
        /** @type {RegExp} */ at,
    ) => {
        const text = await readFile(path, "utf8");
        return [...text.matchAll(at)].map(([, name]) => String(name));
    };
    for (const file of files.filter((name) => /\.(js|html)$/.test(name)))
        for (const name of await read(
            join(page, file),
            /["']\.?\.?\/?pipit\/([\w.-]+\.js)["']/g,
        ))
            found.add(name);
    for (const name of found)
        for (const next of await read(
            join(pipit, name),
            /["'`]\.\/([\w-]+\.js)["'`]/g,
        ))
            found.add(next);
    return [...found].sort();
}

/** @param {Sources} sources */
export async function describeShell(sources) {
    const page = await filesOf(sources.page);
    const pipit = await packageFiles(sources, page);
    const hash = createHash("sha256");
    for (const name of [...page, "sw.js"])
        hash.update(name).update(await readFile(join(sources.page, name)));
    for (const name of pipit)
        hash.update(name).update(await readFile(join(sources.pipit, name)));
    for (const [name, path] of Object.entries(vendored))
        if (name !== "cmaps") hash.update(name).update(await readFile(path));
    const files = [
        // The parts are in the pages.
        ...page.filter((name) => !/^(index\.html$|parts\/)/.test(name)),
        ...pipit.map((name) => `pipit/${name}`),
        ...vendoredInShell,
    ];
    return { version: hash.digest("hex").slice(0, 12), files };
}

/** The service worker with both in it. @param {Sources} sources */
export async function serviceWorker(sources) {
    const text = await readFile(join(sources.page, "sw.js"), "utf8");
    const shell = JSON.stringify(await describeShell(sources));
    return text.replace(/^const shell = .*;$/m, `const shell = ${shell};`);
}

/**
 * Puts together what a static host serves.
 * @param {Sources & { manifest: string }} sources
 * @param {string} folder
 */
export async function exportSite(sources, folder) {
    const { files } = await describeShell(sources);
    const modules = (await readdir(sources.pipit))
        .filter((name) => name.endsWith(".wasm"))
        .map((name) => `pipit/${name}`);
    for (const [name, path] of Object.entries(vendored))
        await cp(path, join(folder, "vendor", name), { recursive: true });
    const own = files.filter((name) => !vendoredInShell.includes(name));
    for (const file of ["index.html", ...own, ...modules]) {
        const [first, ...rest] = file.split("/");
        const from =
            first === "pipit"
                ? join(sources.pipit, ...rest)
                : join(sources.page, file);
        const to = join(folder, file);
        await mkdir(dirname(to), { recursive: true });
        if (file.endsWith(".html"))
            await writeFile(to, await composePage(from));
        else await cp(from, to);
    }
    await mkdir(join(folder, "models"), { recursive: true });
    const manifest = JSON.parse(await readFile(sources.manifest, "utf8"));
    manifest.api = await hasApi();
    if (manifest.api)
        await cp(apiFolder, join(folder, "api"), { recursive: true });
    await writeFile(
        join(folder, "models/manifest.json"),
        JSON.stringify(manifest),
    );
    await writeFile(join(folder, "sw.js"), await serviceWorker(sources));
}

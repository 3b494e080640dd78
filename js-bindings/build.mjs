// Builds dist/: bundles for pages and for Node, and the types.
//
// dist is flat, for the programs look for each other and for the modules beside
// themselves: index.js, worker.js, template.js for pages; *.node.js and cli.js
// for Node. inline.js looks for nothing. The wasm files are put in, before this
// runs, by web/build.mjs.
import * as esbuild from "esbuild";
import { execFileSync } from "node:child_process";
import {
    copyFileSync,
    existsSync,
    readdirSync,
    readFileSync,
    rmSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { packModules } from "./pack-modules.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);

/* What an older build left would be packed too. */
for (const name of readdirSync(join(here, "dist")))
    if (!name.endsWith(".wasm"))
        rmSync(join(here, "dist", name), { recursive: true });

/** The manifest, put in without what only Node's downloads need. */
function manifestPlugin(/** @type {false | "addresses" | "sums"} */ forPages) {
    const file = join(here, "../models/manifest.json");
    return {
        name: "manifest",
        setup(/** @type {esbuild.PluginBuild} */ build) {
            build.onResolve({ filter: /^#manifest$/ }, () => ({ path: file }));
            build.onLoad({ filter: /manifest\.json$/ }, () => {
                const manifest = JSON.parse(readFileSync(file, "utf8"));
                const contents = JSON.stringify(
                    forPages
                        ? addressesOnly(manifest, forPages === "sums")
                        : manifest,
                );
                return { contents, loader: "json" };
            });
        },
    };
}

/**
 * @param {{ default: string, models: any[] }} manifest
 * @param {boolean} sums keep the sha256 sums
 */
function addressesOnly(manifest, sums) {
    const models = manifest.models.map((model) => ({
        name: model.name,
        aliases: model.aliases,
        file: model.file,
        size: model.size,
        ...(sums && { sha256: model.sha256 }),
        system: model.system,
        sources: model.sources.filter((source) => source.kind === "https"),
    }));
    return { default: manifest.default, models };
}

/** What is beside the package's entry uses it as anyone would: not a second
 * copy of it, whose errors would be of another class. */
const packagePlugin = (/** @type {string} */ path) => ({
    name: "package",
    setup(/** @type {esbuild.PluginBuild} */ build) {
        build.onResolve(
            { filter: /^\.\.\/(index|errors|version)\.js$/ },
            () => ({ path, external: true }),
        );
        build.onResolve({ filter: /^\.\.\/store\/models\.js$/ }, () => ({
            path: path.replace("index", "models"),
            external: true,
        }));
    },
});

/** Files of their own, loaded on demand. */
const laterPlugin = (/** @type {".js" | ".node.js"} */ end) => ({
    name: "later",
    setup(/** @type {esbuild.PluginBuild} */ build) {
        const later = (
            /** @type {RegExp} */ filter,
            /** @type {string} */ path,
        ) =>
            build.onResolve({ filter }, ({ kind }) =>
                kind === "dynamic-import" ? { path, external: true } : null,
            );
        later(/\/peft\.js$/, "./peft.js");
        later(/\/csv\.js$/, "./csv.js");
        later(/\/train\/index\.js$/, `./train${end}`);
        later(/\/evaluate\/index\.js$/, `./evaluate${end}`);
    },
});

/** The libraries inside have their licences beside them. */
const papaparse = dirname(require.resolve("papaparse/package.json"));
const csvBanner = { js: "/*! papaparse (MIT): see csv.LICENSE */" };
const jinja = dirname(require.resolve("@huggingface/jinja"));
const banner = { js: "/*! @huggingface/jinja (MIT): see template.LICENSE */" };

/** Of the library only its parser is used; its bundle can't be taken apart, its
 * sources can. */
const parserPlugin = {
    name: "parser",
    setup(/** @type {esbuild.PluginBuild} */ build) {
        const path = join(jinja, "../src/parser.ts");
        build.onResolve({ filter: /^@huggingface\/jinja$/ }, () => ({ path }));
    },
};

/** @type {esbuild.BuildOptions} */
const common = {
    absWorkingDir: here,
    bundle: true,
    format: "esm",
    target: "es2022",
    legalComments: "none",
    logLevel: "warning",
    outdir: "dist",
};

/** @type {esbuild.BuildOptions} */
const pages = {
    ...common,
    minify: true,
    platform: "browser",
    conditions: ["default"],
    plugins: [laterPlugin(".js"), manifestPlugin("addresses")],
};

/** @type {esbuild.BuildOptions} */
const node = {
    ...common,
    platform: "node",
    target: "node20",
    conditions: ["node"],
    plugins: [laterPlugin(".node.js"), manifestPlugin(false)],
};

/** The package in one file. @param {string} name @param {string} platform
 * @param {esbuild.BuildOptions} kind @param {false | "addresses"} addresses */
async function buildInline(name, platform, kind, addresses) {
    const plugins = [manifestPlugin(addresses), parserPlugin];
    /* In a page a classic script, for old ones know no other worker. */
    const format = kind === pages ? "iife" : "esm";
    /** @param {string} entry */
    const program = async (entry) => {
        const { outputFiles } = await esbuild.build({
            ...kind,
            ...{ entryPoints: [entry], plugins, format },
            ...{ minify: true, write: false },
            // What starts workers stays unused, and is dropped, in one.
            logOverride: { "empty-import-meta": "silent" },
        });
        return outputFiles?.[0]?.contents ?? new Uint8Array();
    };
    const assets = {
        modules: packModules(join(here, "dist")),
        engine: await program("src/worker/main.ts"),
        template: await program("src/template/worker.ts"),
    };
    const own = {
        name: "inline",
        setup(/** @type {esbuild.PluginBuild} */ build) {
            const path = join(here, "src/platform", platform);
            build.onResolve(
                { filter: /^#platform$|\/platform\/inline\.js$/ },
                () => ({ path }),
            );
            build.onResolve({ filter: /^#assets$/ }, () => ({
                path: "assets",
                namespace: "inline",
            }));
            build.onLoad({ filter: /^assets$/, namespace: "inline" }, () => ({
                contents: Object.entries(assets)
                    .map(([asset, bytes]) => {
                        const packed = gzipSync(bytes, { level: 9 });
                        return `export const ${asset} = "${packed.toString("base64")}";`;
                    })
                    .join("\n"),
            }));
        },
    };
    await esbuild.build({
        ...kind,
        entryPoints: { [name]: "src/inline.ts" },
        plugins: [own, ...plugins],
        banner,
    });
}

const builds = [
    esbuild.build({
        ...pages,
        entryPoints: { index: "src/index.ts", worker: "src/worker/main.ts" },
    }),
    esbuild.build({
        ...pages,
        entryPoints: { template: "src/template/worker.ts" },
        plugins: [manifestPlugin(true), parserPlugin],
        banner,
    }),
    esbuild.build({
        ...pages,
        entryPoints: { models: "src/store/models.ts" },
        plugins: [packagePlugin("./index.js"), manifestPlugin("sums")],
    }),
    esbuild.build({
        ...pages,
        entryPoints: { "prompt-api": "src/prompt-api/index.ts" },
        plugins: [packagePlugin("./index.js"), manifestPlugin("sums")],
    }),
    esbuild.build({
        ...node,
        entryPoints: { "prompt-api.node": "src/prompt-api/index.ts" },
        plugins: [packagePlugin("./index.node.js"), manifestPlugin(false)],
    }),
    esbuild.build({
        ...pages,
        entryPoints: { bench: "src/bench/index.ts" },
    }),
    esbuild.build({
        ...pages,
        entryPoints: {
            store: "src/store/worker.ts",
            openai: "src/openai/index.ts",
        },
        loader: { ".wasm": "binary" },
    }),
    esbuild.build({
        ...pages,
        entryPoints: {
            train: "src/train/index.ts",
            evaluate: "src/evaluate/index.ts",
        },
        plugins: [
            laterPlugin(".js"),
            packagePlugin("./index.js"),
            manifestPlugin("addresses"),
        ],
    }),
    esbuild.build({
        ...node,
        entryPoints: {
            "train.node": "src/train/index.ts",
            "evaluate.node": "src/evaluate/index.ts",
        },
        plugins: [
            laterPlugin(".node.js"),
            packagePlugin("./index.node.js"),
            manifestPlugin(false),
        ],
    }),
    esbuild.build({ ...pages, entryPoints: { peft: "src/peft.ts" } }),
    esbuild.build({
        ...pages,
        entryPoints: { csv: "src/train/csv.ts" },
        banner: csvBanner,
    }),
    esbuild.build({
        ...node,
        entryPoints: { "models.node": "src/node/store.ts" },
        plugins: [packagePlugin("./index.node.js"), manifestPlugin(false)],
    }),
    esbuild.build({
        ...node,
        entryPoints: {
            "index.node": "src/index.ts",
            "worker.node": "src/worker/main.ts",
        },
    }),
    esbuild.build({
        ...node,
        entryPoints: { "template.node": "src/template/worker.ts" },
        plugins: [manifestPlugin(false), parserPlugin],
        banner,
    }),
];
if (existsSync(join(here, "src/cli/main.ts")))
    builds.push(
        esbuild.build({
            ...node,
            entryPoints: { cli: "src/cli/main.ts" },
            plugins: [packagePlugin("./index.node.js"), manifestPlugin(false)],
        }),
    );
await Promise.all(builds);
await Promise.all([
    buildInline("inline", "inline.ts", pages, "addresses"),
    buildInline("inline.node", "inline-node.ts", node, false),
]);
copyFileSync(join(jinja, "../LICENSE"), join(here, "dist/template.LICENSE"));
copyFileSync(join(papaparse, "LICENSE"), join(here, "dist/csv.LICENSE"));

const tsc = join(dirname(require.resolve("typescript")), "tsc.js");
execFileSync(process.execPath, [tsc, "-p", here], { stdio: "inherit" });

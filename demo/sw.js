// The service worker: the page answers without a network, and gets the isolation
// headers where its host can't send them.
//
// Each version is a cache of its own, filled whole when it is installed; an open
// page keeps its version to the end. Models are no part of it: they are in the
// store of `pipit/models`, by the user's wish.

/* serve.mjs puts the version and the files in here. */
const shell = { version: "none", files: [] };

const PREFIX = "pipit-shell-";
const CACHE = PREFIX + shell.version;
const scope = self;
const home = new URL("./", location.href);

const isolation = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
};

/** @param {Response} response */
function isolated({ body, status, statusText, headers: given }) {
    const headers = new Headers(given);
    for (const [name, value] of Object.entries(isolation))
        headers.set(name, value);
    return new Response(body, { status, statusText, headers });
}

/** The modules that pages may run here, to answer and to teach: with relaxed
 * SIMD come threads; without it, in WebKit, some have none even in an isolated
 * page. */
function modulesHere() {
    /* (func (result v128) two splats, i16x8.relaxed_dot_i8x16_i7x16_s) */
    const relaxed = Uint8Array.of(
        ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0],
        ...[10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 146, 2, 11],
    );
    const kinds = WebAssembly.validate(relaxed)
        ? ["relaxed-mt"]
        : ["simd128-mt", "simd128"];
    return kinds.flatMap((kind) => [
        `pipit/pipit-${kind}.wasm`,
        `pipit/pipit-train-${kind}.wasm`,
    ]);
}

/** @param {string} path */
const isLibrary = (path) => path.startsWith("vendor/");

/** @param {Cache} cache @param {string} file */
async function keep(cache, file) {
    const url = new URL(file, home);
    // Past the browser's own cache, which may hold an older version.
    const response = await fetch(url, { cache: "reload" });
    if (!response.ok) throw new Error(`${file}: HTTP ${response.status}`);
    await cache.put(url, isolated(response));
}

/** Libraries that the version before came to keep, such as the reader of PDF:
 * who had them does not lose them. */
async function loadedLater() {
    const files = [];
    for (const name of await caches.keys()) {
        if (!name.startsWith(PREFIX) || name === CACHE) continue;
        const cache = await caches.open(name);
        for (const { url } of await cache.keys()) {
            const path = url.slice(home.href.length);
            if (isLibrary(path) && !shell.files.includes(path))
                files.push(path);
        }
    }
    return files;
}

async function install() {
    if (shell.files.length === 0) return;
    const cache = await caches.open(CACHE);
    const files = ["./", ...shell.files, ...modulesHere()];
    await Promise.all(files.map((file) => keep(cache, file)));
    // They may be gone in this version; the page can be used without.
    const later = await loadedLater();
    await Promise.allSettled(later.map((file) => keep(cache, file)));
}

async function removeOthers() {
    for (const name of await caches.keys())
        if (name.startsWith(PREFIX) && name !== CACHE)
            await caches.delete(name);
}

/** @param {URL} url */
async function kept({ origin, pathname }) {
    const cache = await caches.open(CACHE);
    return cache.match(origin + pathname.replace(/\/index\.html$/, "/"));
}

/** Tells the open pages of every request that leaves the device, also of those
 * of their workers, which they do not see themselves.
 * @param {string} url @param {"network" | "device"} from */
async function tell(url, from) {
    const at = Date.now();
    const open = await scope.clients.matchAll({
        type: "window",
        includeUncontrolled: true,
    });
    for (const client of open)
        client.postMessage({ type: "request", url, from, at });
}

/** From this version; what it lacks from the network, and modules are kept.
 * @param {Request} request */
async function answer(request) {
    const url = new URL(request.url);
    const found = await kept(url);
    void tell(request.url, found ? "device" : "network");
    if (found) return found;
    const response = await fetch(request);
    // A redirect is the browser's own affair, and opaque.
    if (response.type !== "basic" || response.status === 206) return response;
    const given = isolated(response);
    const path = url.href.slice(home.href.length);
    if (response.ok && (path.endsWith(".wasm") || isLibrary(path))) {
        const cache = await caches.open(CACHE);
        await cache.put(url, given.clone());
    }
    return given;
}

/** What changes without a new version: the network's, else what was last seen.
 * @param {Request} request */
async function newest(request) {
    void tell(request.url, "network");
    const cache = await caches.open(CACHE);
    const response = await fetch(request).catch(() => undefined);
    if (response?.ok) await cache.put(request, isolated(response.clone()));
    else {
        const found = await cache.match(request);
        if (found) return found;
    }
    return response ? isolated(response) : Response.error();
}

/** The waiting version begins, if that takes nothing from another tab.
 * @param {MessageEventSource | null} asker */
async function begin(asker) {
    const open = await scope.clients.matchAll({ type: "window" });
    if (open.length <= 1) await scope.skipWaiting();
    else asker?.postMessage({ type: "others-open" });
}

scope.addEventListener("install", (event) => event.waitUntil(install()));

scope.addEventListener("activate", (event) =>
    event.waitUntil(Promise.all([removeOthers(), scope.clients.claim()])),
);

scope.addEventListener("message", (event) => {
    if (event.data?.type === "begin") event.waitUntil(begin(event.source));
});

scope.addEventListener("fetch", (event) => {
    const { request } = event;
    const { method, url } = request;
    // What passes by: other places, and weights, which are large and not ours
    // to keep.
    const passes = method !== "GET" || !url.startsWith(home.href);
    const path = url.slice(home.href.length);
    if (passes || /^models\/.*\.gguf/.test(path)) {
        event.waitUntil(tell(url, "network"));
        return;
    }
    event.respondWith(
        path === "models/manifest.json" ? newest(request) : answer(request),
    );
});

// The service worker of notes.html: keeps what it passes on. Models are not its
// business: `pipit/models` stores them.
const NAME = "notes-1";

self.addEventListener("install", (event) => {
    const page = ["notes.html", "notes-offline.js"];
    const add = async () => (await caches.open(NAME)).addAll(page);
    event.waitUntil(add().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
    event.waitUntil(self.clients.claim());
});

async function answer(request) {
    const cache = await caches.open(NAME);
    const kept = await cache.match(request, { ignoreSearch: true });
    if (kept) return kept;
    const fresh = await fetch(request);
    if (fresh.ok) await cache.put(request, fresh.clone());
    return fresh;
}

self.addEventListener("fetch", (event) => {
    const { url, method } = event.request;
    const own = url.startsWith(self.location.origin) && !/\.gguf/.test(url);
    if (own && method === "GET") event.respondWith(answer(event.request));
});

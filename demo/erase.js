// Delete everything: models, chats, documents, settings, caches, and the service
// worker. Only what is Pipit's own: others may live at this address too.
import { models } from "./pipit/models.js";
import { DATABASE } from "./database.js";

const OURS = /^pipit-/;

/** Another tab that has it open closes it when asked. @param {string} name */
const deleteDatabase = (name) =>
    new Promise((resolve) => {
        const request = indexedDB.deleteDatabase(name);
        request.onsuccess = () => resolve(true);
        request.onerror = () => resolve(false);
    });

async function deleteModels() {
    for (const { source } of await models.list()) await models.remove(source);
}

/** What no list names: torn downloads, records. */
async function deleteModelFolder() {
    const root = await navigator.storage?.getDirectory?.();
    await root?.removeEntry("pipit-models", { recursive: true });
}

async function deleteCaches() {
    for (const name of await caches.keys())
        if (OURS.test(name)) await caches.delete(name);
}

function deleteSettings() {
    for (const storage of [localStorage, sessionStorage])
        for (const key of Object.keys(storage))
            if (OURS.test(key)) storage.removeItem(key);
}

async function removeServiceWorker() {
    const registration = await navigator.serviceWorker?.getRegistration();
    await registration?.unregister();
}

/**
 * Each of them as far as it goes; what could not be deleted is named.
 * @param {() => Promise<void>} closeAll what holds it open
 * @returns {Promise<string[]>}
 */
export async function deleteEverything(closeAll) {
    /** @type {[string, () => unknown][]} */
    const steps = [
        ["", closeAll],
        ["models", deleteModels],
        ["", deleteModelFolder], // there is none, or it is in use still
        ["chats and documents", () => deleteDatabase(DATABASE)],
        ["settings", deleteSettings],
        ["the page's copy", deleteCaches],
        ["the service worker", removeServiceWorker],
    ];
    const failed = [];
    for (const [name, act] of steps)
        try {
            if ((await act()) === false) failed.push(name);
        } catch {
            if (name) failed.push(name);
        }
    return failed.filter(Boolean);
}

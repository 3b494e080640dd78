/* storage.ts — the folder `training` of the cache folder (Node). */
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { PipitError } from "../errors.js";
import type { Storage, StoredFile } from "../train/storage.js";
import { cacheDir } from "./models.js";
import { checkRoom, storeError } from "./partial-file.js";
import { isArriving, writeWhole } from "./whole-file.js";

const folder = () => path.join(cacheDir(), "training");

function pathOf(name: string): string {
    if (!/^[\w-][\w.-]{0,99}$/.test(name) || isArriving(name))
        throw new PipitError(
            "invalid-argument",
            `${name}: a name has letters, digits, dots, dashes, underscores`,
        );
    return path.join(folder(), name);
}

const isAbsent = (cause: unknown) =>
    (cause as NodeJS.ErrnoException).code === "ENOENT";

async function prepared(name: string): Promise<string> {
    const target = pathOf(name);
    try {
        await fs.mkdir(folder(), { recursive: true });
    } catch (cause) {
        throw storeError(cause, `can't make ${folder()}`);
    }
    return target;
}

export const platformStorage: Storage = {
    kind: async () => "folder",
    async list() {
        const names = await fs.readdir(folder()).catch((cause: unknown) => {
            if (isAbsent(cause)) return [];
            throw storeError(cause, `can't read ${folder()}`);
        });
        const found: StoredFile[] = [];
        for (const name of names.filter((one) => !isArriving(one))) {
            const stat = await fs.stat(path.join(folder(), name)).catch(() => {
                return undefined; // removed meanwhile
            });
            if (stat)
                found.push({ name, bytes: stat.size, storedAt: stat.mtimeMs });
        }
        return found;
    },
    async get(name) {
        const file = pathOf(name);
        try {
            return new Uint8Array(await fs.readFile(file));
        } catch (cause) {
            if (isAbsent(cause)) return undefined;
            throw storeError(cause, `can't read ${file}`);
        }
    },
    put: async (name, bytes) => writeWhole(await prepared(name), bytes),
    async remove(name) {
        const file = pathOf(name);
        try {
            await fs.rm(file);
            return true;
        } catch (cause) {
            if (isAbsent(cause)) return false;
            throw storeError(cause, `can't remove ${file}`);
        }
    },
    async checkRoom(name, bytes) {
        await prepared(name);
        await checkRoom(folder(), name, bytes);
    },
};

/* stored-path.ts — where the store has what is not of the manifest (Node).
 *
 * The file of an address carries the start of the address's sha256, so that two
 * servers may call their files the same; `local:NAME` is the file NAME. */
import { createHash } from "node:crypto";
import * as path from "node:path";
import { PipitError } from "../errors.js";
import { fileOf } from "../store/source.js";
import { modelPath, verifyModel } from "./models.js";

/** All files of a model must differ in the number alone. */
const partNumber = /-\d{5}(?=-of-\d{5}\.gguf)/i;

/** What lies beside a model on its way, or says that it was checked. */
const beside = /\.(verified|partial|partial\.json|lock|importing)$|\.pip-\d+$/;

/** Of the names in the store's folder those that are models: an imported file
 * may be called anything, and was checked. */
export function modelFiles(names: readonly string[]): string[] {
    const all = new Set(names);
    return names.filter(
        (name) =>
            !beside.test(name) &&
            (name.endsWith(".gguf") || all.has(`${name}.verified`)),
    );
}

export function fileOfKey(key: string): string {
    if (key.startsWith("local:")) {
        const name = key.slice("local:".length);
        const isOwn = !name.startsWith(".") && !beside.test(name);
        if (name && path.basename(name) === name && isOwn) return name;
        throw new PipitError("invalid-argument", `${key} is no file name`);
    }
    const model = key.replace(partNumber, "-00001");
    const hash = createHash("sha256").update(model).digest("hex");
    return `${hash.slice(0, 8)}-${fileOf(key)}`;
}

/** Undefined: it is not there, or not as it was stored. */
export async function storedPath(key: string): Promise<string | undefined> {
    const file = fileOfKey(key);
    const wanted = { file, size: undefined, sha256: undefined };
    const verdict = await verifyModel(wanted);
    return verdict === "ok" ? modelPath(wanted) : undefined;
}

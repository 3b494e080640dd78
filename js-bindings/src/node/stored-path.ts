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

export function fileOfKey(key: string): string {
    if (key.startsWith("local:")) {
        const name = key.slice("local:".length);
        if (path.basename(name) === name && !name.startsWith(".")) return name;
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

/* store.ts — the models that there are, and fetching them. */
import {
    cachedModel,
    defaultModel,
    listModels,
    modelPath,
    pullModel,
    resolveModel,
    findModel,
} from "../node/models.js";
import { models } from "../node/store.js";
import { storedPath } from "../node/stored-path.js";
import { expandHub, isAddress } from "../store/source.js";
import type { Args } from "./args.js";
import { bytes, note, ProgressLine } from "./terminal.js";

export async function list(args: Args): Promise<void> {
    const rows = [];
    for (const entry of listModels())
        rows.push({
            name: entry.name,
            bytes: entry.size,
            architecture: entry.architecture,
            contextLength: entry.contextLength,
            licence: entry.licence.name,
            default: entry.name === defaultModel,
            path: await cachedModel(entry.name),
        });
    if (args.values.json) {
        console.log(JSON.stringify(rows, null, 2));
        return;
    }
    for (const row of rows)
        console.log(
            [
                row.path === undefined ? " " : "*",
                row.name.padEnd(36),
                bytes(row.bytes).padStart(8),
                row.licence,
                row.default ? "(default)" : "",
            ].join(" "),
        );
    for (const { source, size } of await models.list())
        if (!findModel(source))
            console.log(`* ${source.padEnd(36)} ${bytes(size).padStart(8)}`);
    console.log("\n* is on this machine");
}

async function pullAddress(
    address: string,
    signal: AbortSignal,
    quiet: boolean,
): Promise<void> {
    const progress = new ProgressLine(quiet);
    try {
        await models.pull(address, { signal, onProgress: progress.show });
    } finally {
        progress.clear();
    }
    console.log(await storedPath(address));
}

export async function pull(args: Args, signal: AbortSignal): Promise<void> {
    const name = args.words[0] ?? args.values.model ?? defaultModel;
    const entry = findModel(name);
    const quiet = args.values.quiet === true;
    const address = expandHub(name);
    if (isAddress(address)) return pullAddress(address, signal, quiet);
    if (!entry) {
        await resolveModel(name, { signal }); /* says which there are */
        return;
    }
    const progress = new ProgressLine(quiet);
    if (entry.licence.mustAccept && !quiet)
        note(`licence: ${entry.licence.name}, ${entry.licence.url}`);
    try {
        await pullModel(entry, {
            signal,
            onProgress: progress.show,
            onNotice: (message) => {
                progress.clear();
                if (!quiet) note(message);
            },
        });
    } finally {
        progress.clear();
    }
    console.log(modelPath(entry));
}

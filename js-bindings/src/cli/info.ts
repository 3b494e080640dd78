/* info.ts — what a file says of itself, from its header alone. */
import { inspect } from "../index.js";
import type { FileInfo, Forecast } from "../types.js";
import { numberOf, type Args } from "./args.js";
import { modelName } from "./model.js";
import { bold, bytes } from "./terminal.js";

/** The forecast, or why there is none. */
function forecastOf(info: FileInfo, args: Args): Forecast | string {
    try {
        return info.forecast({
            contextLength: numberOf(args.values, "context", 1, 1e9),
            threads: numberOf(args.values, "threads", 1, 64),
        });
    } catch (cause) {
        return cause instanceof Error ? cause.message : String(cause);
    }
}

function show(value: unknown): string {
    const text =
        typeof value === "string"
            ? JSON.stringify(value)
            : JSON.stringify(value, (_, v: unknown) =>
                  typeof v === "bigint" ? String(v) : v,
              );
    return text.length > 100 ? `${text.slice(0, 97)}...` : text;
}

export async function info(args: Args, signal: AbortSignal): Promise<void> {
    const file = await inspect(args.words[0] ?? modelName(args), { signal });
    const forecast = forecastOf(file, args);
    if (args.values.json) {
        const { version, headerBytes, fileBytes, metadata, tensors } = file;
        const all = {
            version,
            headerBytes,
            fileBytes,
            parameters: file.parameters,
            architecture: file.architecture,
            forecast,
            metadata,
            tensors,
        };
        const plain = (_: string, v: unknown) =>
            typeof v === "bigint" ? String(v) : v;
        console.log(JSON.stringify(all, plain, 2));
        return;
    }
    console.log(bold("metadata"));
    for (const [key, value] of Object.entries(file.metadata))
        console.log(`  ${key} = ${show(value)}`);
    console.log(bold(`tensors (${file.tensors.length})`));
    for (const tensor of file.tensors)
        console.log(
            `  ${tensor.name.padEnd(34)} ${tensor.type.padEnd(5)} ` +
                `${tensor.shape.join(" x ")}`,
        );
    console.log(bold("memory"));
    if (typeof forecast === "string") {
        console.log(`  none: ${forecast}`);
        return;
    }
    for (const [name, value] of Object.entries(forecast))
        console.log(`  ${name.padEnd(12)} ${bytes(value as number)}`);
    console.log(`parameters: ${(file.parameters / 1e6).toFixed(1)} million`);
}

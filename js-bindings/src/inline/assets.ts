/* assets.ts — modules and programs out of the text of inline.js. */
import { engine, modules, template } from "#assets";
import { PipitError } from "../errors.js";
import type { WasmName, WorkerProgram } from "../platform/types.js";
import { applyPatch } from "./patch.js";

async function unpack(text: string): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const plain = new Blob([bytes])
        .stream()
        .pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(plain).arrayBuffer());
}

const texts = { engine, template };

/** The program of a worker, as a classic script (pages) or a module (Node). */
export async function programText(name: WorkerProgram): Promise<string> {
    return new TextDecoder().decode(await unpack(texts[name]));
}

/** What `modules` holds: a length in bytes of JSON, that JSON, then the parts
 * one after the other. */
type Directory = readonly {
    readonly name: string;
    /** Bytes of the module, and of its part here. */
    readonly bytes: number;
    readonly packed: number;
    /** What the part is a patch to; none: it is the module. */
    readonly base?: string;
}[];

export async function moduleBytes(
    name: WasmName,
): Promise<Uint8Array<ArrayBuffer>> {
    const all = await unpack(modules);
    const start = 4 + new DataView(all.buffer).getUint32(0, true);
    const directory = JSON.parse(
        new TextDecoder().decode(all.subarray(4, start)),
    ) as Directory;
    const find = (wanted: string): Uint8Array<ArrayBuffer> => {
        let at = start;
        for (const { name, bytes, packed, base } of directory) {
            const part = all.subarray(at, at + packed);
            if (name === wanted)
                return base ? applyPatch(find(base), part, bytes) : part;
            at += packed;
        }
        throw new PipitError(
            "unsupported",
            `pipit/inline holds no ${wanted}: give its address as \`wasm\``,
        );
    };
    return find(name);
}

// Four modules as one and three patches to it (src/inline/patch.ts has the
// form): a third of their size.
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Which module each is made from; the first from none. */
const order = [
    ["pipit-relaxed-mt", undefined],
    ["pipit-relaxed", "pipit-relaxed-mt"],
    ["pipit-simd128-mt", "pipit-relaxed-mt"],
    ["pipit-simd128", "pipit-simd128-mt"],
];

/** Bytes that are looked up in the old module, and the least worth a copy. */
const WINDOW = 16;
const LEAST = 6;

/** @param {number[]} to @param {number} n */
function pushNumber(to, n) {
    do {
        to.push((n % 128) + (n >= 128 ? 128 : 0));
        n = Math.floor(n / 128);
    } while (n > 0);
}

/** @param {Buffer} old @param {Buffer} wanted @returns {Uint8Array} */
export function makePatch(old, wanted) {
    const windowAt = (/** @type {Buffer} */ bytes, /** @type {number} */ i) =>
        bytes.toString("latin1", i, i + WINDOW);
    /** @type {Map<string, number>} */
    const places = new Map();
    for (let i = old.length - WINDOW; i >= 0; i--)
        places.set(windowAt(old, i), i);
    const common = (/** @type {number} */ i, /** @type {number} */ j) => {
        let n = 0;
        while (i + n < old.length && j + n < wanted.length) {
            if (old[i + n] !== wanted[j + n]) break;
            n++;
        }
        return n;
    };

    /** @type {number[]} */
    const patch = [];
    let end = 0; // of the last copy, in the old module
    let done = 0; // of the new one
    const write = (
        /** @type {number} */ from,
        /** @type {number} */ copy,
        /** @type {number} */ upTo,
    ) => {
        const skip = from - end;
        pushNumber(patch, skip < 0 ? -skip * 2 - 1 : skip * 2);
        pushNumber(patch, copy);
        pushNumber(patch, upTo - done);
        patch.push(...wanted.subarray(done, upTo));
        end = from + copy;
        done = upTo + copy;
    };
    for (let at = 0; at < wanted.length;) {
        // Where the last copy would go on, or where the same bytes are.
        const straight = end + at - done;
        const found = places.get(windowAt(wanted, at)) ?? straight;
        const from =
            common(found, at) > common(straight, at) ? found : straight;
        const copy = common(from, at);
        if (copy >= LEAST) write(from, copy, at);
        at = copy >= LEAST ? done : at + 1;
    }
    if (done < wanted.length) write(end, 0, wanted.length);
    return Uint8Array.from(patch);
}

/**
 * @param {string} folder of the modules
 * @returns {Buffer} a length, a directory in JSON, and the parts in its order
 */
export function packModules(folder) {
    const read = (/** @type {string} */ name) =>
        readFileSync(join(folder, `${name}.wasm`));
    const parts = order.map(([name = "", base]) => {
        const bytes = read(name);
        const packed = base ? makePatch(read(base), bytes) : bytes;
        const facts = { name, bytes: bytes.length, packed: packed.length };
        return { facts: base ? { ...facts, base } : facts, packed };
    });
    const directory = Buffer.from(
        JSON.stringify(parts.map(({ facts }) => facts)),
    );
    const length = Buffer.alloc(4);
    length.writeUInt32LE(directory.length);
    return Buffer.concat([
        length,
        directory,
        ...parts.map(({ packed }) => packed),
    ]);
}

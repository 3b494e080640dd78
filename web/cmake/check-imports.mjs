// Fails when a module imports anything but env.memory: there is no JavaScript
// of Emscripten's to satisfy it. Reads the bytes itself, because this Node may
// not know all of the module's instructions.
import { readFileSync } from "node:fs";

const IMPORT_SECTION = 2;
const IMPORT_MEMORY = 2;

/** @param {Uint8Array} bytes @returns {string[]} offending imports */
function foreignImports(bytes) {
    let at = 8;
    const varint = () => {
        let value = 0;
        for (let shift = 0; ; shift += 7) {
            const byte = bytes[at++];
            value += (byte & 0x7f) * 2 ** shift;
            if (byte < 0x80) return value;
        }
    };
    const name = () => {
        const n = varint();
        at += n;
        return Buffer.from(bytes.subarray(at - n, at)).toString();
    };
    while (at < bytes.length) {
        const section = bytes[at++];
        const size = varint();
        if (section !== IMPORT_SECTION) {
            at += size;
            continue;
        }
        const found = [];
        for (let n = varint(); n > 0; n--) {
            const field = `${name()}.${name()}`;
            const kind = bytes[at++];
            if (field !== "env.memory" || kind !== IMPORT_MEMORY) {
                found.push(field);
                if (kind !== 0) break; // only functions can be stepped over
                varint();
                continue;
            }
            const limits = bytes[at++];
            varint();
            if (limits & 1) varint();
        }
        return found;
    }
    return [];
}

let failed = false;
for (const file of process.argv.slice(2)) {
    for (const field of foreignImports(readFileSync(file))) {
        console.error(
            `${file}: imports ${field}; only env.memory may be imported`,
        );
        failed = true;
    }
}
process.exit(failed ? 1 : 0);

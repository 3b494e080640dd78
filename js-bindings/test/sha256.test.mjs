// The hash of a page's store, against Node's own: over every length at which
// blocks and padding change, and over random data in random pieces.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

/** @typedef {{ update(bytes: Uint8Array): Hash, hex(): string }} Hash */

let folder = "";
/** @type {new () => Hash} */
let Sha256;
before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pipit-sha256-"));
    const outfile = join(folder, "sha256.mjs");
    await esbuild.build({
        ...{ outfile, bundle: true, format: "esm", target: "es2022" },
        entryPoints: [
            fileURLToPath(new URL("../src/store/sha256.ts", import.meta.url)),
        ],
        loader: { ".wasm": "binary" },
    });
    ({ Sha256 } = await import(outfile));
});
after(() => rm(folder, { recursive: true, force: true }));

/** The same numbers on every run. @param {number} seed */
function randomNumbers(seed) {
    let state = seed;
    return (/** @type {number} */ below) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor((state / 2 ** 32) * below);
    };
}

const random = randomNumbers(1);
const bytes = Uint8Array.from({ length: 300_000 }, () => random(256));

/** @param {Uint8Array} data */
const nodes = (data) => createHash("sha256").update(data).digest("hex");

test("every length up to three blocks", () => {
    for (let length = 0; length <= 200; length++) {
        const data = bytes.subarray(0, length);
        assert.equal(new Sha256().update(data).hex(), nodes(data), `${length}`);
    }
});

test("random data in random pieces, and the sum on the way", () => {
    for (let run = 0; run < 60; run++) {
        const from = random(1000);
        const end = from + random(bytes.length - from);
        const largest = [1, 70, 5000, 100_000][run % 4] ?? 1;
        const limit = largest === 1 ? Math.min(end, from + 3000) : end;
        const hash = new Sha256();
        let at = from;
        while (at < limit) {
            const to = Math.min(limit, at + random(largest + 1));
            hash.update(bytes.subarray(at, to));
            at = to;
            if (random(8) === 0)
                assert.equal(hash.hex(), nodes(bytes.subarray(from, at)));
        }
        assert.equal(hash.hex(), nodes(bytes.subarray(from, limit)));
    }
});

test("hashes share the module and nothing else", () => {
    const [one, two] = [new Sha256(), new Sha256()];
    const odd = bytes.subarray(1, 99_001);
    for (let at = 0; at < odd.length; at += 777) {
        one.update(odd.subarray(at, at + 777));
        two.update(bytes.subarray(at, Math.min(at + 777, 99_000)));
    }
    assert.equal(one.hex(), nodes(odd));
    assert.equal(two.hex(), nodes(bytes.subarray(0, 99_000)));
});

test("a length of more than 32 bits of bits", () => {
    const hash = new Sha256();
    const known = createHash("sha256");
    const piece = bytes.subarray(0, 262_144);
    for (let n = 0; n < 2 ** 29 + piece.length; n += piece.length) {
        hash.update(piece);
        known.update(piece);
    }
    assert.equal(hash.hex(), known.digest("hex"));
});

// Every kernel of every implementation makes the same bits in WebAssembly as
// natively (tests/kernels/test_hashes.c has the same numbers).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { wasmFolder } from "../../web/build.mjs";

const modules = {
    scalar: ["scalar"],
    simd128: ["scalar", "simd128"],
    relaxed: ["relaxed-dot16", "relaxed-dot-add"],
};

for (const [kind, implementations] of Object.entries(modules)) {
    const bytes = readFileSync(`${wasmFolder}/kernels-${kind}.wasm`);
    const skip =
        !WebAssembly.validate(bytes) && `no ${kind} SIMD in this Node.js`;
    test(`kernels-${kind}.wasm has the native bits`, { skip }, () => {
        const memory = new WebAssembly.Memory({ initial: 1024, maximum: 1024 });
        const { exports } = new WebAssembly.Instance(
            new WebAssembly.Module(bytes),
            { env: { memory } },
        );
        const x = /** @type {Record<string, (...a: number[]) => any>} */ (
            exports
        );
        const text = (/** @type {number} */ at) => {
            const heap = new Uint8Array(memory.buffer);
            return new TextDecoder().decode(
                heap.slice(at, heap.indexOf(0, at)),
            );
        };
        const names = [];
        for (let k = 0; x.hash_kernels(k) !== 0; k++) {
            names.push(text(x.hash_kernels(k)));
            let i = 0;
            for (; x.hash_name(i) !== 0; i++)
                assert.equal(
                    BigInt.asUintN(64, x.hash_made(k, i)).toString(16),
                    BigInt.asUintN(64, x.hash_expected(i)).toString(16),
                    `${names[k]}: ${text(x.hash_name(i))}`,
                );
            assert.ok(i > 20, "the list of kernels is there");
        }
        assert.deepEqual(names, implementations);
    });
}

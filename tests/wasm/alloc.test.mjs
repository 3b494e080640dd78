// The module's allocator (web/alloc.c), called from outside: what it gives out
// never overlaps, comes back whole, and ends at the maximum without a trap.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { wasmFolder } from "../../web/build.mjs";

const PAGE = 65536;

function open(/** @type {number} */ maximum) {
    const bytes = readFileSync(`${wasmFolder}/pipit-simd128.wasm`);
    const memory = new WebAssembly.Memory({ initial: 32, maximum });
    const module = new WebAssembly.Module(bytes);
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    const x = /** @type {Record<string, (...a: number[]) => number>} */ (
        /** @type {unknown} */ (exports)
    );
    return {
        x,
        memory,
        alloc: (/** @type {number} */ n) => x.pipit_alloc(n) >>> 0,
    };
}

/** The same numbers in each run. */
function randomFrom(/** @type {number} */ state) {
    return () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
    };
}

test("blocks are aligned, apart, and joined again", () => {
    const { x, memory, alloc } = open(16384);
    const random = randomFrom(1);
    /** @type {{ at: number, bytes: number, mark: number }[]} */
    const blocks = [];
    const check = (
        /** @type {typeof blocks[number]} */ { at, bytes, mark },
    ) => {
        const view = new Uint8Array(memory.buffer, at, bytes);
        assert.ok(view.every((byte) => byte === mark));
    };
    for (let round = 0; round < 3000; round++) {
        if (blocks.length > 40 || (blocks.length > 0 && random() < 0.4)) {
            const i = Math.floor(random() * blocks.length);
            const [block] = blocks.splice(i, 1);
            check(block);
            x.pipit_release(block.at, block.bytes);
        } else {
            const bytes = Math.floor(random() ** 4 * 300_000);
            const at = alloc(bytes);
            assert.ok(at > 0 && at % 64 === 0);
            const mark = round & 255;
            new Uint8Array(memory.buffer, at, bytes).fill(mark);
            blocks.push({ at, bytes, mark });
        }
    }
    blocks.forEach(check);
    for (const { at, bytes } of blocks) x.pipit_release(at, bytes);
    assert.equal(x.pipit_heap_used(), 0);
    // Everything is one block again: nearly all of the memory fits at once.
    const size = memory.buffer.byteLength;
    const most = size - 10 * PAGE;
    const whole = alloc(most);
    assert.ok(whole > 0);
    assert.equal(memory.buffer.byteLength, size);
    x.pipit_release(whole, most);
});

test("growing takes what is missing, and no more than there is", () => {
    const { x, memory, alloc } = open(256);
    const size = memory.buffer.byteLength;
    assert.ok(alloc(8 * 2 ** 20) > 0);
    assert.ok(memory.buffer.byteLength < size + 9 * 2 ** 20);
    assert.equal(alloc(16 * 2 ** 20), 0);
    assert.equal(alloc(2 ** 32 - 1), 0);
    assert.equal(alloc(2 ** 32 - 65), 0);
    let taken = 0;
    while (alloc(PAGE) > 0) taken++;
    assert.ok(taken > 90 && taken < 140, `${taken} pages`);
    assert.ok(x.pipit_heap_used() >= 8 * 2 ** 20 + taken * PAGE);
});

test("addresses beyond 2 GiB", () => {
    const { memory, alloc } = open(65536);
    const first = alloc(2 ** 31);
    const second = alloc(2 ** 30);
    assert.ok(second >= 2 ** 31 && second % 64 === 0);
    assert.ok(second >= first + 2 ** 31);
    new Uint8Array(memory.buffer)[second + 2 ** 30 - 1] = 7;
    assert.equal(alloc(2 ** 30), 0);
    assert.ok(alloc(2 ** 29) > 0);
});

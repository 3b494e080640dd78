// What the tests of the package share: tiny models, a server, small helpers.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadModel, PipitError } from "pipit";
import { tinyModel } from "../../tests/tools/tiny-model.mjs";

export { tinyModel };

/** The optional folder of reference data beside the checkout. */
export const peerdata = fileURLToPath(
    new URL("../../../shared/peerdata", import.meta.url),
);
export const withoutPeerdata = existsSync(peerdata)
    ? false
    : "no ../shared/peerdata beside the checkout";

const { PIPIT_CACHE, XDG_CACHE_HOME } = process.env;
const cache =
    PIPIT_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), ".cache"), "pipit");
export const realModel = join(cache, "models/SmolLM2-135M-Instruct.Q4_1.gguf");
export const withoutRealModel = existsSync(realModel)
    ? false
    : "the default model was not pulled";

/** @param {string} name of a program beside this file */
export const program = (name) => new URL(`programs/${name}`, import.meta.url);

/**
 * A tiny model, closed when the test ends.
 * @param {import("node:test").TestContext} t
 * @param {import("../../tests/tools/tiny-model.mjs").TinyOptions} [tiny]
 * @param {import("pipit").LoadOptions} [options]
 */
export async function openTiny(t, tiny = {}, options = { threads: 1 }) {
    const model = await loadModel(tinyModel(tiny), options);
    t.after(() => model.close());
    return model;
}

/**
 * Expects a PipitError of this code.
 * @param {Promise<unknown> | (() => unknown)} work
 * @param {import("pipit").PipitErrorCode} code
 * @param {RegExp} [message]
 * @returns {Promise<PipitError>}
 */
export async function rejects(work, code, message) {
    /** @type {PipitError | undefined} */
    let caught;
    const running = typeof work === "function" ? (async () => work())() : work;
    await assert.rejects(running, (/** @type {PipitError} */ error) => {
        caught = error;
        assert.ok(error instanceof PipitError, String(error));
        assert.equal(error.name, "PipitError");
        assert.equal(error.code, code, error.message);
        if (message) assert.match(error.message, message);
        return true;
    });
    return /** @type {PipitError} */ (caught);
}

/** @template T @param {AsyncIterable<T>} items @returns {Promise<T[]>} */
export async function collect(items) {
    const all = [];
    for await (const item of items) all.push(item);
    return all;
}

/** A server on a free port, stopped when the test ends.
 * @param {import("node:test").TestContext} t
 * @param {import("node:http").RequestListener} listener */
export async function serve(t, listener) {
    const server = createServer(listener);
    await new Promise((resolve) =>
        server.listen(0, "127.0.0.1", () => resolve(undefined)),
    );
    t.after(() => {
        server.closeAllConnections();
        server.close();
    });
    const { port } = /** @type {import("node:net").AddressInfo} */ (
        server.address()
    );
    return `http://127.0.0.1:${port}`;
}

/** The tokens 1 to n, repeated within the bytes of the tiny vocabulary. */
export const someTokens = (/** @type {number} */ n) =>
    Uint32Array.from({ length: n }, (_, i) => 33 + ((i * 7) % 90));

export const later = (/** @type {number} */ ms) =>
    new Promise((resolve) => setTimeout(resolve, ms));

// Chromium, Firefox and WebKit behind one interface: a browser opens tabs, a tab
// goes to an address and runs a function there. Everything else is done in the
// page, so that one set of checks fits all three.
//
// WebKit is Debian's, driven by the WebDriver protocol in its own words.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/**
 * @typedef {object} Tab
 * @property {(url: string) => Promise<void>} goto until it is loaded
 * @property {(work: (argument: any) => any, argument?: unknown) =>
 *     Promise<any>} evaluate in the page; argument and result are plain data
 * @property {() => Promise<void>} close
 */

/**
 * @typedef {object} Driven
 * @property {string} name
 * @property {() => Promise<Tab>} open
 * @property {() => Promise<void>} close
 */

/** Of a page or of a function in it. */
const LIMIT_MS = 120_000;

/** @param {(string | undefined)[]} names @returns {string | undefined} */
const firstProgram = (names) =>
    names.find(
        (name) =>
            name &&
            (name.includes("/")
                ? existsSync(name)
                : spawnSync("sh", ["-c", `command -v ${name}`]).status === 0),
    );

/** @param {string} name */
function absolute(name) {
    if (name.includes("/")) return name;
    const { stdout } = spawnSync("sh", ["-c", `command -v ${name}`]);
    return String(stdout).trim();
}

/** Debian's WebKit for programs, with what drives it. */
function webkitProgram() {
    if (!firstProgram(["WebKitWebDriver"]) || !firstProgram(["xvfb-run"]))
        return undefined;
    const python = "/usr/bin/python3"; // the one that Debian's packages are for
    const bound = "import gi; gi.require_version('WebKit2', '4.1')";
    const { status } = spawnSync(python, ["-c", bound]);
    return status === 0 ? browserProgram : undefined;
}

const browserProgram = fileURLToPath(new URL("webkit.py", import.meta.url));

/** The program of each browser; undefined where it is not installed. */
export const findPrograms = () => ({
    chromium: firstProgram([
        process.env.CHROMIUM,
        ...["chromium", "chromium-browser", "google-chrome"],
    ]),
    firefox: firstProgram([process.env.FIREFOX, "firefox-esr", "firefox"]),
    webkit: webkitProgram(),
    safari: webkitProgram(),
});

export const programs = findPrograms();

/** What Debian calls them. */
export const debianPackages = {
    chromium: ["chromium"],
    firefox: ["firefox-esr"],
    webkit: [
        ...["webkit2gtk-driver", "xvfb", "xauth"],
        ...["python3-gi", "gir1.2-webkit2-4.1"],
    ],
};

/** @typedef {keyof typeof programs} BrowserName */

/** @param {BrowserName} name @returns {Promise<Driven>} */
export function startBrowser(name) {
    const program = programs[name];
    if (!program) throw new Error(`there is no ${name}`);
    const start = { chromium, firefox, webkit, safari }[name];
    return start(absolute(program));
}

export const chromiumFlags = [
    ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    ...["--disable-background-networking", "--disable-component-update"],
    "--disable-sync",
];

/** @param {string} executablePath @returns {Promise<Driven>} */
async function chromium(executablePath) {
    const { chromium } = await import("playwright-core");
    const browser = await chromium.launch({
        executablePath,
        args: chromiumFlags,
    });
    const context = await browser.newContext();
    context.setDefaultTimeout(LIMIT_MS);
    return {
        name: "chromium",
        async open() {
            const page = await context.newPage();
            return {
                goto: async (url) => void (await page.goto(url)),
                evaluate: (work, argument) => page.evaluate(work, argument),
                close: () => page.close(),
            };
        },
        close: () => browser.close(),
    };
}

/** @param {string} executablePath @returns {Promise<Driven>} */
async function firefox(executablePath) {
    const { launch } = (await import("puppeteer-core")).default;
    const browser = await launch({
        browser: "firefox",
        executablePath,
        headless: true,
        protocolTimeout: LIMIT_MS,
        extraPrefsFirefox: {
            // It would ask a human.
            "dom.storageManager.prompt.testing": true,
            "dom.storageManager.prompt.testing.allow": true,
        },
    });
    return {
        name: "firefox",
        async open() {
            const page = await browser.newPage();
            page.setDefaultTimeout(LIMIT_MS);
            return {
                goto: async (url) => void (await page.goto(url)),
                evaluate: (work, argument) => page.evaluate(work, argument),
                close: () => page.close(),
            };
        },
        close: () => browser.close(),
    };
}

/** @returns {Promise<number>} */
function freePort() {
    return new Promise((resolve, reject) => {
        const server = createServer();
        server.once("error", reject);
        server.listen(0, "127.0.0.1", () => {
            const { port } = /** @type {import("node:net").AddressInfo} */ (
                server.address()
            );
            server.close(() => resolve(port));
        });
    });
}

/** As Debian has it: no OPFS, no threads. @param {string} program */
const webkit = (program) => startWebkit("webkit", program);

/** With what Safari has beside: threads, and an estimate of the storage. Its
 * OPFS can't be had here: no access handle works. @param {string} program */
const safari = (program) =>
    startWebkit("safari", program, {
        features: ["StorageAPI", "StorageAPIEstimate"],
        env: { JSC_useSharedArrayBuffer: "1" },
    });

/**
 * @param {string} name
 * @param {string} binary
 * @param {{ features?: string[], env?: Record<string, string> }} [more]
 * @returns {Promise<Driven>}
 */
async function startWebkit(name, binary, { features = [], env = {} } = {}) {
    const profile = await mkdtemp(join(tmpdir(), "pipit-webkit-"));
    const port = await freePort();
    // A process group: the driver, the screen and the browser end together.
    const driver = spawn(
        "xvfb-run",
        ["-a", "WebKitWebDriver", `--port=${port}`],
        {
            stdio: "ignore",
            detached: true,
            env: {
                ...process.env,
                ...env,
                // Its sandbox can't be had by root, or in a container.
                WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1",
            },
        },
    );
    const end = () => {
        try {
            process.kill(-Number(driver.pid), "SIGTERM");
        } catch {
            // it has ended
        }
    };
    process.once("exit", end);

    /** @param {string} method @param {string} path @param {unknown} [body] */
    const command = async (method, path, body) => {
        const response = await fetch(`http://127.0.0.1:${port}${path}`, {
            method,
            ...(method === "POST" && { body: JSON.stringify(body ?? {}) }),
        });
        const { value } = /** @type {any} */ (await response.json());
        if (!response.ok)
            throw new Error(`WebKit: ${value?.error}: ${value?.message}`);
        return value;
    };
    await untilReady(() => command("GET", "/status"));
    const { sessionId } = await command("POST", "/session", {
        capabilities: {
            alwaysMatch: {
                timeouts: { script: LIMIT_MS, pageLoad: LIMIT_MS },
                "webkitgtk:browserOptions": {
                    binary,
                    args: [profile, ...features],
                },
            },
        },
    });
    const session = `/session/${sessionId}`;
    const first = await command("GET", `${session}/window`);
    return {
        name,
        async open() {
            const { handle } = await command("POST", `${session}/window/new`, {
                type: "tab",
            });
            const here = () => command("POST", `${session}/window`, { handle });
            return {
                async goto(url) {
                    await here();
                    await command("POST", `${session}/url`, { url });
                },
                async evaluate(work, argument) {
                    await here();
                    return evaluated(
                        await command("POST", `${session}/execute/async`, {
                            script: asyncScript(work),
                            args: [argument ?? null],
                        }),
                    );
                },
                async close() {
                    await here();
                    await command("DELETE", `${session}/window`);
                    await command("POST", `${session}/window`, {
                        handle: first,
                    });
                },
            };
        },
        async close() {
            await command("DELETE", session).catch(() => undefined);
            end();
            process.removeListener("exit", end);
            await rm(profile, { recursive: true, force: true, maxRetries: 20 });
        },
    };
}

/** @param {() => Promise<unknown>} ask */
async function untilReady(ask) {
    for (let tries = 0; ; tries++) {
        try {
            await ask();
            return;
        } catch (error) {
            if (tries >= 600) throw error;
            await pause(100);
        }
    }
}

/** A failure is a result too, for WebDriver knows none of a promise's. */
const asyncScript = (/** @type {Function} */ work) => `
    const done = arguments[arguments.length - 1];
    Promise.resolve(arguments[0]).then(${work}).then(
        (value) => done({ value: value === undefined ? null : value }),
        (error) => done({ error: String(error) + "\\n" + (error && error.stack) }));`;

/** @param {{ value: unknown } | { error: string }} result */
function evaluated(result) {
    if ("error" in result) throw new Error(result.error);
    return result.value;
}

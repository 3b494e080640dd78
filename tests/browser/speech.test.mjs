// Reading aloud and dictation: offered only where the browser does them on this
// device. The voices are real ones, of espeak-ng behind speech-dispatcher; a
// browser with a window has them, so it gets a screen that nobody sees.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
    answered,
    ask,
    endless,
    launch,
    loadFile,
    openPage,
    serve,
    useBrowser,
    withoutBrowser,
    writeTiny,
} from "./support.mjs";

/** @typedef {import("node:test").TestContext} TestContext */

const has = (/** @type {string} */ name) =>
    spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;

/** Why reading aloud is not tried. */
const withoutVoices =
    withoutBrowser ||
    (["Xvfb", "speech-dispatcher", "espeak-ng"].every(has)
        ? false
        : "no voices: needs xvfb, speech-dispatcher-espeak-ng, espeak-ng");

/** A screen. @param {TestContext} t @returns {Promise<string>} its name */
async function startScreen(t) {
    const screen = spawn(
        "Xvfb",
        [
            ...["-displayfd", "3", "-nolisten", "tcp"],
            ...["-screen", "0", "1280x800x24"],
        ],
        { stdio: ["ignore", "ignore", "ignore", "pipe"] },
    );
    t.after(() => screen.kill());
    const [number] = await new Promise((done, fail) => {
        screen.once("error", fail);
        screen.once("exit", () => fail(new Error("Xvfb ended")));
        screen.stdio[3]?.once("data", (data) => done([String(data).trim()]));
    });
    return `:${number}`;
}

/** A home whose voices speak to nobody, and write down what they say.
 * @param {TestContext} t */
async function makeHome(t) {
    const home = await mkdtemp(join(tmpdir(), "pipit-voices-"));
    const folder = join(home, ".config/speech-dispatcher");
    await mkdir(folder, { recursive: true });
    await cp("/etc/speech-dispatcher/modules", join(folder, "modules"), {
        recursive: true,
    });
    await writeFile(join(home, ".libao"), "default_driver=null\n");
    const log = join(home, "log");
    await mkdir(log);
    await writeFile(
        join(folder, "speechd.conf"),
        [
            'AudioOutputMethod "libao"',
            'AddModule "espeak-ng" "sd_espeak-ng" "espeak-ng.conf"',
            "DefaultModule espeak-ng",
            "LogLevel 5",
            `LogDir "${log}"`,
            "Timeout 1",
        ].join("\n"),
    );
    // It ends by itself a second after the browser.
    t.after(() => rm(home, { recursive: true, force: true, maxRetries: 20 }));
    return {
        home,
        said: () => readFile(join(log, "speech-dispatcher.log"), "utf8"),
    };
}

describe("speech", { skip: withoutBrowser }, () => {
    useBrowser();

    test("no voice, no understanding on this device: no buttons", async (t) => {
        const tiny = await writeTiny("tiny.gguf");
        const { page, errors } = await openPage(t, {}, {}, { maxTokens: 8 });
        await loadFile(page, tiny);
        await ask(page, "Hello");
        await page.waitForSelector(".turn-actions");
        const state = await page.evaluate(async () => {
            const module = new URL("speech.js", document.baseURI).href;
            return {
                voices: speechSynthesis.getVoices().length,
                dictates: await (await import(module)).canDictate(),
            };
        });
        assert.deepEqual(state, { voices: 0, dictates: false });
        assert.ok(await page.isVisible("text=Copy"));
        assert.ok(!(await page.isVisible(".read-aloud")));
        assert.ok(!(await page.isVisible("#dictate")));
        assert.deepEqual(errors, []);
    });

    test(
        "an answer is read aloud, to its end or until it is stopped",
        { skip: withoutVoices },
        async (t) => {
            const { home, said } = await makeHome(t);
            const display = await startScreen(t);
            const tiny = await writeTiny("slow.gguf", endless);
            const browser = await launch(["--enable-speech-dispatcher"], {
                headless: false,
                env: { ...process.env, HOME: home, DISPLAY: display },
            });
            t.after(() => browser.close());
            const page = await browser.newPage();
            page.setDefaultTimeout(60_000);
            await page.addInitScript(() => {
                localStorage.setItem(
                    "pipit-settings",
                    '{"maxTokens":24,"temperature":0}',
                );
            });
            await page.goto(await serve(t));
            await loadFile(page, tiny);
            await ask(page, "Hello");
            await page.waitForSelector(".turn-actions");
            await answered(page);
            const button = page.locator(".read-aloud");
            await button.waitFor({ state: "visible" });
            await button.click();
            await page.waitForSelector('.read-aloud[aria-pressed="true"]');
            assert.equal(await button.innerText(), "Stop reading");
            await page.waitForSelector('.read-aloud[aria-pressed="false"]');
            assert.equal(await button.innerText(), "Read aloud");
            const words = await page.innerText(".answer-text");
            const [word = ""] = /[a-z]+\d+/.exec(words) ?? [];
            assert.ok(word && (await said()).includes(word), words);

            // What is long is stopped: by its button, and by Escape.
            await page.click("#open-settings");
            await page.fill("#setting-maxTokens", "600");
            await page.getByRole("button", { name: "Done" }).click();
            await ask(page, "Talk");
            await page.waitForSelector(".turn-actions >> nth=1");
            const long = page.locator(".read-aloud").last();
            for (const stop of [
                () => long.click(),
                () => page.keyboard.press("Escape"),
            ]) {
                await long.click();
                await page.waitForFunction(() => speechSynthesis.speaking);
                assert.equal(await long.getAttribute("aria-pressed"), "true");
                await stop();
                assert.equal(await long.getAttribute("aria-pressed"), "false");
                await page.waitForFunction(() => !speechSynthesis.speaking);
            }
        },
    );

    // No model of speech comes without a server of the browser's maker, so what
    // the browser would say is put in its place.
    test("what is dictated is written; what goes wrong is said", async (t) => {
        const { page, errors } = await openPage(t);
        await page.context().addInitScript(() => {
            class Recognition {
                static async available(/** @type {any} */ { processLocally }) {
                    return processLocally ? "available" : "unavailable";
                }
                get processLocally() {
                    return true;
                }
                set processLocally(local) {
                    if (!local) throw new Error("it would ask a server");
                }
                start() {
                    Object.assign(globalThis, { recognition: this });
                }
                stop() {
                    /** @type {any} */ (this).onend();
                }
            }
            Object.assign(globalThis, { SpeechRecognition: Recognition });
        });
        await page.reload();
        await page.evaluate(() => (location.hash = "#/chat"));
        await page.waitForSelector("#dictate:visible");
        await page.fill("#message", "Dear bird,");
        const hear = (
            /** @type {string} */ transcript,
            /** @type {boolean} */ isFinal,
        ) =>
            page.evaluate(([transcript, isFinal]) => {
                const result = Object.assign([{ transcript }], { isFinal });
                /** @type {any} */ (globalThis).recognition.onresult({
                    results: [result],
                    resultIndex: 0,
                });
            }, /** @type {const} */ ([transcript, isFinal]));
        await page.click("#dictate");
        assert.equal(
            await page.getAttribute("#dictate", "aria-pressed"),
            "true",
        );
        await hear("thank", false);
        assert.equal(await page.inputValue("#message"), "Dear bird, thank");
        await hear("thank you", true);
        await hear(" for singing", true);
        assert.equal(
            await page.inputValue("#message"),
            "Dear bird, thank you for singing",
        );
        await page.click("#dictate");
        assert.equal(
            await page.getAttribute("#dictate", "aria-pressed"),
            "false",
        );
        await page.click("#dictate");
        await page.evaluate(() => {
            const { recognition } = /** @type {any} */ (globalThis);
            recognition.onerror({ error: "not-allowed" });
            recognition.onend();
        });
        await page.waitForSelector("#warning >> text=microphone");
        assert.deepEqual(errors, []);
    });
});

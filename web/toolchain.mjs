// The Emscripten tool chain: emcc 3.1.69 or newer from PATH; else, on Debian as
// root, Debian 13's in a folder of the cache, made by debootstrap. Its programs
// run through that folder's own loader and libraries: nothing is mounted and
// nothing of the system is changed, so this works in a container too.
//
// node web/toolchain.mjs   finds or makes it and prints the folder for PATH
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const OLDEST = [3, 1, 69];
const SUITE = "trixie";
const LLVM = "19";

const HELP = `Emscripten (emcc) ${OLDEST.join(".")} or newer is needed to build the \
WebAssembly modules, and none was found on PATH.
  git clone https://github.com/emscripten-core/emsdk
  cd emsdk && ./emsdk install latest && ./emsdk activate latest
  . ./emsdk_env.sh
then run the same command again. (On Debian as root this is done for you, with
debootstrap.)`;

export class ToolchainError extends Error {}

export function cacheFolder() {
    if (process.env.PIPIT_CACHE) return path.resolve(process.env.PIPIT_CACHE);
    if (process.env.XDG_CACHE_HOME)
        return path.join(process.env.XDG_CACHE_HOME, "pipit");
    return path.join(os.homedir(), ".cache", "pipit");
}

/** @param {string} emcc @returns {string | undefined} its version, if usable */
function usableVersion(emcc) {
    const run = spawnSync(emcc, ["--version"], { encoding: "utf8" });
    const found = /^emcc.* (\d+)\.(\d+)\.(\d+)/m.exec(run.stdout ?? "");
    if (!found) return undefined;
    const version = found.slice(1, 4).map(Number);
    for (let i = 0; i < 3; i++) {
        if (version[i] !== OLDEST[i])
            return version[i] > OLDEST[i] ? version.join(".") : undefined;
    }
    return version.join(".");
}

/**
 * @typedef {{ folder: string, version: string }} Toolchain
 * folder: what PATH must begin with
 */

/** @returns {Toolchain | undefined} */
export function findToolchain() {
    for (const folder of (process.env.PATH ?? "").split(path.delimiter)) {
        const emcc = path.join(folder, "emcc");
        if (!folder || !fs.existsSync(emcc)) continue;
        const version = usableVersion(emcc);
        return version ? { folder, version } : findCached();
    }
    return findCached();
}

/** @returns {Toolchain | undefined} */
function findCached() {
    const root = path.join(cacheFolder(), `toolchain-${SUITE}`);
    if (!fs.existsSync(root)) return undefined;
    installWrappers(root);
    const folder = emscriptenIn(root);
    const version = usableVersion(path.join(folder, "emcc"));
    return version ? { folder, version } : undefined;
}

/** @param {string} root */
const emscriptenIn = (root) => path.join(root, "usr/share/emscripten");

/**
 * @param {(line: string) => void} [log]
 * @returns {Promise<Toolchain>}
 */
export async function ensureToolchain(log = () => {}) {
    const found = findToolchain();
    if (found) return found;
    if (!fs.existsSync("/etc/debian_version") || process.getuid?.() !== 0)
        throw new ToolchainError(HELP);
    log("tool chain: no emcc on PATH; fetching Debian 13's (3 GB, 2 minutes)");
    await installDebootstrap(log);
    await bootstrap(log);
    const made = findCached();
    if (!made)
        throw new ToolchainError(
            `The tool chain in ${cacheFolder()} does not run. Delete its folder ` +
                `toolchain-${SUITE} and try again, or install one:\n${HELP}`,
        );
    return made;
}

/** @param {(line: string) => void} log */
async function installDebootstrap(log) {
    const found = spawnSync("debootstrap", ["--version"]);
    if (found.status === 0) return;
    log("tool chain: installing debootstrap");
    await installPackages(["debootstrap"]);
}

/**
 * Debian packages, by apt; as root only.
 * @param {string[]} names
 */
export async function installPackages(names) {
    const install = ["install", "-y", "--no-install-recommends", ...names];
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const apt = (words) => run("apt-get", words, () => {}, { env });
    try {
        await apt(install);
    } catch {
        await apt(["update"]); // the lists may be missing or old
        await apt(install);
    }
}

/**
 * Makes the folder under another name, which it loses only when complete: a
 * run that was killed leaves nothing that looks finished.
 * @param {(line: string) => void} log
 */
async function bootstrap(log) {
    const cache = cacheFolder();
    fs.mkdirSync(cache, { recursive: true });
    removeLeftovers(cache);
    const root = path.join(cache, `toolchain-${SUITE}`);
    const partial = `${root}.partial-${process.pid}`;
    const clean = () => removeRoot(partial);
    const interrupted = () => (clean(), process.exit(130));
    process.once("SIGINT", interrupted);
    try {
        const words = [
            "--variant=minbase",
            `--include=emscripten`,
            SUITE,
            partial,
        ];
        if (process.env.PIPIT_DEBIAN_MIRROR)
            words.push(process.env.PIPIT_DEBIAN_MIRROR);
        await run("debootstrap", words, stageLogger(log));
        fs.rmSync(path.join(partial, "var/cache/apt/archives"), {
            recursive: true,
            force: true,
        });
        installWrappers(partial);
        // Somebody else's run may have finished first.
        if (fs.existsSync(root)) clean();
        else fs.renameSync(partial, root);
    } catch (error) {
        clean();
        throw error;
    } finally {
        process.off("SIGINT", interrupted);
    }
}

/** Folders of runs that were killed. @param {string} cache */
function removeLeftovers(cache) {
    for (const name of fs.readdirSync(cache)) {
        const pid = /^toolchain-.*\.partial-(\d+)$/.exec(name)?.[1];
        if (!pid) continue;
        try {
            process.kill(Number(pid), 0);
        } catch {
            removeRoot(path.join(cache, name));
        }
    }
}

/**
 * debootstrap mounts /proc and /sys inside where it may; killed, it leaves them
 * there, and nothing must be deleted through a mount.
 * @param {string} root
 */
function removeRoot(root) {
    const mounted = () =>
        fs
            .readFileSync("/proc/mounts", "utf8")
            .split("\n")
            .map((line) => line.split(" ")[1] ?? "")
            .filter((place) => place.startsWith(`${root}/`));
    for (const place of mounted().reverse()) spawnSync("umount", ["-l", place]);
    if (mounted().length === 0)
        fs.rmSync(root, { recursive: true, force: true, maxRetries: 3 });
}

/**
 * debootstrap says a line per package; a line per stage and hundred is enough.
 * @param {(line: string) => void} log
 */
function stageLogger(log) {
    let stage = "";
    let count = 0;
    return (/** @type {string} */ line) => {
        const word = /^I: (Retrieving|Extracting|Unpacking|Configuring)/.exec(
            line,
        );
        if (!word) return;
        if (word[1] !== stage) count = 0;
        stage = word[1];
        if (count++ % 100 === 0)
            log(`tool chain: ${stage.toLowerCase()} packages (${count})`);
    };
}

/**
 * @param {string} program
 * @param {string[]} words
 * @param {(line: string) => void} onLine
 * @param {import("node:child_process").SpawnOptions} [options]
 * @returns {Promise<void>}
 */
function run(program, words, onLine, options = {}) {
    return new Promise((resolve, reject) => {
        const child = spawn(program, words, {
            ...options,
            stdio: ["ignore", "pipe", "pipe"],
        });
        /** @type {string[]} */
        const last = [];
        for (const stream of [child.stdout, child.stderr]) {
            createInterface({ input: stream }).on("line", (line) => {
                last.push(line);
                if (last.length > 15) last.shift();
                onLine(line);
            });
        }
        child.on("error", reject);
        child.on("close", (code) => {
            if (code === 0) resolve();
            else
                reject(
                    new ToolchainError(
                        `${program} failed (${code}):\n  ${last.join("\n  ")}`,
                    ),
                );
        });
    });
}

const WRAPPER = `#!/bin/sh
# Runs a program of this Debian folder from outside, through the folder's own
# loader and libraries. One source file per compiler command: clang would run
# itself for each further one, and finds the loader in its place.
self=$(readlink -f "$0") || exit 127
top=\${self%/pipit/tools/bin/run}
name=\${0##*/}
llvm=$top/usr/lib/llvm-${LLVM}
tools=$top/pipit/tools/bin
export PIPIT_TOOLCHAIN="$top" EM_CONFIG="$top/pipit/emscripten.py"
case $name in
# clang looks for its headers beside /proc/self/exe, which is the loader
clang*) set -- "$llvm/bin/$name" -resource-dir "$llvm/lib/clang/${LLVM}" "$@" ;;
wasm-ld | llvm-*) set -- "$llvm/bin/$name" "$@" ;;
em*) set -- "$top/usr/bin/python3" -E \\
    "$top/usr/share/emscripten/$name.py" "$@" && name=python3 ;;
*) set -- "$top/usr/bin/$name" "$@" ;;
esac
for loader in "$top"/usr/lib/*-linux-gnu*/ld-linux*.so.*; do
    exec "$loader" --library-path "\${loader%/*}:$llvm/lib" \\
        --argv0 "$tools/$name" "$@"
done
`;

const CONFIG = `import os, shutil
TOP = os.environ['PIPIT_TOOLCHAIN']
LLVM_ROOT = TOP + '/pipit/tools/bin'
BINARYEN_ROOT = TOP + '/pipit/tools'
NODE_JS = shutil.which('node') or 'node'
CACHE = TOP + '/usr/share/emscripten/cache'
FROZEN_CACHE = True
`;

/**
 * Puts the wrapper in the place of Emscripten's own launchers, and beside it
 * under the name of each program. Does nothing where it is up to date.
 * @param {string} root
 */
function installWrappers(root) {
    const bin = path.join(root, "pipit/tools/bin");
    const wrapper = path.join(bin, "run");
    const config = path.join(root, "pipit/emscripten.py");
    const is = (file, text) =>
        fs.existsSync(file) && fs.readFileSync(file, "utf8") === text;
    if (is(wrapper, WRAPPER) && is(config, CONFIG)) return;

    fs.mkdirSync(bin, { recursive: true });
    const programs = ["python3"];
    for (const name of fs.readdirSync(
        path.join(root, `usr/lib/llvm-${LLVM}/bin`),
    ))
        if (/^(clang|clang\+\+|wasm-ld|llvm-.*)$/.test(name))
            programs.push(name);
    for (const name of fs.readdirSync(path.join(root, "usr/bin")))
        if (/^wasm-[a-z-]+$|^wasm2js$/.test(name)) programs.push(name);
    for (const name of programs) relink("run", path.join(bin, name));
    // Python finds its library beside its launcher.
    relink("../../usr/lib", path.join(root, "pipit/tools/lib"));
    const folder = emscriptenIn(root);
    for (const name of fs.readdirSync(folder))
        if (/^em.*\.py$/.test(name))
            relink(
                "../../../pipit/tools/bin/run",
                path.join(folder, name.slice(0, -3)),
            );
    fs.writeFileSync(config, CONFIG);
    fs.writeFileSync(wrapper, WRAPPER, { mode: 0o755 });
}

/** @param {string} target @param {string} link */
function relink(target, link) {
    fs.rmSync(link, { force: true });
    fs.symlinkSync(target, link);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    try {
        const found = await ensureToolchain((line) => console.error(line));
        console.log(found.folder);
    } catch (error) {
        console.error(error instanceof Error ? error.message : error);
        process.exitCode = 1;
    }
}

// A newer Node than the one that runs the tests, from the npm registry, kept
// beside the models.
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { cacheFolder } from "../../web/toolchain.mjs";
import { npm } from "./packed.mjs";

const VERSION = "24.21.0";

/** The program, or why there is none. @returns {Promise<{ program: string } | { missing: string }>} */
export async function node24() {
    const { version, platform, arch, execPath } = process;
    if (version.startsWith("v24.")) return { program: execPath };
    const folder = join(cacheFolder(), `node-${VERSION}`);
    const name = `node-${platform === "win32" ? "win" : platform}-${arch}`;
    const file = `bin/node${platform === "win32" ? ".exe" : ""}`;
    const program = join(folder, "node_modules", name, file);
    if (existsSync(program)) return { program };
    const fresh = `${folder}.${process.pid}`;
    try {
        await mkdir(fresh, { recursive: true });
        await writeFile(join(fresh, "package.json"), '{ "private": true }');
        const words = ["--no-audit", "--no-fund", "--ignore-scripts"];
        await npm(["install", ...words, `${name}@${VERSION}`], fresh);
        await mkdir(dirname(folder), { recursive: true });
        await rename(fresh, folder);
        return { program };
    } catch (error) {
        await rm(fresh, { recursive: true, force: true });
        if (existsSync(program)) return { program };
        const why = error instanceof Error ? error.message : String(error);
        return { missing: `no Node 24 for this place: ${why.split("\n")[0]}` };
    }
}

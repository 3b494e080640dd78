/* What the build puts into inline.js, as gzip in base64. */
declare module "#assets" {
    /** The modules, see inline/patch.ts. */
    export const modules: string;
    /** The programs of the workers. */
    export const engine: string;
    export const template: string;
}

/* What the build puts into store.js. */
declare module "*/pipit-sha256.wasm" {
    const bytes: Uint8Array<ArrayBuffer>;
    export default bytes;
}

/* What the build puts into inline.js, as gzip in base64. */
declare module "#assets" {
    /** The modules, see inline/patch.ts. */
    export const modules: string;
    /** The programs of the workers. */
    export const engine: string;
    export const template: string;
}

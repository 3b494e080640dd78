/* cache-names.ts — how data is named in the Cache API. */

/** A crash loses less than this; a model of 4 GB has a thousand blocks. */
export const BLOCK = 4 << 20;

/** Nobody is asked there: it is a key. */
export const ORIGIN = "https://pipit.invalid/";

export const addressOf = (name: string, block?: number) =>
    ORIGIN + (block === undefined ? name : `${name}/${block}`);

/* patch.ts — one module as what another lacks: the four variants differ in
 * little.
 *
 * A patch is a row of steps, each three numbers and bytes:
 *   skip    signed: from the end of the last copy to the beginning of this one
 *   copy    bytes of the old module
 *   insert  bytes that follow in the patch, put before the copy
 * Numbers are LEB128, signed ones with the sign in the lowest bit. */

export function applyPatch(
    old: Uint8Array,
    patch: Uint8Array,
    bytes: number,
): Uint8Array<ArrayBuffer> {
    const made = new Uint8Array(bytes);
    let [at, from, to] = [0, 0, 0];
    const number = (): number => {
        for (let n = 0, place = 1; ; place *= 128) {
            const byte = patch[at++] ?? 0;
            n += (byte % 128) * place;
            if (byte < 128) return n;
        }
    };
    while (at < patch.length) {
        const skip = number();
        const copy = number();
        const insert = number();
        made.set(patch.subarray(at, at + insert), to);
        at += insert;
        to += insert;
        from += skip % 2 ? -(skip + 1) / 2 : skip / 2;
        made.set(old.subarray(from, from + copy), to);
        from += copy;
        to += copy;
    }
    return made;
}

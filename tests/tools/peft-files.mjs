// An adapter's GGUF as the two files that PEFT would have saved, in the order of
// rows that transformers has for the llama family.

/** @param {Uint8Array} bytes */
function readGguf(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 8;
    const u32 = () => view.getUint32((at += 4) - 4, true);
    const u64 = () => Number(view.getBigUint64((at += 8) - 8, true));
    const text = () => {
        const n = u64();
        return new TextDecoder().decode(bytes.subarray(at, (at += n)));
    };
    const nTensors = u64();
    let alpha = 0;
    for (let i = u64(); i > 0; i--) {
        text();
        if (u32() === 8) text();
        else alpha = view.getFloat32((at += 4) - 4, true);
    }
    const tensors = Array.from({ length: nTensors }, () => {
        const name = text();
        u32();
        const [cols, rows] = [u64(), u64()];
        u32();
        return { name, cols, rows, offset: u64() };
    });
    const data = (at + 31) & ~31;
    return {
        alpha,
        tensors: tensors.map(({ offset, ...tensor }) => ({
            ...tensor,
            bytes: bytes.slice(
                data + offset,
                data + offset + tensor.rows * tensor.cols * 4,
            ),
        })),
    };
}

const modules = {
    attn_q: "self_attn.q_proj",
    attn_k: "self_attn.k_proj",
    attn_v: "self_attn.v_proj",
    attn_output: "self_attn.o_proj",
    ffn_gate: "mlp.gate_proj",
    ffn_up: "mlp.up_proj",
    ffn_down: "mlp.down_proj",
};

/** Rows of each head from pairs to halves, as numpy does it:
 * reshape(heads, dim / 2, 2, cols).swapaxes(1, 2). */
function toHalves(
    /** @type {Uint8Array} */ bytes,
    /** @type {number} */ rows,
    /** @type {number} */ heads,
) {
    const width = bytes.length / rows;
    const half = rows / heads / 2;
    const out = new Uint8Array(bytes.length);
    let to = 0;
    for (let head = 0; head < heads; head++)
        for (let j = 0; j < 2; j++)
            for (let i = 0; i < half; i++, to += width) {
                const from = (head * 2 * half + 2 * i + j) * width;
                out.set(bytes.subarray(from, from + width), to);
            }
    return out;
}

/**
 * @param {Uint8Array} gguf
 * @param {any} heads
 * @param {any} kvHeads
 */
export function peftOf(gguf, heads, kvHeads) {
    const { alpha, tensors } = readGguf(gguf);
    /** @type {Record<string, unknown>} */
    const header = { __metadata__: { format: "pt" } };
    const parts = [];
    let offset = 0;
    for (const { name, rows, cols, bytes } of tensors) {
        const [, layer, module, half] =
            /blk\.(\d+)\.(\w+)\.weight\.lora_([ab])/.exec(name) ?? [];
        const turned =
            half === "b" && module === "attn_q"
                ? toHalves(bytes, rows, heads)
                : half === "b" && module === "attn_k"
                  ? toHalves(bytes, rows, kvHeads)
                  : bytes;
        const key =
            `base_model.model.model.layers.${layer}.` +
            `${modules[/** @type {keyof modules} */ (module)]}` +
            `.lora_${half?.toUpperCase()}.weight`;
        header[key] = {
            dtype: "F32",
            shape: [rows, cols],
            data_offsets: [offset, (offset += turned.length)],
        };
        parts.push(turned);
    }
    const text = Buffer.from(JSON.stringify(header));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(text.length));
    return {
        weights: new Uint8Array(Buffer.concat([size, text, ...parts])),
        config: { peft_type: "LORA", lora_alpha: alpha, bias: "none" },
    };
}

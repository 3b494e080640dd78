/* peft.ts — a LoRA as PEFT saves it, made into the GGUF that it stands for.
 * Fetched only when there is one to convert. Fails with an Error that names the
 * tensor or the key.
 *
 * Files of the llama family have the rows of q and k in the order of their
 * rotary pairs, which transformers has by halves: the rows of B move likewise. */

/** What needs no conversion: the type's number in GGUF, bytes of a value. */
const dtypes: Readonly<Record<string, readonly [number, number]>> = {
    F32: [0, 4],
    F16: [1, 2],
    BF16: [30, 2],
};

const modules: Readonly<Record<string, string>> = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.out_proj": "attn_output",
    "self_attn.qkv_proj": "attn_qkv",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.gate_up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "feed_forward.w1": "ffn_gate",
    "feed_forward.w3": "ffn_up",
    "feed_forward.w2": "ffn_down",
};
/** Architectures whose converters turn the rows. */
const turned = new Set(["llama", "granite", "smollm3"]);

interface Tensor {
    readonly name: string;
    readonly type: number;
    readonly rows: number;
    readonly cols: number;
    readonly bytes: Uint8Array;
}

type Json = Readonly<Record<string, unknown>>;

function fail(message: string): never {
    throw new Error(message);
}

const isObject = (value: unknown): value is Json =>
    typeof value === "object" && value !== null && !Array.isArray(value);

/** The file's tensors by name. */
function readSafetensors(file: Uint8Array): Map<string, Tensor> {
    const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    if (file.length < 8) fail("the weights are no safetensors file");
    const size = Number(view.getBigUint64(0, true));
    if (size > file.length - 8)
        fail(`the header of ${size} bytes is longer than the file`);
    let header: unknown;
    try {
        header = JSON.parse(
            new TextDecoder("utf-8", { fatal: true }).decode(
                file.subarray(8, 8 + size),
            ),
        );
    } catch {
        fail("the weights are no safetensors file: their header is no JSON");
    }
    if (!isObject(header)) return fail("the header is no object");
    const data = file.subarray(8 + size);
    const tensors = new Map<string, Tensor>();
    for (const [name, entry] of Object.entries(header))
        if (name !== "__metadata__")
            tensors.set(name, readTensor(name, entry, data));
    return tensors;
}

function readTensor(name: string, entry: unknown, data: Uint8Array): Tensor {
    const {
        dtype,
        shape,
        data_offsets: offsets,
    } = isObject(entry) ? entry : {};
    const [type, width] =
        dtypes[String(dtype)] ??
        fail(`tensor ${name} is of type ${dtype}: F32, F16 and BF16 are known`);
    if (
        !Array.isArray(shape) ||
        shape.length !== 2 ||
        !shape.every((n) => Number.isSafeInteger(n) && n > 0)
    )
        return fail(`tensor ${name} is no matrix`);
    const [rows, cols] = shape as [number, number];
    const [begin, end] = (Array.isArray(offsets) ? offsets : []) as number[];
    if (
        !Number.isSafeInteger(begin) ||
        !Number.isSafeInteger(end) ||
        begin! < 0 ||
        end! > data.length ||
        end! - begin! !== rows * cols * width
    )
        return fail(
            `tensor ${name}: its bytes do not fit its shape or the file`,
        );
    return { name, type, rows, cols, bytes: data.subarray(begin, end) };
}

/** Rows of each head from halves to pairs. */
function turnRows(tensor: Tensor, heads: number): Tensor {
    const dim = tensor.rows / heads;
    if (!Number.isInteger(dim / 2))
        fail(
            `tensor ${tensor.name} has ${tensor.rows} rows, for ${heads} heads`,
        );
    const width = tensor.bytes.length / tensor.rows;
    const bytes = new Uint8Array(tensor.bytes.length);
    for (let row = 0; row < tensor.rows; row++) {
        const head = Math.floor(row / dim);
        const at = row % dim;
        const from = head * dim + (at % 2) * (dim / 2) + (at >> 1);
        const source = tensor.bytes.subarray(from * width, (from + 1) * width);
        bytes.set(source, row * width);
    }
    return { ...tensor, bytes };
}

/** What the conversion would have to leave out is refused. */
function checkConfig(config: unknown): { alpha: number; rslora: boolean } {
    if (!isObject(config)) return fail("adapter_config.json is no object");
    if (config.peft_type !== "LORA")
        fail(`peft_type is ${String(config.peft_type)}, expected "LORA"`);
    for (const key of ["use_dora", "fan_in_fan_out", "use_qalora"])
        if (config[key]) fail(`${key} is not supported`);
    if ((config.bias ?? "none") !== "none") fail("bias is not supported");
    for (const key of ["modules_to_save", "alpha_pattern", "rank_pattern"]) {
        const value = config[key];
        if (Object.keys(value ?? {}).length > 0)
            fail(`${key} is not supported`);
    }
    const { lora_alpha: alpha } = config;
    if (typeof alpha !== "number" || !Number.isFinite(alpha))
        return fail("lora_alpha is no number");
    return { alpha, rslora: config.use_rslora === true };
}

function headCount(metadata: Json, key: string, layer: number): number {
    const arch = String(metadata["general.architecture"]);
    const value =
        metadata[`${arch}.attention.${key}`] ??
        metadata[`${arch}.attention.head_count`];
    const n = Number(Array.isArray(value) ? value[layer] : value);
    return n > 0 ? n : fail(`key ${arch}.attention.${key} is missing`);
}

/** A tensor under its name in the GGUF. */
function convertTensor(tensor: Tensor, metadata: Json): Tensor {
    const parts =
        /(?:^|\.)layers\.(\d+)\.(.+)\.lora_([AB])(?:\.default)?\.weight$/.exec(
            tensor.name,
        );
    const module = parts && modules[parts[2] as string];
    if (!module)
        return fail(`tensor ${tensor.name} adapts what can't be adapted here`);
    const layer = Number(parts[1]);
    const half = parts[3] === "A" ? "a" : "b";
    const name = `blk.${layer}.${module}.weight.lora_${half}`;
    const key = { attn_q: "head_count", attn_k: "head_count_kv" }[module];
    if (
        key === undefined ||
        half === "a" ||
        !turned.has(String(metadata["general.architecture"]))
    )
        return { ...tensor, name };
    return { ...turnRows(tensor, headCount(metadata, key, layer)), name };
}

/** Pieces of a GGUF, little-endian. */
class Writer {
    readonly parts: Uint8Array<ArrayBuffer>[] = [];
    length = 0;

    bytes(bytes: Uint8Array): void {
        this.parts.push(new Uint8Array(bytes));
        this.length += bytes.length;
    }
    u32(value: number): void {
        this.bytes(new Uint8Array(Uint32Array.of(value).buffer));
    }
    u64(value: number): void {
        this.bytes(new Uint8Array(BigUint64Array.of(BigInt(value)).buffer));
    }
    text(text: string): void {
        const bytes = new TextEncoder().encode(text);
        this.u64(bytes.length);
        this.bytes(bytes);
    }
    pad(): void {
        this.bytes(new Uint8Array(-this.length & 31));
    }
    joined(): Uint8Array<ArrayBuffer> {
        const all = new Uint8Array(this.length);
        let at = 0;
        for (const part of this.parts) {
            all.set(part, at);
            at += part.length;
        }
        return all;
    }
}

/** @param metadata the base model's */
export function ggufOfPeft(
    weights: Uint8Array,
    config: unknown,
    metadata: Json,
): Uint8Array<ArrayBuffer> {
    const { alpha, rslora } = checkConfig(config);
    const tensors = [...readSafetensors(weights).values()].map((tensor) =>
        convertTensor(tensor, metadata),
    );
    const rank = tensors.find(({ name }) => name.endsWith("_a"))?.rows ?? 1;
    const writer = new Writer();
    writer.bytes(new TextEncoder().encode("GGUF"));
    writer.u32(3);
    writer.u64(tensors.length);
    writer.u64(4);
    const texts = {
        "general.type": "adapter",
        "general.architecture": String(metadata["general.architecture"]),
        "adapter.type": "lora",
    };
    for (const [key, value] of Object.entries(texts)) {
        writer.text(key);
        writer.u32(8);
        writer.text(value);
    }
    writer.text("adapter.lora.alpha");
    writer.u32(6);
    /* alpha / sqrt(rank) is meant where rslora says so. */
    const scaled = rslora ? alpha * Math.sqrt(rank) : alpha;
    writer.bytes(new Uint8Array(Float32Array.of(scaled).buffer));
    let offset = 0;
    for (const { name, type, rows, cols, bytes } of tensors) {
        writer.text(name);
        writer.u32(2);
        writer.u64(cols);
        writer.u64(rows);
        writer.u32(type);
        writer.u64(offset);
        offset += (bytes.length + 31) & ~31;
    }
    for (const { bytes } of tensors) {
        writer.pad();
        writer.bytes(bytes);
    }
    writer.pad();
    return writer.joined();
}

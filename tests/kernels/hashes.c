/* hashes.c — freestanding, since it is linked into WebAssembly modules too
 * (kernels.test.mjs). The expected numbers are those of the scalar kernels; a
 * change of the declared arithmetic changes them, nothing else may. */
#include "hashes.h"

#include "rng.h"

#ifdef PIPIT_WASM
#define EXPORT(name) __attribute__((export_name(#name)))
#else
#define EXPORT(name)
#endif

enum { ROWS = 13, COLS = 512, TOKENS = 7, HEADS = 5,
       GROUPS = (ROWS + 3) / 4, N_PRODUCTS = 21 };

static const struct {
    uint32_t type;
    const char *name;
    uint64_t expected;
} cases[N_HASHES] = {
#include "hashes.inc"
};

/* FNV-1a; any NaN counts as the same. */
static uint64_t hash_floats(uint64_t h, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, 4);
        if (x[i] != x[i]) bits = 0x7fc00000u;
        for (int b = 0; b < 4; b++)
            h = (h ^ (bits >> 8 * b & 255)) * 0x100000001b3u;
    }
    return h;
}
#define HASH_START 0xcbf29ce484222325u

static void fill(pipit_rng *rng, float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint64_t draw = pipit_rng_next(rng);
        x[i] = (float)(pipit_rng_unit(rng) * 8 - 4);
        if (draw % 16 == 0) x[i] *= 1e-3f;
        if (draw % 64 == 1) x[i] *= 30.0f;
        if (draw % 256 == 2) x[i] = 0;
    }
}

/* ---- products ------------------------------------------------------------ */

static uint8_t file_bytes[ROWS * COLS * 4];
static _Alignas(64) uint8_t groups[GROUPS * COLS * 16];
static _Alignas(64) uint8_t blocks[TOKENS * COLS * 4];
static _Alignas(64) uint8_t scratch[COLS * 400];
static float x[TOKENS * COLS], y[TOKENS * GROUPS * 4], z[TOKENS * GROUPS * 4];

static pipit_matrix make_matrix(pipit_rng *rng, uint32_t type) {
    const pipit_type_info *info = pipit_type(type);
    size_t row_bytes = COLS / info->block_elems * info->block_bytes;
    pipit_matrix w = {type, ROWS, COLS, 0, groups, NULL};
    /* Small bytes: no exponent of an f16 or f32 is near its largest. */
    for (size_t i = 0; i < ROWS * row_bytes; i++)
        file_bytes[i] = (uint8_t)(pipit_rng_next(rng) >> 40) & 0xbf;
    PIPIT_ASSERT(pipit_layout_group_bytes(type, COLS, &w.group_bytes) &&
                 w.group_bytes * GROUPS <= sizeof groups);
    for (uint32_t g = 0; g < GROUPS; g++) {
        uint32_t n = ROWS - 4 * g < 4 ? ROWS - 4 * g : 4;
        pipit_layout_pack(type, COLS, file_bytes + 4 * g * row_bytes, n,
                          groups + g * w.group_bytes);
    }
    return w;
}

static uint64_t hash_product(const pipit_kernels *k, uint32_t type) {
    pipit_rng rng;
    pipit_rng_seed(&rng, type + 1);
    pipit_matrix w = make_matrix(&rng, type);
    size_t stride = COLS / 32 * k->act_block_bytes;
    pipit_acts acts = {x, COLS, blocks, stride};
    fill(&rng, x, TOKENS * COLS);
    PIPIT_ASSERT(stride * TOKENS <= sizeof blocks &&
                 k->matmul_scratch_bytes(COLS, TOKENS) <= sizeof scratch);
    for (uint32_t t = 0; t < TOKENS; t++)
        k->quantize(x + t * COLS, COLS, blocks + t * stride);
    k->matmul(&w, 0, GROUPS, &acts, TOKENS, y, GROUPS * 4, scratch);
    for (uint32_t t = 0; t < TOKENS; t++) {
        pipit_acts one = {x + t * COLS, 0, blocks + t * stride, 0};
        k->matmul(&w, 0, 2, &one, 1, z + t * GROUPS * 4, 0, scratch);
        k->matmul(&w, 2, GROUPS, &one, 1, z + t * GROUPS * 4, 0, scratch);
    }
    uint64_t h = hash_floats(HASH_START, y, TOKENS * GROUPS * 4);
    return h == hash_floats(HASH_START, z, TOKENS * GROUPS * 4) ? h : 0;
}

/* ---- the others ---------------------------------------------------------- */

static uint64_t hash_attention(const pipit_kernels *k, pipit_kv_type type,
                               bool mix, pipit_rng *rng) {
    enum { DIM = 64, POSITIONS = 71, STRIDE = 96 };
    static _Alignas(16) float keys[STRIDE * DIM], values[STRIDE * DIM];
    static float q[HEADS * DIM], p[HEADS * STRIDE], sums[HEADS];
    static float out[HEADS * DIM];
    uint32_t dim = type == PIPIT_KV_Q8 ? DIM : 24;
    uint32_t n = type == PIPIT_KV_Q8 ? POSITIONS : 23;
    pipit_kv_span kv = {keys, values, type, dim, n};
    uint64_t h = HASH_START;
    memset(keys, 0, sizeof keys);
    for (uint32_t i = 0; i < n; i++) {
        fill(rng, q, 2 * dim);
        k->kv_store(q, q + dim, dim, type, i, keys, values);
    }
    fill(rng, q, HEADS * dim);
    PIPIT_ASSERT(pipit_attn_scratch_bytes(HEADS, dim) <= sizeof scratch);
    memset(p, 0, sizeof p);
    /* nearly alike weights in 8 bits, so that their sums set the unit */
    float scale = type == PIPIT_KV_Q8 ? 0.01f : 0.3f;
    k->attn_scores(q, HEADS, scale, &kv, p, STRIDE, scratch);
    for (uint32_t i = 0; i < HEADS; i++) {
        float *row = p + i * STRIDE;
        if (!mix) h = hash_floats(h, row, n);
        sums[i] = k->softmax(row, n);
        h = hash_floats(h, &sums[i], 1);
        for (uint32_t j = n; j < STRIDE; j++) row[j] = 0;
    }
    memset(out, 0, sizeof out);
    k->attn_mix(p, STRIDE, sums, HEADS, &kv, out);
    return mix ? hash_floats(h, out, HEADS * dim) : h;
}

uint64_t hash_of(const pipit_kernels *k, uint32_t i) {
    enum { N = 203 };
    pipit_rng rng;
    if (i < N_PRODUCTS) return hash_product(k, cases[i].type);
    pipit_rng_seed(&rng, 1000 + i);
    fill(&rng, x, 2 * N);
    switch (i - N_PRODUCTS) {
        case 0: k->rms_norm(x, x + N, N, 1e-5f, x); break;
        case 1: k->add(x, x + N, N); break;
        case 2: k->silu_mul(x, x + N, N); break;
        case 3: k->gelu_mul(x, x + N, N); break;
        case 4: return hash_attention(k, PIPIT_KV_F16, false, &rng);
        case 5: return hash_attention(k, PIPIT_KV_F32, false, &rng);
        case 6: return hash_attention(k, PIPIT_KV_F16, true, &rng);
        case 7: return hash_attention(k, PIPIT_KV_F32, true, &rng);
        case 8: k->hadamard(x, 128); break;
        case 9: return hash_attention(k, PIPIT_KV_Q8, false, &rng);
        default: return hash_attention(k, PIPIT_KV_Q8, true, &rng);
    }
    return hash_floats(HASH_START, x, N);
}

EXPORT(hash_name) const char *hash_name(uint32_t i) {
    return i < N_HASHES ? cases[i].name : NULL;
}

EXPORT(hash_expected) uint64_t hash_expected(uint32_t i) {
    return cases[i].expected;
}

/* For JavaScript: by the implementation's number; and its name. */
EXPORT(hash_made) uint64_t hash_made(uint32_t kernels, uint32_t i);
uint64_t hash_made(uint32_t kernels, uint32_t i) {
    return hash_of(pipit_kernels_at(kernels), i);
}

EXPORT(hash_kernels) const char *hash_kernels(uint32_t kernels);
const char *hash_kernels(uint32_t kernels) {
    const pipit_kernels *k = pipit_kernels_at(kernels);
    return k ? k->name : NULL;
}

/* kernels.c — the kernels alone: products of a matrix of random bytes, and the
 * roofs they are held against. The host has the clock: it times calls of
 * bench_run. Built by kernels.mjs. */
#include "kernels/kernels.h"
#include "rng.h"

#ifdef PIPIT_HAVE_SIMD128
#include "kernels/simd.h"
#endif

#define EXPORT(name) __attribute__((export_name(#name)))

enum { MAX_TOKENS = 64, MAX_COLS = 8192 };

static uint8_t weights[32 << 20];
static uint8_t blocks[MAX_TOKENS * MAX_COLS * 3];
static uint8_t scratch[MAX_COLS * 32];
static float x[MAX_TOKENS * MAX_COLS], y[MAX_TOKENS * 8192];
static pipit_matrix w;
static const pipit_kernels *kernels;
static pipit_acts acts;
static uint32_t n_tokens;

EXPORT(bench_name) const char *bench_name(uint32_t i);
const char *bench_name(uint32_t i) {
    const pipit_kernels *k = pipit_kernels_at(i);
    return k ? k->name : NULL;
}

/* 0: does not fit. */
EXPORT(bench_setup)
uint32_t bench_setup(uint32_t i, uint32_t type, uint32_t n_rows,
                     uint32_t n_cols, uint32_t tokens);
uint32_t bench_setup(uint32_t i, uint32_t type, uint32_t n_rows,
                     uint32_t n_cols, uint32_t tokens) {
    pipit_rng rng;
    pipit_rng_seed(&rng, 1);
    kernels = pipit_kernels_at(i);
    n_tokens = tokens;
    w = (pipit_matrix){type, n_rows, n_cols, 0, weights};
    if (!pipit_layout_group_bytes(type, n_cols, &w.group_bytes) ||
        w.group_bytes * pipit_matrix_n_groups(&w) > sizeof weights ||
        tokens > MAX_TOKENS || n_cols > MAX_COLS || n_rows > 8192)
        return 0;
    for (size_t b = 0; b < w.group_bytes * pipit_matrix_n_groups(&w); b++)
        weights[b] = (uint8_t)((pipit_rng_next(&rng) >> 40 & 0x1f) | 0x20);
    for (size_t c = 0; c < (size_t)tokens * n_cols; c++)
        x[c] = (float)(pipit_rng_unit(&rng) - 0.5);
    acts = (pipit_acts){x, n_cols, blocks,
                        n_cols / 32 * kernels->act_block_bytes};
    for (uint32_t t = 0; t < tokens; t++)
        kernels->quantize(x + (size_t)t * n_cols, n_cols,
                          blocks + t * acts.block_stride);
    return 1;
}

EXPORT(bench_run) void bench_run(uint32_t rounds);
void bench_run(uint32_t rounds) {
    uint32_t n = pipit_matrix_n_groups(&w);
    for (; rounds > 0; rounds--)
        if (n_tokens == 1)
            kernels->matvec(&w, 0, n, &acts, y);
        else
            kernels->matmul(&w, 0, n, &acts, n_tokens, y, w.n_rows, scratch);
}

#ifdef PIPIT_HAVE_RELAXED
/* Roofs, sixteen multiply-adds an operation: eight independent sums on
 * registers. */
EXPORT(bench_roof_dot_add) int32_t bench_roof_dot_add(uint32_t rounds);
int32_t bench_roof_dot_add(uint32_t rounds) {
    v128_t a = wasm_v128_load(x), b = wasm_v128_and(wasm_v128_load(x + 4),
                                                    wasm_i8x16_splat(15));
    v128_t s[8];
    for (int i = 0; i < 8; i++) s[i] = wasm_i32x4_splat(i);
    for (uint32_t r = 0; r < rounds; r++)
        for (int i = 0; i < 8; i++)
            s[i] = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(a, b, s[i]);
    for (int i = 1; i < 8; i++) s[0] = wasm_i32x4_add(s[0], s[i]);
    return wasm_i32x4_extract_lane(s[0], 0);
}

EXPORT(bench_roof_dot16) int32_t bench_roof_dot16(uint32_t rounds);
int32_t bench_roof_dot16(uint32_t rounds) {
    v128_t s[8];
    v128_t b = wasm_v128_and(wasm_v128_load(x + 4), wasm_i8x16_splat(15));
    for (int i = 0; i < 8; i++) s[i] = wasm_i32x4_splat(i);
    for (uint32_t r = 0; r < rounds; r++)
        for (int i = 0; i < 8; i++)
            s[i] = wasm_i16x8_add(
                s[i], wasm_i16x8_relaxed_dot_i8x16_i7x16(s[i], b));
    for (int i = 1; i < 8; i++) s[0] = wasm_i16x8_add(s[0], s[i]);
    return wasm_i32x4_extract_lane(s[0], 0);
}
#endif

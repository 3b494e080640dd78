/* kernels.c — the kernels alone: products with a matrix of random bytes, held
 * against roofs: the same integer dots on registers, with nothing to load. In a
 * module the host has the clock (kernels.mjs); natively main is at the end. */
#define _POSIX_C_SOURCE 200809L
#include "kernels/kernels.h"
#include "rng.h"

#ifdef PIPIT_WASM
#ifdef PIPIT_HAVE_SIMD128
#include "kernels/simd.h"
#endif
#define EXPORT(name) __attribute__((export_name(#name)))
#else
#include <stdio.h>
#include <time.h>
#define EXPORT(name)
#endif

enum { MAX_TOKENS = 64, MAX_COLS = 4096, MAX_ROWS = 8192 };

static uint8_t weights[16 << 20];
static _Alignas(64) uint8_t blocks[MAX_TOKENS * MAX_COLS * 4];
static _Alignas(64) uint8_t scratch[MAX_COLS * 400];
static float x[MAX_TOKENS * MAX_COLS], y[MAX_TOKENS * MAX_ROWS];
static pipit_matrix w;
static const pipit_kernels *kernels;
static pipit_acts acts;
static uint32_t n_tokens;

EXPORT(bench_name) const char *bench_name(uint32_t i);
const char *bench_name(uint32_t i) {
    const pipit_kernels *k = pipit_kernels_at(i);
    return k ? k->name : NULL;
}

/* Multiply-adds of one round; 0 where the shape does not fit. */
EXPORT(bench_setup)
double bench_setup(uint32_t i, uint32_t type, uint32_t n_rows, uint32_t n_cols,
                   uint32_t tokens);
double bench_setup(uint32_t i, uint32_t type, uint32_t n_rows, uint32_t n_cols,
                   uint32_t tokens) {
    pipit_rng rng;
    pipit_rng_seed(&rng, 1);
    kernels = pipit_kernels_at(i);
    n_tokens = tokens;
    w = (pipit_matrix){type, n_rows, n_cols, 0, weights, NULL};
    if (!pipit_layout_group_bytes(type, n_cols, &w.group_bytes) ||
        w.group_bytes * pipit_matrix_n_groups(&w) > sizeof weights ||
        tokens > MAX_TOKENS || n_cols > MAX_COLS || n_rows > MAX_ROWS ||
        kernels->matmul_scratch_bytes(n_cols, tokens) > sizeof scratch)
        return 0;
    /* No f16 among them is subnormal: that would cost more than it does in any
     * model. */
    for (size_t b = 0; b < w.group_bytes * pipit_matrix_n_groups(&w); b++)
        weights[b] = (uint8_t)((pipit_rng_next(&rng) >> 40 & 0x1f) | 0x20);
    for (size_t c = 0; c < (size_t)tokens * n_cols; c++)
        x[c] = (float)(pipit_rng_unit(&rng) - 0.5);
    acts = (pipit_acts){x, n_cols, blocks,
                        n_cols / 32 * kernels->act_block_bytes};
    for (uint32_t t = 0; t < tokens; t++)
        kernels->quantize(x + (size_t)t * n_cols, n_cols,
                          blocks + t * acts.block_stride);
    return (double)n_rows * n_cols * tokens;
}

EXPORT(bench_run) void bench_run(uint32_t rounds);
void bench_run(uint32_t rounds) {
    uint32_t n = pipit_matrix_n_groups(&w);
    for (; rounds > 0; rounds--)
        kernels->matmul(&w, 0, n, &acts, n_tokens, y, w.n_rows, scratch);
}

/* Eight independent sums on registers. */
#define ROOF(name, STEP)                                                   \
    EXPORT(bench_roof_##name) int32_t bench_roof_##name(uint32_t rounds);  \
    int32_t bench_roof_##name(uint32_t rounds) {                           \
        v128_t b = wasm_v128_and(wasm_v128_load(x), wasm_i8x16_splat(15)); \
        v128_t s[8];                                                       \
        PIPIT_UNROLL                                                       \
        for (int i = 0; i < 8; i++) s[i] = wasm_i32x4_splat(i);            \
        for (; rounds > 0; rounds--)                                       \
            PIPIT_UNROLL                                                   \
            for (int i = 0; i < 8; i++) s[i] = STEP(s[i], b);              \
        for (int i = 1; i < 8; i++) s[0] = wasm_i32x4_add(s[0], s[i]);     \
        return wasm_i32x4_extract_lane(s[0], 0);                           \
    }
#if defined(PIPIT_WASM) && defined(PIPIT_HAVE_SIMD128)
/* Memory that the host grew: its first and last byte are on whole vectors. */
EXPORT(bench_read) int32_t bench_read(const v128_t *from, const v128_t *to);
int32_t bench_read(const v128_t *from, const v128_t *to) {
    v128_t s[8];
    PIPIT_UNROLL
    for (int i = 0; i < 8; i++) s[i] = wasm_i32x4_splat(i);
    for (; to - from >= 8; from += 8)
        PIPIT_UNROLL
        for (int i = 0; i < 8; i++) s[i] = wasm_v128_xor(s[i], from[i]);
    for (int i = 1; i < 8; i++) s[0] = wasm_v128_xor(s[0], s[i]);
    return wasm_i32x4_extract_lane(s[0], 0);
}
#define STEP_PLAIN(s, b) wasm_i32x4_add(s, wasm_i32x4_dot_i16x8(s, b))
ROOF(plain, STEP_PLAIN) /* 64 multiply-adds a round */
#endif
#if defined(PIPIT_WASM) && defined(PIPIT_HAVE_RELAXED)
#define STEP_DOT16(s, b) \
    wasm_i16x8_add(s, wasm_i16x8_relaxed_dot_i8x16_i7x16(s, b))
#define STEP_DOT_ADD(s, b) wasm_i32x4_relaxed_dot_i8x16_i7x16_add(s, b, s)
ROOF(dot16, STEP_DOT16) /* 128 */
ROOF(dot_add, STEP_DOT_ADD)
#endif

#ifndef PIPIT_WASM
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The best of some rounds, in 10^9 a second. */
static double best_rate(double macs) {
    double best = 0;
    uint32_t rounds = 1;
    for (int i = 0; i < 12; i++) {
        double start = now();
        bench_run(rounds);
        double seconds = now() - start;
        if (macs * rounds / seconds > best) best = macs * rounds / seconds;
        if (seconds < 0.005) rounds *= 2;
    }
    return best * 1e-9;
}

int main(void) {
    for (uint32_t i = 0; bench_name(i); i++)
        for (uint32_t type = 0; type < PIPIT_N_TYPES; type++) {
            if (!pipit_layout_supports(type)) continue;
            printf("%-16s %-7s", bench_name(i), pipit_type(type)->name);
            for (uint32_t tokens = 1; tokens <= 64; tokens *= 8)
                printf(" %7.1f",
                       best_rate(bench_setup(i, type, 1536, 768, tokens)));
            printf("  GMAC/s with 1, 8, 64 tokens\n");
        }
    return 0;
}
#endif

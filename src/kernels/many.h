/* many.h — products of many tokens: two row groups are unpacked into a tile
 * (tile.h), over which the tokens are swept four at a time. Part of
 * products.h. */
/* How a tile's integer dots are made. */
typedef enum sweep_kind {
    SWEEP_WHOLE,   /* one sum for 32 columns */
    SWEEP_HALVES,  /* one for each 16 */
    SWEEP_SIGNED,  /* signed quants; with nibble planes where the dot is i16 */
} sweep_kind;

#if PIPIT_DOT == PIPIT_DOT_16
#define NIBBLES true
#else
#define NIBBLES false
#endif

/* Columns [4 j0, 4 j1) of one block: sums[t][g] += dot. */
PIPIT_INLINE void sweep_columns(const v128_t *q, int j0, int j1,
                                const act_rows x, int n_tokens,
                                v128_t sums[TOKENS][GROUPS]) {
    PIPIT_NO_UNROLL
    for (int j = j0; j < j1; j++) {
        v128_t v[GROUPS];
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++) v[g] = q[2 * j + g];
        PIPIT_UNROLL
        for (int t = 0; t < n_tokens; t++) {
            splats at = splats_of(x[t], j);
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++)
                sums[t][g] = add_dot(sums[t][g], at, v[g]);
        }
    }
}

#if PIPIT_DOT == PIPIT_DOT_16
/* quant = low + 16 (high - 8), two nibbles: two sums that fit i16. */
PIPIT_INLINE void sweep_signed(const v128_t *q, const v128_t *scales,
                               const act_rows x, int n_tokens,
                               v128_t dots[TOKENS][GROUPS]) {
    PIPIT_UNROLL
    for (int g = 0; g < GROUPS; g++) {
        v128_t low[TOKENS], high[TOKENS];
        PIPIT_UNROLL
        for (int t = 0; t < n_tokens; t++) {
            low[t] = wasm_i32x4_splat(0);
            high[t] = begin(&x[t]->minus, 8);
        }
        PIPIT_NO_UNROLL
        for (int j = 0; j < 8; j++)
            PIPIT_UNROLL
            for (int t = 0; t < n_tokens; t++) {
                splats at = splats_of(x[t], j);
                low[t] = add_dot(low[t], at, q[4 * j + g]);
                high[t] = add_dot(high[t], at, q[4 * j + 2 + g]);
            }
        v128_t scale_high = wasm_i16x8_shl(scales[g], 4);
        PIPIT_UNROLL
        for (int t = 0; t < n_tokens; t++)
            dots[t][g] = wasm_i32x4_add(end_dot(low[t], scales[g]),
                                        end_dot(high[t], scale_high));
    }
}
#else
PIPIT_INLINE void sweep_signed(const v128_t *q, const v128_t *scales,
                               const act_rows x, int n_tokens,
                               v128_t dots[TOKENS][GROUPS]) {
    v128_t sums[TOKENS][GROUPS];
    PIPIT_UNROLL
    for (int t = 0; t < n_tokens; t++)
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++)
            sums[t][g] = begin_signed(x[t]);
    PIPIT_NO_UNROLL
    for (int j = 0; j < 8; j++)
        PIPIT_UNROLL
        for (int t = 0; t < n_tokens; t++) {
            splats at = amounts_of(x[t], j);
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++)
                sums[t][g] = add_signed(sums[t][g], at, q[2 * j + g]);
        }
    PIPIT_UNROLL
    for (int t = 0; t < n_tokens; t++)
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++)
            dots[t][g] = times_pairs(sums[t][g], scales[g]);
}
#endif

/* scale * idot of one block of the tile. */
PIPIT_INLINE void sweep_block(sweep_kind kind, const v128_t *q,
                              const v128_t *scales, int offset,
                              const act_rows x, int n_tokens,
                              v128_t dots[TOKENS][GROUPS]) {
    v128_t sums[TOKENS][GROUPS];
    if (kind == SWEEP_SIGNED) {
        sweep_signed(q, scales, x, n_tokens, dots);
        return;
    }
    int n_halves = kind == SWEEP_HALVES ? 2 : 1;
    PIPIT_UNROLL
    for (int h = 0; h < n_halves; h++) {
        PIPIT_UNROLL
        for (int t = 0; t < n_tokens; t++)
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++)
                sums[t][g] = begin(
                    n_halves == 2 ? &x[t]->minus_half[h] : &x[t]->minus,
                    offset);
        sweep_columns(q, 8 / n_halves * h, 8 / n_halves * (h + 1), x, n_tokens,
                      sums);
        PIPIT_UNROLL
        for (int t = 0; t < n_tokens; t++)
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++) {
                v128_t dot = end_dot(sums[t][g], scales[2 * h + g]);
                dots[t][g] = h == 0 ? dot : wasm_i32x4_add(dots[t][g], dot);
            }
    }
}

PIPIT_INLINE void clear(int n_tokens, v128_t acc[TOKENS][GROUPS]) {
    PIPIT_UNROLL
    for (int t = 0; t < n_tokens; t++)
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++) acc[t][g] = wasm_f32x4_splat(0);
}

/* acc[t][g] += (sum of m * (sum of min * d_sum)). */
PIPIT_INLINE void add_mins(const pipit_tile *tile, const act_rows x,
                           int n_tokens, v128_t acc[TOKENS][GROUPS]) {
    const v128_t *mins = tile->mins, *m = tile->m;
    uint32_t per_block = tile->mins_per_block;
    /* Where an act_block has the sums: of all, or of the two halves. */
    size_t at = offsetof(act_block, d_sum) + (per_block == 2 ? 4 : 0);
    v128_t all[TOKENS][GROUPS], u[TOKENS][GROUPS];
    clear(n_tokens, all);
    for (uint32_t b = 0; b < tile->n_blocks; b += tile->min_subs, m += 2) {
        clear(n_tokens, u);
        for (uint32_t s = 0; s < tile->min_subs * per_block; s++, mins += 2) {
            size_t from = (b + s / per_block) * sizeof(act_block) + at +
                          4 * (s % per_block);
            PIPIT_UNROLL
            for (int t = 0; t < n_tokens; t++) {
                v128_t sum =
                    wasm_v128_load32_splat((const uint8_t *)x[t] + from);
                PIPIT_UNROLL
                for (int g = 0; g < GROUPS; g++)
                    u[t][g] = add_product(u[t][g], mins[g], sum);
            }
        }
        PIPIT_UNROLL
        for (int t = 0; t < n_tokens; t++)
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++)
                all[t][g] = add_product(all[t][g], m[g], u[t][g]);
    }
    PIPIT_UNROLL
    for (int t = 0; t < n_tokens; t++)
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++)
            acc[t][g] = wasm_f32x4_add(acc[t][g], all[t][g]);
}

/* acc[t][g]: the sums without minimums. super: whether blocks share a d. */
PIPIT_INLINE void sweep_dots(sweep_kind kind, bool super,
                             const pipit_tile *tile, act_rows x, int n_tokens,
                             v128_t acc[TOKENS][GROUPS]) {
    v128_t dots[TOKENS][GROUPS], sub[TOKENS][GROUPS];
    const v128_t *q = tile->blocks;
    uint32_t stride = pipit_tile_stride(tile), n_q = tile->n_q;
    for (uint32_t b = 0; b < tile->n_blocks; b += tile->n_subs) {
        clear(n_tokens, sub);
        for (uint32_t s = 0; s < (super ? tile->n_subs : 1u); s++, q += stride) {
            sweep_block(kind, q, q + 2 * n_q, tile->offset, x, n_tokens, dots);
            PIPIT_UNROLL
            for (int t = 0; t < n_tokens; t++) {
                v128_t d = wasm_v128_load32_splat(&x[t]->d);
                PIPIT_UNROLL
                for (int g = 0; g < GROUPS; g++) {
                    v128_t dot = wasm_f32x4_convert_i32x4(dots[t][g]);
                    sub[t][g] = super ? add_product(sub[t][g], dot, d)
                                      : wasm_f32x4_mul(dot, d);
                }
                x[t]++;
            }
        }
        const v128_t *d = q - stride + 2 * n_q + 4;
        PIPIT_UNROLL
        for (int t = 0; t < n_tokens; t++)
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++)
                acc[t][g] = add_product(acc[t][g], d[g], sub[t][g]);
    }
}

/* n_tokens tokens over the whole tile: y[t][4 g .. 4 g + 3] for g < n_groups. */
PIPIT_INLINE void sweep(sweep_kind kind, bool super, const pipit_tile *tile,
                        const pipit_acts *acts, int n_tokens,
                        uint32_t n_groups, float *y, size_t y_stride) {
    act_rows x;
    v128_t acc[TOKENS][GROUPS];
    PIPIT_UNROLL
    for (int t = 0; t < n_tokens; t++)
        x[t] = act_row(acts, (uint32_t)t);
    clear(n_tokens, acc);
    sweep_dots(kind, super, tile, x, n_tokens, acc);
    if (tile->min_subs > 0) {
        PIPIT_UNROLL
        for (int t = 0; t < n_tokens; t++) x[t] -= tile->n_blocks;
        add_mins(tile, x, n_tokens, acc);
    }
    PIPIT_UNROLL
    for (int t = 0; t < n_tokens; t++)
        PIPIT_UNROLL
        for (uint32_t g = 0; g < GROUPS; g++)
            if (g < n_groups)
                wasm_v128_store(y + (size_t)t * y_stride + 4 * g, acc[t][g]);
}

/* Out of line and once for each kind: what else differs between types went into
 * the tile. */
typedef void sweep_function(const pipit_tile *tile, pipit_acts x,
                            uint32_t n_tokens, uint32_t n_groups, float *y,
                            size_t y_stride);
#define SWEEP(name, kind, super)                                            \
    PIPIT_OUTLINE void name(const pipit_tile *tile, pipit_acts x,           \
                            uint32_t n_tokens, uint32_t n_groups, float *y, \
                            size_t y_stride) {                              \
        for (; n_tokens > 0; n_tokens -= TOKENS) {                          \
            sweep(kind, super, tile, &x, TOKENS, n_groups, y, y_stride);    \
            y += TOKENS * y_stride;                                         \
            x.blocks += TOKENS * x.block_stride;                            \
        }                                                                   \
    }
SWEEP(sweep_whole, SWEEP_WHOLE, false)
SWEEP(sweep_whole_super, SWEEP_WHOLE, true)
SWEEP(sweep_halves, SWEEP_HALVES, true)
SWEEP(sweep_signed_quants, SWEEP_SIGNED, true)

static sweep_function *sweep_of(const pipit_tile *tile) {
    if (tile->is_signed) return sweep_signed_quants;
    if (tile->two_scales || (tile->two_sums && !fits_whole(5, 0)))
        return sweep_halves;
    return tile->n_subs > 1 ? sweep_whole_super : sweep_whole;
}

static size_t matmul_scratch_bytes(uint32_t n_cols) {
    return pipit_tile_bytes(n_cols);
}

/* n_tokens: a multiple of TOKENS. */
static void multiply_tiles(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                           const pipit_acts *x, uint32_t n_tokens, float *y,
                           size_t y_stride, uint8_t *scratch) {
    for (; g0 < g1; g0 += GROUPS) {
        uint32_t n_groups = g1 - g0 < GROUPS ? g1 - g0 : GROUPS;
        pipit_tile tile;
        pipit_tile_unpack(w, g0, n_groups, NIBBLES, scratch, &tile);
        sweep_of(&tile)(&tile, *x, n_tokens, n_groups, y + 4 * g0, y_stride);
    }
}

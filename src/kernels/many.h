/* many.h — products of many tokens: two row groups are unpacked into a tile
 * (tile.h), over which the tokens are swept four at a time. Part of
 * products.h. */
/* How a tile's integer dots are made. */
typedef enum sweep_kind {
    SWEEP_WHOLE,   /* one sum for 32 columns */
    SWEEP_HALVES,  /* one for each 16 */
    SWEEP_SIGNED,  /* signed quants; with nibble planes where the dot is i16 */
} sweep_kind;

/* Its activations of token t. */
PIPIT_INLINE splats panel_splats(const act_quad *x, int t) {
    splats s = {wasm_v128_load32_splat((*x)[t]), wasm_i32x4_splat(0)};
#if PIPIT_DOT == PIPIT_DOT_PLAIN
    s.second = wasm_v128_load32_splat((*x)[t] + 2);
#endif
    return s;
}

typedef v128_t sweep_sums[TOKENS][GROUPS];

PIPIT_INLINE void sweep_begin(const act_panel *x, int h, sweep_sums sums) {
    PIPIT_UNROLL
    for (int t = 0; t < TOKENS; t++)
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++)
            sums[t][g] = wasm_v128_load32_splat(&x->begin[h][t]);
}

/* Columns [4 j0, 4 j1) of one block: sums[t][g] += dot. */
PIPIT_INLINE void sweep_columns(const v128_t *q, int j0, int j1,
                                const act_panel *x, sweep_sums sums) {
    const act_quad *at = x->q + j0, *end = x->q + j1;
    q += 2 * j0;
    PIPIT_NO_UNROLL
    for (; at < end; at++, q += 2) {
        v128_t v[GROUPS];
        PIPIT_BUMP(at);
        PIPIT_BUMP(q);
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++) v[g] = q[g];
        PIPIT_UNROLL
        for (int t = 0; t < TOKENS; t++) {
            splats s = panel_splats(at, t);
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++)
                sums[t][g] = add_dot(sums[t][g], s, v[g]);
        }
    }
}

#if PIPIT_DOT == PIPIT_DOT_16
/* quant = low + 16 (high - 8), two nibbles: two sums that fit i16. */
PIPIT_INLINE void sweep_signed(const v128_t *q, const v128_t *scales,
                               const act_panel *x, sweep_sums dots) {
    PIPIT_UNROLL
    for (int g = 0; g < GROUPS; g++) {
        v128_t low[TOKENS], high[TOKENS];
        PIPIT_UNROLL
        for (int t = 0; t < TOKENS; t++) {
            low[t] = wasm_i32x4_splat(0);
            high[t] = wasm_v128_load32_splat(&x->begin[0][t]);
        }
        const act_quad *at = x->q;
        const v128_t *v = q + g;
        PIPIT_NO_UNROLL
        for (; at < x->q + 8; at++, v += 4) {
            PIPIT_BUMP(at);
            PIPIT_BUMP(v);
            v128_t v_low = v[0], v_high = v[2];
            PIPIT_UNROLL
            for (int t = 0; t < TOKENS; t++) {
                splats s = panel_splats(at, t);
                low[t] = add_dot(low[t], s, v_low);
                high[t] = add_dot(high[t], s, v_high);
            }
        }
        v128_t scale_high = wasm_i16x8_shl(scales[g], 4);
        PIPIT_UNROLL
        for (int t = 0; t < TOKENS; t++)
            dots[t][g] = wasm_i32x4_add(end_dot(low[t], scales[g]),
                                        end_dot(high[t], scale_high));
    }
}
#else
PIPIT_INLINE void sweep_signed(const v128_t *q, const v128_t *scales,
                               const act_panel *x, sweep_sums dots) {
    sweep_sums sums;
    sweep_begin(x, 0, sums);
    const act_quad *at = x->q;
    PIPIT_NO_UNROLL
    for (; at < x->q + 8; at++, q += 2) {
        PIPIT_BUMP(at);
        PIPIT_BUMP(q);
        PIPIT_UNROLL
        for (int t = 0; t < TOKENS; t++) {
            splats s = amounts(panel_splats(at, t));
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++)
                sums[t][g] = add_signed(sums[t][g], s, q[g]);
        }
    }
    PIPIT_UNROLL
    for (int t = 0; t < TOKENS; t++)
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++)
            dots[t][g] = times_pairs(sums[t][g], scales[g]);
}
#endif

/* scale * idot of one block of the tile. */
PIPIT_INLINE void sweep_block(sweep_kind kind, const v128_t *q,
                              const v128_t *scales, const act_panel *x,
                              sweep_sums dots) {
    sweep_sums sums;
    if (kind == SWEEP_SIGNED) {
        sweep_signed(q, scales, x, dots);
        return;
    }
    int n_halves = kind == SWEEP_HALVES ? 2 : 1;
    PIPIT_UNROLL
    for (int h = 0; h < n_halves; h++) {
        sweep_begin(x, h, sums);
        sweep_columns(q, 8 / n_halves * h, 8 / n_halves * (h + 1), x, sums);
        PIPIT_UNROLL
        for (int t = 0; t < TOKENS; t++)
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++) {
                v128_t dot = end_dot(sums[t][g], scales[2 * h + g]);
                dots[t][g] = h == 0 ? dot : wasm_i32x4_add(dots[t][g], dot);
            }
    }
}

PIPIT_INLINE void clear(sweep_sums acc) {
    PIPIT_UNROLL
    for (int t = 0; t < TOKENS; t++)
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++) acc[t][g] = wasm_f32x4_splat(0);
}

/* u[t][g] += min * d_sum. */
PIPIT_INLINE void add_min(const v128_t *mins, const float *sums,
                          sweep_sums u) {
    PIPIT_UNROLL
    for (int t = 0; t < TOKENS; t++) {
        v128_t sum = wasm_v128_load32_splat(sums + t);
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++)
            u[t][g] = add_product(u[t][g], mins[g], sum);
    }
}

PIPIT_INLINE void add_sums(sweep_sums a, sweep_sums acc) {
    PIPIT_UNROLL
    for (int t = 0; t < TOKENS; t++)
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++)
            acc[t][g] = wasm_f32x4_add(acc[t][g], a[t][g]);
}

/* acc[t][g] += (sum of m * (sum of min * d_sum)). */
PIPIT_INLINE void add_mins(const pipit_tile *tile, const act_panel *x,
                           sweep_sums acc) {
    const v128_t *mins = tile->mins, *m = tile->m;
    sweep_sums all, u;
    clear(all);
    if (tile->n_subs == 1) {
        PIPIT_NO_UNROLL
        for (uint32_t b = tile->n_blocks; b > 0; b--, x++, mins += 2)
            add_min(mins, x->d_sum, all);
        add_sums(all, acc);
        return;
    }
    for (uint32_t b = 0; b < tile->n_blocks; b += tile->min_subs, m += 2) {
        clear(u);
        if (tile->mins_per_block == 1)
            PIPIT_NO_UNROLL
            for (uint32_t s = tile->min_subs; s > 0; s--, x++, mins += 2)
                add_min(mins, x->d_sum, u);
        else
            PIPIT_NO_UNROLL
            for (uint32_t s = tile->min_subs; s > 0; s--, x++, mins += 4) {
                add_min(mins, x->d_half_sum[0], u);
                add_min(mins + 2, x->d_half_sum[1], u);
            }
        PIPIT_UNROLL
        for (int t = 0; t < TOKENS; t++)
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++)
                all[t][g] = add_product(all[t][g], m[g], u[t][g]);
    }
    add_sums(all, acc);
}

/* acc[t][g]: the sums without minimums. super: whether blocks share a d. */
PIPIT_INLINE void sweep_dots(sweep_kind kind, bool super,
                             const pipit_tile *tile, const act_panel *x,
                             sweep_sums acc) {
    sweep_sums dots, sub;
    const v128_t *q = tile->blocks;
    uint32_t stride = pipit_tile_stride(tile), n_q = tile->n_q;
    const v128_t *end = q + tile->n_blocks * stride;
    while (q < end) {
        clear(sub);
        for (uint32_t s = 0; s < (super ? tile->n_subs : 1u);
             s++, q += stride, x++) {
            sweep_block(kind, q, q + 2 * n_q, x, dots);
            PIPIT_UNROLL
            for (int t = 0; t < TOKENS; t++) {
                v128_t d = wasm_v128_load32_splat(&x->d[t]);
                PIPIT_UNROLL
                for (int g = 0; g < GROUPS; g++) {
                    v128_t dot = wasm_f32x4_convert_i32x4(dots[t][g]);
                    sub[t][g] = super ? add_product(sub[t][g], dot, d)
                                      : wasm_f32x4_mul(dot, d);
                }
            }
        }
        const v128_t *d = q - stride + 2 * n_q + 4;
        PIPIT_UNROLL
        for (int t = 0; t < TOKENS; t++)
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++)
                acc[t][g] = add_product(acc[t][g], d[g], sub[t][g]);
    }
}

/* A panel over the whole tile: y[t][4 g .. 4 g + 3] for g < n_groups. */
PIPIT_INLINE void sweep(sweep_kind kind, bool super, const pipit_tile *tile,
                        const act_panel *x, uint32_t n_tokens,
                        uint32_t n_groups, float *y, size_t y_stride) {
    sweep_sums acc;
    clear(acc);
    sweep_dots(kind, super, tile, x, acc);
    if (tile->min_subs > 0) add_mins(tile, x, acc);
    PIPIT_UNROLL
    for (uint32_t t = 0; t < TOKENS; t++)
        PIPIT_UNROLL
        for (uint32_t g = 0; g < GROUPS; g++)
            if (g < n_groups && t < n_tokens)
                wasm_v128_store(y + (size_t)t * y_stride + 4 * g, acc[t][g]);
}

/* Out of line and once for each kind: what else differs between types went into
 * the tile. */
typedef void sweep_function(const pipit_tile *tile, const act_panel *x,
                            uint32_t n_tokens, uint32_t n_groups, float *y,
                            size_t y_stride);
#define SWEEP(name, kind, super)                                            \
    PIPIT_OUTLINE void name(const pipit_tile *tile, const act_panel *x,     \
                            uint32_t n_tokens, uint32_t n_groups, float *y, \
                            size_t y_stride) {                              \
        for (uint32_t t = 0; t < n_tokens; t += TOKENS) {                   \
            sweep(kind, super, tile, x, n_tokens - t, n_groups, y,          \
                  y_stride);                                                \
            y += TOKENS * y_stride;                                         \
            x += tile->n_blocks;                                            \
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

static size_t panels_bytes(uint32_t n_cols) {
    return (size_t)(n_cols / 32) * (PANEL_TOKENS / TOKENS) * sizeof(act_panel);
}

static size_t matmul_scratch_bytes(uint32_t n_cols) {
    return panels_bytes(n_cols) + pipit_tile_bytes(n_cols);
}

/* n_tokens: PANEL_TOKENS at most. */
static void multiply_tiles(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                           const pipit_acts *x, uint32_t n_tokens, float *y,
                           size_t y_stride, uint8_t *scratch) {
    act_panel *panels = (act_panel *)(void *)scratch;
    uint8_t *tile_at = scratch + panels_bytes(w->n_cols);
    bool packed = false;
    for (; g0 < g1; g0 += GROUPS) {
        uint32_t n_groups = g1 - g0 < GROUPS ? g1 - g0 : GROUPS;
        pipit_tile tile;
        pipit_tile_unpack(w, g0, n_groups, NIBBLES, tile_at, &tile);
        sweep_function *sweep_tile = sweep_of(&tile);
        if (!packed) {
            panel_form f = {NIBBLES && tile.is_signed ? 8 : tile.offset,
                            sweep_tile == sweep_halves, tile.is_signed};
            pack_panels(f, x, 0, n_tokens, tile.n_blocks, panels);
            packed = true;
        }
        sweep_tile(&tile, panels, n_tokens, n_groups, y + 4 * g0, y_stride);
    }
}

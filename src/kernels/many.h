/* many.h — products of many tokens: two row groups are unpacked into a tile
 * (tile.h), over which the tokens are swept four at a time. Part of
 * products.h. */
/* How a tile's integer dots are made. */
typedef enum sweep_kind {
    SWEEP_WHOLE,  /* one sum for 32 columns */
    SWEEP_HALVES, /* one for each 16 */
    SWEEP_SIGNED, /* signed quants */
} sweep_kind;

PIPIT_INLINE bool is_wide(sweep_kind kind) {
    return panel_is_wide(kind == SWEEP_SIGNED);
}

typedef v128_t sweep_sums[TOKENS][GROUPS];

PIPIT_INLINE void sweep_begin(const act_panel *x, int h, sweep_sums sums) {
    PIPIT_UNROLL
    for (int t = 0; t < TOKENS; t++)
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++)
            sums[t][g] = wasm_v128_load32_splat(&x->begin[h][t]);
}

/* sum + the dot of a vector of the tile with token t's bytes of a quad. */
PIPIT_INLINE v128_t add_quad(sweep_kind kind, v128_t sum, const act_quad *at,
                             int t, v128_t q) {
    splats s = {wasm_v128_load32_splat(at[0][t]), wasm_i32x4_splat(0)};
    if (is_wide(kind))
        return wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(s.first, q));
    if (kind != SWEEP_SIGNED) return add_dot(sum, s, q);
    s.second = wasm_v128_load32_splat(at[8][t]);
    return add_signed(sum, s, q);
}

/* Quads [from, to) of one block: sums[t][g] += dot. */
PIPIT_INLINE void sweep_columns(sweep_kind kind, const v128_t *q, int from,
                                int to, const act_panel *x, sweep_sums sums) {
    const act_quad *at = x->q + from, *end = x->q + to;
    q += GROUPS * from;
    PIPIT_NO_UNROLL
    for (; at < end; at++, q += GROUPS) {
        v128_t v[GROUPS];
        PIPIT_BUMP(at);
        PIPIT_BUMP(q);
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++) v[g] = q[g];
        PIPIT_UNROLL
        for (int t = 0; t < TOKENS; t++)
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++)
                sums[t][g] = add_quad(kind, sums[t][g], at, t, v[g]);
    }
}

/* scale * idot of one block of the tile; without super all scales are 1. */
PIPIT_INLINE void sweep_block(sweep_kind kind, bool super, const v128_t *q,
                              const act_panel *x, sweep_sums dots) {
    sweep_sums sums;
    int n_q = is_wide(kind) ? 16 : 8, n_halves = kind == SWEEP_HALVES ? 2 : 1;
    bool i16 = PIPIT_DOT == PIPIT_DOT_16 && kind != SWEEP_SIGNED;
    const v128_t *scales = q + GROUPS * n_q;
    PIPIT_UNROLL
    for (int h = 0; h < n_halves; h++) {
        sweep_begin(x, h, sums);
        sweep_columns(kind, q, n_q / n_halves * h, n_q / n_halves * (h + 1), x,
                      sums);
        PIPIT_UNROLL
        for (int t = 0; t < TOKENS; t++)
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++) {
                v128_t dot = sums[t][g], scale = scales[2 * h + g];
                if (i16)
                    dot = end_dot(dot, scale);
                else if (super)
                    dot = times_pairs(dot, scale);
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

PIPIT_INLINE void add_min(const v128_t *min, const act_panel *x,
                          sweep_sums u) {
    PIPIT_UNROLL
    for (int t = 0; t < TOKENS; t++) {
        v128_t sum = wasm_v128_load32_splat(&x->d_sum[t]);
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++)
            u[t][g] = add_product(u[t][g], min[g], sum);
    }
}

PIPIT_INLINE void add_sums(sweep_sums a, sweep_sums acc) {
    PIPIT_UNROLL
    for (int t = 0; t < TOKENS; t++)
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++)
            acc[t][g] = wasm_f32x4_add(acc[t][g], a[t][g]);
}

/* acc[t][g]: the sums without minimums. super: whether blocks share a d. */
PIPIT_INLINE void sweep_dots(sweep_kind kind, bool super,
                             const pipit_tile *tile, const act_panel *x,
                             sweep_sums acc) {
    sweep_sums dots, sub;
    const uint32_t n_q = is_wide(kind) ? 16 : 8, stride = GROUPS * (n_q + 3);
    const v128_t *q = tile->blocks, *end = q + tile->n_blocks * stride;
    while (q < end) {
        clear(sub);
        for (uint32_t s = super ? tile->n_subs : 1; s > 0; s--) {
            sweep_block(kind, super, q, x, dots);
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
            q += stride;
            x = next_panel(x, kind == SWEEP_SIGNED);
        }
        const v128_t *d = q - GROUPS;
        PIPIT_UNROLL
        for (int t = 0; t < TOKENS; t++)
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++)
                acc[t][g] = add_product(acc[t][g], d[g], sub[t][g]);
    }
}

/* acc += (sum of min * d_sum), the minimums of small blocks. */
PIPIT_INLINE void add_small_mins(const v128_t *mins, uint32_t n_blocks,
                                 const act_panel *x, sweep_sums acc) {
    const v128_t *end = mins + GROUPS * n_blocks;
    sweep_sums all;
    clear(all);
    PIPIT_NO_UNROLL
    for (; mins < end; mins += GROUPS) {
        PIPIT_BUMP(mins);
        PIPIT_BUMP(x);
        add_min(mins, x, all);
        x = next_panel(x, false);
    }
    add_sums(all, acc);
}

PIPIT_INLINE void copy(sweep_sums from, sweep_sums to) {
    PIPIT_UNROLL
    for (int t = 0; t < TOKENS; t++)
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++) to[t][g] = from[t][g];
}

/* Sums that have an address would be in memory all the time: only a copy has. */
PIPIT_INLINE void finish(const pipit_tile *tile, const act_panel *x,
                         bool is_signed, bool mins_left, sweep_sums acc,
                         uint32_t n_tokens, uint32_t n_groups, float *y,
                         size_t y_stride) {
    sweep_sums out;
    copy(acc, out);
    pipit_tile_finish(tile, mins_left ? x->d_sum : NULL,
                      panel_bytes(is_signed), out, n_tokens, n_groups, y,
                      y_stride);
}

/* A panel over the whole tile: y[t][4 g .. 4 g + 3] for g < n_groups. */
PIPIT_INLINE void sweep(sweep_kind kind, bool super, const pipit_tile *tile,
                        const act_panel *x, uint32_t n_tokens,
                        uint32_t n_groups, float *y, size_t y_stride) {
    sweep_sums acc;
    clear(acc);
    sweep_dots(kind, super, tile, x, acc);
    bool small = kind == SWEEP_WHOLE && !super;
    if (small && tile->min_subs > 0)
        add_small_mins(tile->mins, tile->n_blocks, x, acc);
    finish(tile, x, kind == SWEEP_SIGNED, !small && kind != SWEEP_SIGNED, acc,
           n_tokens, n_groups, y, y_stride);
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
            x = (const act_panel *)(const void *)((const uint8_t *)x +      \
                    tile->n_blocks * panel_bytes((kind) == SWEEP_SIGNED));  \
        }                                                                   \
    }
SWEEP(sweep_whole, SWEEP_WHOLE, false)
SWEEP(sweep_whole_super, SWEEP_WHOLE, true)
SWEEP(sweep_halves, SWEEP_HALVES, true)
#if PIPIT_DOT != PIPIT_DOT_PLAIN
SWEEP(sweep_signed, SWEEP_SIGNED, false)
SWEEP(sweep_signed_super, SWEEP_SIGNED, true)
#endif

static sweep_function *sweep_of(const pipit_tile *tile) {
    bool super = tile->n_subs > 1;
#if PIPIT_DOT != PIPIT_DOT_PLAIN
    if (tile->is_signed) return super ? sweep_signed_super : sweep_signed;
#endif
    if (tile->two_scales || (tile->two_sums && !fits_whole(5, 0)))
        return sweep_halves;
    return super ? sweep_whole_super : sweep_whole;
}

static size_t panels_bytes(uint32_t n_cols, uint32_t n_tokens) {
    return (size_t)(n_cols / 32) * ((n_tokens + TOKENS - 1) / TOKENS) *
           panel_bytes(true);
}

/* Weights from `at` on are read into the second cache, FETCH_BYTES of them or at
 * least those before `need`: asked for tile by tile, memory is slow to begin with
 * each. Returns how far. */
static const uint8_t *fetch(const uint8_t *at, const uint8_t *need,
                            const uint8_t *end) {
    enum { FETCH_BYTES = 1 << 16, LINE = 64 };
    if (end - at > FETCH_BYTES) end = at + FETCH_BYTES;
    if (end < need) end = need;
    PIPIT_NO_UNROLL
    for (; at < end; at += LINE) (void)*(const volatile uint8_t *)at;
    return end;
}

/* n_tokens: PANEL_TOKENS at most. */
static void multiply_tiles(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                           const pipit_acts *x, uint32_t n_tokens, float *y,
                           size_t y_stride, uint8_t *scratch) {
    const pipit_form_info *form = pipit_form(w->type);
    bool wide = panel_is_wide(pipit_is_signed(form->code));
    act_panel *panels = (act_panel *)(void *)scratch;
    sweep_function *sweep_tile = NULL;
    const uint8_t *at = w->groups + g0 * w->group_bytes, *fetched = at;
    const uint8_t *end = w->groups + g1 * w->group_bytes;
    scratch += panels_bytes(w->n_cols, n_tokens);
    for (; g0 < g1; g0 += GROUPS) {
        uint32_t n_groups = g1 - g0 < GROUPS ? g1 - g0 : GROUPS;
        pipit_tile tile;
        at += n_groups * w->group_bytes;
        if (fetched < at) fetched = fetch(fetched, at, end);
        pipit_tile_unpack(w, g0, n_groups, wide, scratch, &tile);
        if (!sweep_tile) {
            sweep_tile = sweep_of(&tile);
            pack_panels((panel_form){tile.offset, sweep_tile == sweep_halves,
                                     tile.is_signed},
                        x, n_tokens, tile.n_blocks, panels);
        }
        sweep_tile(&tile, panels, n_tokens, n_groups, y + 4 * g0, y_stride);
    }
}

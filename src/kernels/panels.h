/* panels.h — the activations of four tokens side by side, as the sweeps of many.h
 * and few.h read them: from one pointer, at offsets that are constants. Made once
 * for each matrix; part of products.h. */
#if PIPIT_DOT == PIPIT_DOT_PLAIN
typedef int16_t act_quad[TOKENS][4]; /* four columns */
#else
typedef int8_t act_quad[TOKENS][4];
#endif

typedef struct act_panel { /* 32 columns */
    float d[TOKENS], d_sum[TOKENS], d_half_sum[2][TOKENS];
    act_sum begin[2][TOKENS]; /* - offset * sum, of all or of the two halves */
    act_quad q[8];
} act_panel;

/* Where a panel's sums begin: the same in all blocks of a matrix. */
typedef struct panel_form {
    int offset;
    bool halves, is_signed;
} panel_form;

PIPIT_INLINE v128_t panel_begin(panel_form f, const act_block *x, int h) {
    if (f.is_signed && !NIBBLES) return begin_signed(x);
    return begin(f.halves ? &x->minus_half[h] : &x->minus, f.offset);
}

PIPIT_INLINE void pack_panel(panel_form f, const act_rows x, uint32_t b,
                             act_panel *out) {
    PIPIT_UNROLL
    for (int t = 0; t < TOKENS; t++) {
        const act_block *from = x[t] + b;
        out->d[t] = from->d;
        out->d_sum[t] = from->d_sum;
        PIPIT_UNROLL
        for (int h = 0; h < 2; h++) {
            out->d_half_sum[h][t] = from->d_half_sum[h];
            wasm_v128_store32_lane(&out->begin[h][t],
                                   panel_begin(f, from, h), 0);
        }
        PIPIT_UNROLL
        for (int j = 0; j < 8; j++)
            memcpy(out->q[j][t], from->q + 4 * j, sizeof out->q[j][t]);
    }
}

/* n_tokens rows of acts, from row t0; the last row stands for those that are
 * missing. */
PIPIT_OUTLINE void pack_panels(panel_form f, const pipit_acts *acts,
                               uint32_t t0, uint32_t n_tokens,
                               uint32_t n_blocks, act_panel *out) {
    for (uint32_t p = 0; p < n_tokens; p += TOKENS) {
        act_rows x;
        for (uint32_t t = 0; t < TOKENS; t++)
            x[t] = act_row(acts, t0 + pipit_min_u32(p + t, n_tokens - 1));
        for (uint32_t b = 0; b < n_blocks; b++) pack_panel(f, x, b, out++);
    }
}

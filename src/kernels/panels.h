/* panels.h — the activations of four tokens side by side, as sweeps read them:
 * from one pointer, at offsets that are constants. Made once for a matrix. Part
 * of products.h. */
/* Four bytes of each token: four columns; or two as i16, of each four columns
 * first 0 and 2, then 1 and 3. */
typedef int8_t act_quad[TOKENS][4];

typedef struct act_panel { /* 32 columns */
    float d[TOKENS], d_sum[TOKENS], d_half_sum[2][TOKENS];
    act_sum begin[2][TOKENS]; /* - offset * sum, of all or of the two halves */
    act_quad q[]; /* 8; 16 if they are i16, or ones where amounts are below 0 */
} act_panel;

/* What a matrix makes of it. */
typedef struct panel_form {
    int offset;
    bool halves, is_signed;
} panel_form;

PIPIT_INLINE bool panel_is_wide(bool is_signed) {
    return PIPIT_DOT == PIPIT_DOT_PLAIN ||
           (PIPIT_DOT == PIPIT_DOT_16 && is_signed);
}
PIPIT_INLINE size_t panel_bytes(bool is_signed) {
    bool two = PIPIT_DOT == PIPIT_DOT_PLAIN || is_signed;
    return sizeof(act_panel) + (two ? 16 : 8) * sizeof(act_quad);
}
PIPIT_INLINE const act_panel *next_panel(const act_panel *x, bool is_signed) {
    return (const act_panel *)(const void *)((const uint8_t *)x +
                                             panel_bytes(is_signed));
}

PIPIT_INLINE void pack_quads(bool is_signed, const act_block *from, int t,
                             act_quad *q) {
    PIPIT_NO_UNROLL
    for (int j = 0; j < 8; j++) {
#if PIPIT_DOT == PIPIT_DOT_PLAIN
        (void)is_signed;
        memcpy(q[2 * j][t], from->q + 4 * j, 4);
        memcpy(q[2 * j + 1][t], from->q + 4 * j + 2, 4);
#else
        v128_t v = wasm_v128_load32_zero(from->q + 4 * j);
        if (!is_signed) {
            wasm_v128_store32_lane(q[j][t], v, 0);
        } else if (panel_is_wide(true)) {
            v = wasm_i16x8_extend_low_i8x16(v);
            v = wasm_i16x8_shuffle(v, v, 0, 2, 1, 3, 4, 5, 6, 7);
            wasm_v128_store32_lane(q[2 * j][t], v, 0);
            wasm_v128_store32_lane(q[2 * j + 1][t], v, 1);
        } else {
            splats s = amounts_of(from->q, j);
            wasm_v128_store32_lane(q[j][t], s.first, 0);
            wasm_v128_store32_lane(q[8 + j][t], s.second, 0);
        }
#endif
    }
}

PIPIT_INLINE v128_t panel_begin(panel_form f, const act_block *x, int h) {
    if (f.is_signed)
        return panel_is_wide(true) ? wasm_i32x4_splat(0) : begin_signed(x);
    return begin(f.halves ? &x->minus_half[h] : &x->minus, f.offset);
}

PIPIT_INLINE void pack_panel(panel_form f, bool is_signed, const act_rows x,
                             uint32_t b, act_panel *out) {
    PIPIT_NO_UNROLL
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
        pack_quads(is_signed, from, t, out->q);
    }
}

/* n_tokens rows of acts; the last stands for those that are missing. */
PIPIT_OUTLINE void pack_panels(panel_form f, const pipit_acts *acts,
                               uint32_t n_tokens, uint32_t n_blocks,
                               act_panel *out) {
    for (uint32_t p = 0; p < n_tokens; p += TOKENS) {
        act_rows x;
        for (uint32_t t = 0; t < TOKENS; t++)
            x[t] = act_row(acts, pipit_min_u32(p + t, n_tokens - 1));
        for (uint32_t b = 0; b < n_blocks; b++) {
            pack_panel(f, f.is_signed, x, b, out);
            out = (act_panel *)(void *)((uint8_t *)out +
                                        panel_bytes(f.is_signed));
        }
    }
}

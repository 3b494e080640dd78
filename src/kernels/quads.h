/* quads.h — products of three and four tokens (panels.h) with two row groups,
 * whose quants are unpacked in registers: for so few a tile costs more than it
 * saves. Part of products.h; for types of 4 bits, unsigned, or 8, signed.
 *
 * One sweep over the bytes of a block for each of its phases, which unpacks what
 * meets the same bytes of all quads: the low nibbles, the even bytes. More at once
 * would not fit the registers. */
PIPIT_INLINE int quad_phases(const vec_form *f) {
    bool is_signed = pipit_is_signed(f->code);
    return (f->bits == 4 ? 2 : 1) * (panel_is_wide(is_signed) ? 2 : 1);
}

PIPIT_INLINE v128_t quad_unpacked(const vec_form *f, int phase, v128_t v) {
    if (!panel_is_wide(pipit_is_signed(f->code)))
        return f->bits == 8 ? v : pipit_moved(v, 4 * phase, 15);
    if (f->bits == 8) {
        if (phase == 0) v = wasm_i16x8_shl(v, 8);
        return wasm_i16x8_shr(v, 8);
    }
    v = wasm_u16x8_shr(v, phase == 0 ? 0 : phase == 1 ? 8 : phase == 2 ? 4 : 12);
    return phase == 3 ? v : wasm_v128_and(v, pipit_constant(PIPIT_K_NIBBLES));
}

/* at: the block's quants, of both groups. */
PIPIT_INLINE void quad_columns(const vec_form *f, const uint8_t *const at[GROUPS],
                               const act_panel *x, sweep_sums sums) {
    bool is_signed = pipit_is_signed(f->code);
    sweep_kind kind = is_signed ? SWEEP_SIGNED : SWEEP_WHOLE;
    int step = panel_is_wide(is_signed) ? 2 : 1, n = f->bits * step;
    PIPIT_UNROLL
    for (int phase = 0; phase < quad_phases(f); phase++) {
        const act_quad *quad = x->q + phase / step * n + phase % step;
        const act_quad *end = quad + n;
        const uint8_t *a = at[0], *b = at[1];
        PIPIT_NO_UNROLL
        for (; quad < end; quad += step, a += 16, b += 16) {
            PIPIT_BUMP(quad);
            PIPIT_BUMP(a);
            PIPIT_BUMP(b);
            v128_t v[GROUPS] = {
                quad_unpacked(f, phase, wasm_v128_load(a)),
                quad_unpacked(f, phase, wasm_v128_load(b)),
            };
            /* From the last: older engines keep one sum less in memory then. */
            PIPIT_UNROLL
            for (int t = TOKENS - 1; t >= 0; t--)
                PIPIT_UNROLL
                for (int g = 0; g < GROUPS; g++)
                    sums[t][g] = add_quad(kind, sums[t][g], quad, t, v[g]);
        }
    }
}

/* sub[t][g] += dx * (scale * idot), of one block of 32. */
PIPIT_INLINE void quad_dots(const vec_form *f, const uint8_t *const block[GROUPS],
                            uint32_t s, const act_panel *x, sweep_sums sub) {
    bool i16 = PIPIT_DOT == PIPIT_DOT_16 && !pipit_is_signed(f->code);
    uint32_t at = f->quants_at + s * 16 * (uint32_t)f->bits;
    const uint8_t *const quants[GROUPS] = {block[0] + at, block[1] + at};
    sweep_sums sums;
    sweep_begin(x, 0, sums);
    quad_columns(f, quants, x, sums);
    PIPIT_UNROLL
    for (int g = 0; g < GROUPS; g++) {
        bool scaled = f->scales == PIPIT_SCALES_U8;
        v128_t scale =
            scaled ? pipit_scale_pairs(block[g] + f->scales_at + 4 * s, false)
                   : wasm_i16x8_splat(1);
        PIPIT_UNROLL
        for (int t = 0; t < TOKENS; t++) {
            v128_t dot = sums[t][g], d = wasm_v128_load32_splat(&x->d[t]);
            if (i16)
                dot = scaled ? end_dot(dot, scale) : end_plain(dot);
            else if (scaled)
                dot = times_pairs(dot, scale);
            dot = wasm_f32x4_convert_i32x4(dot);
            sub[t][g] = f->n_subs == 1 ? wasm_f32x4_mul(dot, d)
                                       : add_product(sub[t][g], dot, d);
        }
    }
}

/* add_small_mins from the blocks. */
PIPIT_INLINE void quad_mins(const vec_form *f, uint32_t n_blocks,
                            const uint8_t *a, const uint8_t *b,
                            const act_panel *x, sweep_sums acc) {
    sweep_sums all;
    clear(all);
    PIPIT_NO_UNROLL
    for (; n_blocks > 0; n_blocks--) {
        const v128_t min[GROUPS] = {pipit_f16x4(a + 8), pipit_f16x4(b + 8)};
        PIPIT_BUMP(x);
        add_min(min, x, all);
        x = next_panel(x, false);
        a += f->block_bytes;
        b += f->block_bytes;
    }
    add_sums(all, acc);
}

PIPIT_INLINE void quad_groups(const vec_form *f, uint32_t n_blocks,
                              const uint8_t *a, const uint8_t *b,
                              const act_panel *x, sweep_sums out) {
    sweep_sums acc;
    const uint8_t *first_a = a, *first_b = b;
    const act_panel *first_x = x;
    sweep_sums sub;
    clear(acc);
    for (uint32_t left = n_blocks; left > 0; left -= f->n_subs) {
        const uint8_t *const block[GROUPS] = {a, b};
        clear(sub);
        PIPIT_NO_UNROLL
        for (uint32_t s = 0; s < f->n_subs; s++) {
            quad_dots(f, block, s, x, sub);
            x = next_panel(x, pipit_is_signed(f->code));
        }
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++) {
            v128_t d = pipit_f16x4(block[g]);
            PIPIT_UNROLL
            for (int t = 0; t < TOKENS; t++)
                acc[t][g] = add_product(acc[t][g], d, sub[t][g]);
        }
        a += f->block_bytes;
        b += f->block_bytes;
    }
    if (f->has_min && f->n_subs == 1)
        quad_mins(f, n_blocks, first_a, first_b, first_x, acc);
    copy(acc, out);
}

/* Two row groups: a function for each type. */
typedef void quad_function(uint32_t n_blocks, const uint8_t *a,
                           const uint8_t *b, const act_panel *x,
                           sweep_sums out);

/* n_tokens: 4 at most. */
static void quad_rows(quad_function *quad, const pipit_matrix *w, uint32_t g0,
                      uint32_t g1, const act_panel *x, uint32_t n_tokens,
                      float *y, size_t y_stride, uint8_t *scratch) {
    const pipit_form_info *form = pipit_form(w->type);
    bool mins_left = form->has_min && form->n_subs > 1;
    for (uint32_t g = g0; g < g1; g += GROUPS) {
        uint32_t n_groups = pipit_min_u32(g1 - g, GROUPS);
        const uint8_t *a = w->groups + g * w->group_bytes;
        pipit_tile mins = {0};
        sweep_sums out;
        if (mins_left)
            pipit_tile_unpack_mins(w, g, n_groups, false, scratch, &mins);
        quad(w->n_cols / 32, a, n_groups > 1 ? a + w->group_bytes : a, x, out);
        pipit_tile_finish(&mins, mins_left ? x->d_sum : NULL,
                          panel_bytes(false), out, n_tokens, n_groups,
                          y + 4 * g, y_stride);
    }
}

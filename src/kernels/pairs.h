/* pairs.h — products of two or four tokens: quants of two row groups are unpacked
 * in registers, one vector after the other, and share the activations' splats. The
 * two are half a matrix apart: streams that a processor can follow, where
 * neighbours' would leap over each other. For quants of four or eight bits that have
 * one scale, or U8 ones. Part of products.h. */
typedef vec_sums pair_sums_of[TOKENS][GROUPS];
typedef v128_t pair_values[TOKENS][GROUPS];
typedef const uint8_t *pair_blocks[GROUPS];

#define PAIR_EACH(f, t, g)                         \
    PIPIT_UNROLL                                   \
    for (int t = 0; t < (f)->n_tokens; t++)        \
        PIPIT_UNROLL                               \
        for (int g = 0; g < GROUPS; g++)

/* Vector i of eight bits of both groups, or of four; or i + 4 in the same bytes. */
PIPIT_INLINE void pair_vector(const vec_form *f, const pair_blocks quants, int i,
                              bool high, const act_rows x, pair_sums_of sums) {
    v128_t v[GROUPS];
    PIPIT_UNROLL
    for (int g = 0; g < GROUPS; g++) {
        v[g] = wasm_v128_load(quants[g] + 16 * i);
        if (f->bits == 4) v[g] = pipit_moved(v[g], high ? 4 : 0, 15);
    }
    if (high) i += 4;
    PIPIT_UNROLL
    for (int t = 0; t < f->n_tokens; t++) {
        splats a = vec_splats(f, x[t], i);
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++)
            vec_add(f, false, i, a, v[g], &sums[t][g]);
    }
}

/* Not unrolled: many sums would be finished one after the other, with everything
 * else waiting in memory. What is high has a loop of its own, or what is low
 * would be added there. */
PIPIT_INLINE void pair_dots(const vec_form *f, const pair_blocks blocks,
                            uint32_t s, const act_rows x, pair_sums_of sums) {
    size_t at = f->quants_at + s * 16 * (size_t)f->bits;
    const pair_blocks quants = {blocks[0] + at, blocks[1] + at};
    PAIR_EACH(f, t, g) sums[t][g] = vec_begin(f, false, x[t]);
    PIPIT_NO_UNROLL
    for (int i = 0; i < f->bits; i++) pair_vector(f, quants, i, false, x, sums);
    PIPIT_NO_UNROLL
    for (int i = 0; i < 8 - f->bits; i++)
        pair_vector(f, quants, i, true, x, sums);
}

/* A small block: acc += d * (dx * dot), acc_min += m * d_sum. What stays in memory
 * meets what is in registers token by token; scales are read before, since each
 * store might change them. */
PIPIT_INLINE void pair_small(const vec_form *f, const pair_blocks blocks,
                             const act_rows x, pair_values acc,
                             pair_values acc_min) {
    v128_t d[GROUPS], m[GROUPS];
    pair_sums_of sums;
    pair_values dot;
    pair_dots(f, blocks, 0, x, sums);
    PAIR_EACH(f, t, g) {
        v128_t total = pipit_is_signed(f->code) ? sums[t][g].all
                                                : end_plain(sums[t][g].of[0]);
        dot[t][g] = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(total),
                                   wasm_v128_load32_splat(&x[t]->d));
    }
    for (int g = 0; g < GROUPS; g++) d[g] = pipit_f16x4(blocks[g]);
    PAIR_EACH(f, t, g) acc[t][g] = add_product(acc[t][g], d[g], dot[t][g]);
    PIPIT_IN_MEMORY(acc);
    if (!f->has_min) return;
    for (int g = 0; g < GROUPS; g++) m[g] = pipit_f16x4(blocks[g] + 8);
    PAIR_EACH(f, t, g)
    acc_min[t][g] = add_product(acc_min[t][g], m[g],
                                wasm_v128_load32_splat(&x[t]->d_sum));
    PIPIT_IN_MEMORY(acc_min);
}

/* Sub-block s of a super-block: sum += dx * (scale * dot), u += min * d_sum. */
PIPIT_INLINE void pair_sub(const vec_form *f, const pair_blocks blocks,
                           uint32_t s, const act_rows x, pair_values sum,
                           pair_values u) {
    v128_t scale[GROUPS], min[GROUPS];
    pair_sums_of sums;
    pair_dots(f, blocks, s, x, sums);
    for (int g = 0; g < GROUPS; g++)
        scale[g] = pipit_scale_pairs(blocks[g] + f->scales_at + 4 * s, false);
    PAIR_EACH(f, t, g)
    sum[t][g] = add_product(
        sum[t][g],
        wasm_f32x4_convert_i32x4(end_dot(sums[t][g].of[0], scale[g])),
        wasm_v128_load32_splat(&x[t]->d));
    PIPIT_IN_MEMORY(sum);
    for (int g = 0; g < GROUPS; g++)
        min[g] = pipit_floats_of_u8(blocks[g] + f->mins_at + 4 * s);
    PAIR_EACH(f, t, g)
    u[t][g] = add_product(u[t][g], min[g],
                          wasm_v128_load32_splat(&x[t]->d_sum));
    PIPIT_IN_MEMORY(u);
}

/* acc += d * sum, acc_min -= m * u; x goes on. */
PIPIT_INLINE void pair_super(const vec_form *f, const pair_blocks blocks,
                             act_rows x, pair_values acc,
                             pair_values acc_min) {
    v128_t d[GROUPS], m[GROUPS];
    pair_values sum, u;
    PAIR_EACH(f, t, g) sum[t][g] = u[t][g] = wasm_f32x4_splat(0);
    PIPIT_NO_UNROLL
    for (uint32_t s = 0; s < f->n_subs; s++) {
        pair_sub(f, blocks, s, x, sum, u);
        for (int t = 0; t < f->n_tokens; t++) x[t]++;
    }
    for (int g = 0; g < GROUPS; g++) {
        d[g] = pipit_f16x4(blocks[g]);
        m[g] = pipit_f16x4(blocks[g] + 8);
    }
    PAIR_EACH(f, t, g) {
        acc[t][g] = add_product(acc[t][g], d[g], sum[t][g]);
        acc_min[t][g] =
            wasm_f32x4_sub(acc_min[t][g], wasm_f32x4_mul(m[g], u[t][g]));
    }
    PIPIT_IN_MEMORY(acc);
    PIPIT_IN_MEMORY(acc_min);
}

/* A row group and the one `apart` after it. The last of n_tokens stands for one
 * that is missing. */
PIPIT_INLINE void pair_groups(const vec_form *f, const pipit_matrix *w,
                              uint32_t group, uint32_t apart,
                              const pipit_acts *acts, uint32_t n_tokens,
                              float *y, size_t y_stride) {
    const uint8_t *first = w->groups + group * w->group_bytes;
    pair_blocks blocks = {first, first + apart * w->group_bytes};
    pair_values acc, acc_min;
    act_rows x;
    PAIR_EACH(f, t, g) acc[t][g] = acc_min[t][g] = wasm_f32x4_splat(0);
    for (uint32_t t = 0; t < (uint32_t)f->n_tokens; t++)
        x[t] = act_row(acts, pipit_min_u32(t, n_tokens - 1));
    for (uint32_t b = w->n_cols / 32 / f->n_subs; b > 0; b--) {
        if (f->n_subs > 1) {
            pair_super(f, blocks, x, acc, acc_min);
        } else {
            pair_small(f, blocks, x, acc, acc_min);
            for (int t = 0; t < f->n_tokens; t++) x[t]++;
        }
        for (int g = 0; g < GROUPS; g++) blocks[g] += f->block_bytes;
    }
    PAIR_EACH(f, t, g) {
        uint32_t row = pipit_min_u32((uint32_t)t, n_tokens - 1);
        if (f->has_min) acc[t][g] = wasm_f32x4_add(acc[t][g], acc_min[t][g]);
        wasm_v128_store(y + row * y_stride + 4 * (group + (size_t)g * apart),
                        acc[t][g]);
    }
}

/* Row groups g0 <= g < g1 and those `apart` after them. */
PIPIT_INLINE void pair_rows(const vec_form *f, const pipit_matrix *w,
                            uint32_t g0, uint32_t g1, uint32_t apart,
                            const pipit_acts *x, uint32_t n_tokens, float *y,
                            size_t y_stride) {
    for (uint32_t g = g0; g < g1; g++)
        pair_groups(f, w, g, apart, x, n_tokens, y, y_stride);
}

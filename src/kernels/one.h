/* one.h — products of one token: the quants of a row group are unpacked in
 * registers, in a loop compiled for each type. Part of products.h. */
/* What is known of a type when its loop is compiled. */
typedef struct vec_form {
    pipit_form_code code;
    pipit_form_scales scales;
    int bits, offset;
    bool has_min;
    uint32_t n_subs, block_bytes, scales_at, mins_at, quants_at;
    int n_tokens; /* at once: 1, or as pairs.h has it */
} vec_form;

/* scale * idot of 32 columns; sums: of the two halves, or of all in the first. */
PIPIT_INLINE v128_t vec_scaled(const vec_form *f, const uint8_t *block,
                               uint32_t s, bool split, const v128_t sums[2]) {
    const uint8_t *at = block + f->scales_at + 4 * s, *half = at + 4 * s;
    v128_t total, one;
    switch (f->scales) {
        case PIPIT_SCALES_NONE:
            total = end_plain(sums[0]);
            if (split) total = wasm_i32x4_add(total, end_plain(sums[1]));
            break;
        case PIPIT_SCALES_U8:
        case PIPIT_SCALES_I8:
            one = pipit_scale_pairs(at, f->scales == PIPIT_SCALES_I8);
            total = end_dot(sums[0], one);
            if (split) total = wasm_i32x4_add(total, end_dot(sums[1], one));
            break;
        case PIPIT_SCALES_I8_16:
            total = wasm_i32x4_add(
                end_dot(sums[0], pipit_scale_pairs(half, true)),
                end_dot(sums[1], pipit_scale_pairs(half + 4, true)));
            break;
        case PIPIT_SCALES_U4_16:
            total = wasm_i32x4_add(end_dot(sums[0], pipit_low_pairs(half)),
                                   end_dot(sums[1], pipit_low_pairs(half + 4)));
            break;
        default: /* FP8_16 */
            return wasm_f32x4_add(
                wasm_f32x4_mul(pipit_ue4m3x4(half),
                               wasm_f32x4_convert_i32x4(end_plain(sums[0]))),
                wasm_f32x4_mul(pipit_ue4m3x4(half + 4),
                               wasm_f32x4_convert_i32x4(end_plain(sums[1]))));
    }
    return wasm_f32x4_convert_i32x4(total);
}

PIPIT_INLINE v128_t vec_scaled_signed(const vec_form *f, const uint8_t *block,
                                      uint32_t s, v128_t total) {
    if (f->scales == PIPIT_SCALES_I8)
        total = times_pairs(
            total, pipit_scale_pairs(block + f->scales_at + 4 * s, true));
    return wasm_f32x4_convert_i32x4(total);
}

/* Integer sums of one block, token and row group. */
typedef struct vec_sums {
    v128_t of[2]; /* unsigned quants: of the halves, or of all in the first */
    v128_t all;
} vec_sums;

/* Vector j of the block, in registers, meets its activations. */
PIPIT_INLINE void vec_add(const vec_form *f, bool split, int j, splats x,
                          v128_t v, vec_sums *sums) {
    if (pipit_is_signed(f->code))
        sums->all = add_signed(sums->all, x, v);
    else if (split && j >= 4)
        sums->of[1] = add_dot(sums->of[1], x, v);
    else
        sums->of[0] = add_dot(sums->of[0], x, v);
}

PIPIT_INLINE splats vec_splats(const vec_form *f, const act_block *x, int j) {
    return pipit_is_signed(f->code) ? amounts_of(x->q, j)
                                    : splats_of(x->q, j);
}

/* Vector i of four or eight packed bits. */
PIPIT_INLINE void vec_alike(const vec_form *f, const uint8_t *at, bool split,
                            int i, const act_block *x, vec_sums *sums) {
    v128_t packed = wasm_v128_load(at + 16 * i), v = packed;
    if (f->bits == 4) v = pipit_decoded(f->code, pipit_masked(v, 15));
    vec_add(f, split, 0, vec_splats(f, x, i), v, sums);
    if (f->bits != 4) return;
    v = pipit_decoded(f->code, pipit_moved(packed, 4, 15));
    vec_add(f, split, 4, vec_splats(f, x, i + 4), v, sums);
}

/* The others. */
PIPIT_INLINE void vec_mixed(const vec_form *f, const uint8_t *at, uint32_t s,
                            bool split, const act_block *x, vec_sums *sums) {
    v128_t v[8];
    if (f->code == PIPIT_CODE_TRITS)
        pipit_split_trits(at, s, v);
    else
        pipit_split(f->bits, at, v);
    PIPIT_UNROLL
    for (int j = 0; j < 8; j++) {
        if (f->bits == 1) v[j] = wasm_i8x16_add(v[j], v[j]);
        vec_add(f, split, j, vec_splats(f, x, j), v[j], sums);
    }
}

PIPIT_INLINE vec_sums vec_begin(const vec_form *f, bool split,
                                const act_block *x) {
    return (vec_sums){
        .of = {begin(split ? &x->minus_half[0] : &x->minus, f->offset),
               begin(&x->minus_half[1], f->offset)},
        .all = begin_signed(x)};
}

/* scale * idot, from quants and activations. Unrolled, unless widening takes the
 * registers. */
PIPIT_INLINE v128_t vec_dot(const vec_form *f, const uint8_t *block,
                            uint32_t s, const act_block *x) {
    bool split = f->scales >= PIPIT_SCALES_I8_16 ||
                 !fits_whole(f->bits, f->offset);
    const uint8_t *at = block + f->quants_at + s * 16 * (uint32_t)f->bits;
    vec_sums sums = vec_begin(f, split, x);
    if (f->bits != 4 && f->bits != 8) {
        vec_mixed(f, at, s, split, x, &sums);
    } else if (PIPIT_DOT != PIPIT_DOT_PLAIN) {
        PIPIT_UNROLL
        for (int i = 0; i < f->bits; i++) vec_alike(f, at, split, i, x, &sums);
    } else {
        PIPIT_NO_UNROLL
        for (int i = 0; i < f->bits; i++) vec_alike(f, at, split, i, x, &sums);
    }
    return pipit_is_signed(f->code)
               ? vec_scaled_signed(f, block, s, sums.all)
               : vec_scaled(f, block, s, split, sums.of);
}

/* u + min * d_sum of 32 columns. */
PIPIT_INLINE v128_t vec_min(const vec_form *f, const uint8_t *block, uint32_t s,
                            const act_block *x, v128_t u) {
    const uint8_t *half = block + f->scales_at + 8 * s;
    if (f->n_subs == 1) return wasm_v128_load32_splat(&x->d_sum);
    if (f->scales != PIPIT_SCALES_U4_16)
        return add_product(u, pipit_floats_of_u8(block + f->mins_at + 4 * s),
                           wasm_v128_load32_splat(&x->d_sum));
    u = add_product(u, pipit_floats_of_high(half),
                    wasm_v128_load32_splat(&x->d_half_sum[0]));
    return add_product(u, pipit_floats_of_high(half + 4),
                       wasm_v128_load32_splat(&x->d_half_sum[1]));
}

/* acc + d * t, where the block has a d. */
PIPIT_INLINE v128_t vec_block(const vec_form *f, const uint8_t *block, v128_t t,
                              v128_t acc) {
    if (f->scales == PIPIT_SCALES_FP8_16) return wasm_f32x4_add(acc, t);
    return add_product(acc,
                       f->code == PIPIT_CODE_FP4 ? pipit_e8m0x4(block)
                                                 : pipit_f16x4(block),
                       t);
}

/* And acc + m * u; super-blocks' minimums are taken away. */
PIPIT_INLINE v128_t vec_block_min(const vec_form *f, const uint8_t *block,
                                  v128_t u, v128_t acc) {
    v128_t product = wasm_f32x4_mul(pipit_f16x4(block + 8), u);
    return f->n_subs == 1 ? wasm_f32x4_add(acc, product)
                          : wasm_f32x4_sub(acc, product);
}

PIPIT_INLINE v128_t vec_group(const vec_form *f, const pipit_matrix *w,
                              const uint8_t *block, const act_block *x) {
    v128_t acc = wasm_f32x4_splat(0), acc_min = wasm_f32x4_splat(0);
    for (uint32_t b = w->n_cols / 32 / f->n_subs; b > 0; b--) {
        v128_t sum = wasm_f32x4_splat(0), u = wasm_f32x4_splat(0);
        PIPIT_NO_UNROLL
        for (uint32_t s = 0; s < f->n_subs; s++) {
            v128_t dot = vec_dot(f, block, s, x);
            v128_t d = wasm_v128_load32_splat(&x->d);
            sum = f->n_subs == 1 ? wasm_f32x4_mul(dot, d)
                                 : add_product(sum, dot, d);
            if (f->has_min) u = vec_min(f, block, s, x, u);
            x++;
        }
        acc = vec_block(f, block, sum, acc);
        if (f->has_min) acc_min = vec_block_min(f, block, u, acc_min);
        block += f->block_bytes;
    }
    return f->has_min ? wasm_f32x4_add(acc, acc_min) : acc;
}

PIPIT_INLINE void vec_rows(const vec_form *f, const pipit_matrix *w,
                           uint32_t g0, uint32_t g1, const act_block *x,
                           float *y) {
    for (uint32_t g = g0; g < g1; g++)
        wasm_v128_store(y + 4 * (size_t)g,
                        vec_group(f, w, w->groups + g * w->group_bytes, x));
}

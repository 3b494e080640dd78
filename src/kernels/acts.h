/* acts.h — activations as 8-bit integers, and the integer sums that they and
 * quants make. Part of products.h. */
/* A sum of quants, negative, as a first value wants it: for i16 sums those of
 * columns 0, 1 and 2, 3 of each four apart. */
#if PIPIT_DOT == PIPIT_DOT_16
typedef int16_t act_sum[2];
#else
typedef int32_t act_sum[1];
#endif

#if PIPIT_DOT == PIPIT_DOT_PLAIN
typedef int16_t act_quant; /* of each four columns 0, 2, 1, 3 */
#else
typedef int8_t act_quant;
#endif

/* 32 activations. */
typedef struct act_block {
    float d;
    float d_sum, d_half_sum[2]; /* d times the sums of all and of each 16 */
    int32_t below; /* the sum of |q| where q < 0 */
    act_sum minus, minus_half[2];
    act_quant q[32];
} act_block;

/* Tokens that are multiplied together, and the columns they are at. */
typedef const act_block *act_rows[TOKENS];

PIPIT_INLINE const act_block *act_row(const pipit_acts *acts, uint32_t t) {
    return (const act_block *)(const void *)(acts->blocks +
                                             (size_t)t * acts->block_stride);
}

PIPIT_INLINE v128_t quantize_4(const float *x, v128_t inverse) {
    v128_t round = pipit_float(PIPIT_F_ROUND);
    v128_t v = wasm_f32x4_mul(wasm_v128_load(x), inverse);
    v = wasm_v128_and(v, wasm_f32x4_eq(v, v)); /* NaN: 0 */
    v = wasm_f32x4_pmax(pipit_float(PIPIT_F_MINUS_127), v);
    v = wasm_f32x4_pmin(pipit_float(PIPIT_F_127), v);
    /* Adding 1.5 * 2^23 rounds to even and leaves the integer in the low bits. */
    return wasm_i32x4_sub(wasm_f32x4_add(v, round), round);
}

PIPIT_INLINE float largest_32(const float *x) {
    v128_t best = wasm_f32x4_splat(0);
    PIPIT_UNROLL
    for (int i = 0; i < 32; i += 4) /* pmax keeps `best` where x is NaN */
        best = wasm_f32x4_pmax(best, wasm_f32x4_abs(wasm_v128_load(x + i)));
    best = wasm_f32x4_pmax(best, wasm_i32x4_shuffle(best, best, 2, 3, 0, 1));
    best = wasm_f32x4_pmax(best, wasm_i32x4_shuffle(best, best, 1, 0, 3, 2));
    return wasm_f32x4_extract_lane(best, 0);
}

/* Sums of i16 vectors: of the lanes that hold columns 0, 1 of each four in even
 * places, of those that hold 2, 3 in odd ones: a's first, then b's. */
PIPIT_INLINE v128_t pair_sums(v128_t a, v128_t b) {
    a = wasm_i32x4_extadd_pairwise_i16x8(a);
    b = wasm_i32x4_extadd_pairwise_i16x8(b);
    return wasm_i32x4_add(wasm_i32x4_shuffle(a, b, 0, 1, 4, 5),
                          wasm_i32x4_shuffle(a, b, 2, 3, 6, 7));
}

/* Lanes 0 and 1 changed, and 2 and 3. */
PIPIT_INLINE v128_t neighbours(v128_t v) {
    return wasm_i32x4_shuffle(v, v, 1, 0, 3, 2);
}

/* With lanes 0 and 1 changed for 2 and 3. */
PIPIT_INLINE v128_t other_half(v128_t v) {
    return wasm_i32x4_shuffle(v, v, 2, 3, 0, 1);
}

/* Only what is negative of both, added. */
PIPIT_INLINE v128_t below_0(v128_t low, v128_t high) {
    const v128_t zero = wasm_i32x4_splat(0);
    return wasm_i16x8_add(wasm_i16x8_min(low, zero),
                          wasm_i16x8_min(high, zero));
}

/* minus: lanes 0 and 1 of the first half, 2 and 3 of the second. */
PIPIT_INLINE void set_minus(act_block *out, v128_t minus) {
    v128_t all = wasm_i32x4_add(minus, other_half(minus));
#if PIPIT_DOT == PIPIT_DOT_16
    wasm_v128_store64_lane(out->minus_half,
                           wasm_i16x8_narrow_i32x4(minus, minus), 0);
    wasm_v128_store32_lane(out->minus, wasm_i16x8_narrow_i32x4(all, all), 0);
#else
    minus = wasm_i32x4_add(minus, neighbours(minus));
    wasm_v128_store32_lane(out->minus_half[0], minus, 0);
    wasm_v128_store32_lane(out->minus_half[1], minus, 2);
    wasm_v128_store32_lane(out->minus, wasm_i32x4_add(all, neighbours(all)),
                           0);
#endif
}

/* Sixteen quants, widened. */
PIPIT_INLINE void store_quants(act_quant *to, v128_t low, v128_t high) {
#if PIPIT_DOT == PIPIT_DOT_PLAIN
    low = wasm_i16x8_shuffle(low, low, 0, 2, 1, 3, 4, 6, 5, 7);
    high = wasm_i16x8_shuffle(high, high, 0, 2, 1, 3, 4, 6, 5, 7);
    wasm_v128_store(to, low);
    wasm_v128_store(to + 8, high);
#else
    wasm_v128_store(to, wasm_i8x16_narrow_i16x8(low, high));
#endif
}

static void quantize_block(const float *x, act_block *out) {
    float amax = largest_32(x);
    v128_t inverse = wasm_f32x4_splat(amax > 0 ? 127.0f / amax : 0);
    v128_t q[4], half[2], below = wasm_i32x4_splat(0);
    PIPIT_UNROLL
    for (int h = 0; h < 2; h++) {
        PIPIT_UNROLL
        for (int i = 0; i < 4; i++)
            q[i] = quantize_4(x + 16 * h + 4 * i, inverse);
        v128_t low = wasm_i16x8_narrow_i32x4(q[0], q[1]);
        v128_t high = wasm_i16x8_narrow_i32x4(q[2], q[3]);
        half[h] = wasm_i16x8_add(low, high);
        below = wasm_i16x8_add(below, below_0(low, high));
        store_quants(out->q + 16 * h, low, high);
    }
    v128_t sums = pair_sums(half[0], half[1]);
    v128_t halves = wasm_i32x4_add(sums, neighbours(sums));
    v128_t all = wasm_i32x4_add(halves, other_half(halves));
    all = wasm_i32x4_shuffle(all, halves, 0, 4, 6, 0); /* and each half's */
    out->d = amax / 127.0f;
    v128_t d_sums = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(all),
                                   wasm_f32x4_splat(out->d));
    wasm_v128_store64_lane(&out->d_sum, d_sums, 0);
    wasm_v128_store32_lane(&out->d_half_sum[1], d_sums, 2);
    below = pair_sums(below, below);
    below = wasm_i32x4_neg(wasm_i32x4_add(below, neighbours(below)));
    wasm_v128_store32_lane(&out->below, below, 0);
    set_minus(out, wasm_i32x4_neg(sums));
}

static void quantize(const float *x, size_t n, uint8_t *blocks) {
    act_block *out = (act_block *)(void *)blocks;
    for (size_t b = 0; b < n / 32; b++) quantize_block(x + 32 * b, out + b);
}

/* Each two i16 as i32. On the machines for which PIPIT_DOT_16 is the quicker form
 * an engine makes it a product with ones that it fetches anew each time. */
PIPIT_INLINE v128_t add_pairs(v128_t v) {
#if PIPIT_DOT == PIPIT_DOT_16
    return wasm_i32x4_dot_i16x8(v, pipit_constant(PIPIT_K_ONES));
#else
    return wasm_i32x4_extadd_pairwise_i16x8(v);
#endif
}

/* ---- integer sums -------------------------------------------------------- */

/* The activations that meet vector j: four columns, or each two of them. */
typedef struct splats {
    v128_t first, second;
} splats;

PIPIT_INLINE splats splats_of(const act_quant *q, int j) {
    splats s = {wasm_v128_load32_splat(q + 4 * j), wasm_i32x4_splat(0)};
#if PIPIT_DOT == PIPIT_DOT_PLAIN
    s.second = wasm_v128_load32_splat(q + 4 * j + 2);
#endif
    return s;
}

/* Amounts, and ones where the activation is negative; plain: as they are. */
PIPIT_INLINE splats amounts_of(const act_quant *q, int j) {
    splats s = splats_of(q, j);
#if PIPIT_DOT != PIPIT_DOT_PLAIN
    s.second = wasm_i8x16_gt(pipit_constant(PIPIT_K_ZERO), s.first);
    s.first = wasm_i8x16_abs(s.first);
#endif
    return s;
}

/* - offset * the sum of activations: what a sum begins with. */
PIPIT_INLINE v128_t begin(const act_sum *minus, int offset) {
    if (offset == 0) return wasm_i32x4_splat(0);
#if PIPIT_DOT == PIPIT_DOT_16
    return wasm_i16x8_mul(wasm_v128_load32_splat(minus),
                          wasm_i16x8_splat((int16_t)offset));
#else
    return wasm_i32x4_mul(wasm_v128_load32_splat(minus),
                          wasm_i32x4_splat(offset));
#endif
}

/* sum + the dot of unsigned quants with activations. */
PIPIT_INLINE v128_t add_dot(v128_t sum, splats x, v128_t q) {
#if PIPIT_DOT == PIPIT_DOT_PLAIN
    v128_t even = wasm_v128_and(q, pipit_constant(PIPIT_K_EVEN_BYTES));
    sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(x.first, even));
    return wasm_i32x4_add(
        sum, wasm_i32x4_dot_i16x8(x.second, wasm_u16x8_shr(q, 8)));
#elif PIPIT_DOT == PIPIT_DOT_16
    return wasm_i16x8_add(sum, wasm_i16x8_relaxed_dot_i8x16_i7x16(x.first, q));
#else
    return wasm_i32x4_relaxed_dot_i8x16_i7x16_add(x.first, q, sum);
#endif
}

/* sum + the dot of signed quants with amounts: i32 in all implementations. */
PIPIT_INLINE v128_t add_signed(v128_t sum, splats x, v128_t q) {
#if PIPIT_DOT == PIPIT_DOT_PLAIN
    v128_t even = wasm_i16x8_shr(wasm_i16x8_shl(q, 8), 8);
    sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(x.first, even));
    return wasm_i32x4_add(
        sum, wasm_i32x4_dot_i16x8(x.second, wasm_i16x8_shr(q, 8)));
#elif PIPIT_DOT == PIPIT_DOT_16
    q = wasm_v128_xor(q, x.second);
    return wasm_i32x4_add(
        sum, add_pairs(wasm_i16x8_relaxed_dot_i8x16_i7x16(q, x.first)));
#else
    q = wasm_v128_xor(q, x.second);
    return wasm_i32x4_relaxed_dot_i8x16_i7x16_add(q, x.first, sum);
#endif
}

/* What a sum of signed quants begins with. */
PIPIT_INLINE v128_t begin_signed(const act_block *x) {
#if PIPIT_DOT == PIPIT_DOT_PLAIN
    (void)x;
    return wasm_i32x4_splat(0);
#else
    return wasm_v128_load32_splat(&x->below);
#endif
}

/* Scale pairs as i32 for sums that are i32. */
PIPIT_INLINE v128_t times_pairs(v128_t sum, v128_t pairs) {
    return wasm_i32x4_mul(sum, wasm_i32x4_shr(pairs, 16));
}

/* An unsigned sum times its scale, exactly: i32. */
PIPIT_INLINE v128_t end_dot(v128_t sum, v128_t pairs) {
#if PIPIT_DOT == PIPIT_DOT_16
    return wasm_i32x4_dot_i16x8(sum, pairs);
#else
    return times_pairs(sum, pairs);
#endif
}

/* And where the scale is 1. */
PIPIT_INLINE v128_t end_plain(v128_t sum) {
#if PIPIT_DOT == PIPIT_DOT_16
    return add_pairs(sum);
#else
    return sum;
#endif
}

/* Whether eight vectors of quants can be summed as one. */
PIPIT_INLINE bool fits_whole(int bits, int offset) {
    return PIPIT_DOT != PIPIT_DOT_16 || bits != 5 || offset != 0;
}

PIPIT_INLINE v128_t add_product(v128_t acc, v128_t a, v128_t b) {
    return wasm_f32x4_add(acc, wasm_f32x4_mul(a, b));
}

/* attention8.h — attention with keys and values of 8 bits, as kv8.h describes it.
 * Part of products.h. */
#define SCORE_ROWS 3 /* that share a load of keys */

/* pipit_kv8_unit, in all lanes. */
typedef struct unit_4 {
    v128_t unit, inverse;
} unit_4;

/* pipit_kv8_unit_of what is largest in the lanes of most and of sum. */
PIPIT_INLINE unit_4 unit_of(v128_t most, v128_t sum, float bound) {
    v128_t a = wasm_i32x4_shuffle(most, sum, 0, 1, 4, 5);
    v128_t b = wasm_i32x4_shuffle(most, sum, 2, 3, 6, 7);
    v128_t both = wasm_f32x4_pmax(a, b);
    both = wasm_f32x4_pmax(both, neighbours(both));
    both = wasm_f32x4_div(
        both, wasm_f32x4_make(127.0f, 127.0f, bound, bound));
    unit_4 u = {.unit = wasm_f32x4_pmax(both, other_half(both))};
    u.unit = wasm_i32x4_shuffle(u.unit, u.unit, 0, 0, 0, 0);
    v128_t enough =
        wasm_f32x4_ge(u.unit, wasm_f32x4_splat(PIPIT_KV8_LEAST_UNIT));
    u.inverse = wasm_v128_and(
        enough, wasm_f32x4_div(pipit_float(PIPIT_F_1), u.unit));
    return u;
}

/* Lanes 0 and 1 added, in both places, and 2 and 3. */
PIPIT_INLINE v128_t pairs(v128_t v) {
    return wasm_f32x4_add(v, neighbours(v));
}

/* ---- scores ---------------------------------------------------------------- */

/* A query: what a score is times, the sum of |q| where q < 0, and from byte 16
 * the splats that meet each vector of keys. */
typedef struct attn_query {
    float d;
    int32_t below, unused[2];
} attn_query;

PIPIT_INLINE size_t query_bytes(uint32_t head_dim) {
    return pipit_attn_scratch_bytes(1, head_dim);
}

PIPIT_INLINE v128_t amounts_4(const float *x) {
    v128_t v = wasm_v128_load(x);
    return wasm_v128_and(wasm_f32x4_abs(v), wasm_f32x4_eq(v, v));
}

PIPIT_INLINE unit_4 unit_of_query(const float *x, uint32_t dim) {
    v128_t most = wasm_f32x4_splat(0), sum = most;
    for (uint32_t i = 0; i < dim; i += 8) {
        v128_t a = amounts_4(x + i), b = amounts_4(x + i + 4);
        most = wasm_f32x4_pmax(wasm_f32x4_pmax(most, a), b);
        sum = wasm_f32x4_pmax(sum, pairs(wasm_f32x4_add(a, b)));
    }
    return unit_of(most, sum, PIPIT_KV8_QUERY_BOUND);
}

/* Sixteen quants, widened, as splats. */
PIPIT_INLINE void store_splats(uint8_t *to, v128_t low, v128_t high) {
#if PIPIT_DOT == PIPIT_DOT_PLAIN
    store_quants((act_quant *)(void *)to, low, high);
#else
    v128_t q = wasm_i8x16_narrow_i16x8(low, high);
    v128_t amounts = wasm_i8x16_abs(q);
    v128_t signs = wasm_i8x16_gt(pipit_constant(PIPIT_K_ZERO), q);
    wasm_v128_store(to, wasm_i32x4_shuffle(amounts, signs, 0, 4, 1, 5));
    wasm_v128_store(to + 16, wasm_i32x4_shuffle(amounts, signs, 2, 6, 3, 7));
#endif
}

static void quantize_query(const float *x, uint32_t dim, float scale,
                           uint8_t *out) {
    unit_4 u = unit_of_query(x, dim);
    v128_t inverse = u.inverse, below = wasm_i32x4_splat(0);
    attn_query query = {.d = wasm_f32x4_extract_lane(u.unit, 0) * scale};
    for (uint32_t i = 0; i < dim; i += 16) {
        v128_t low = wasm_i16x8_narrow_i32x4(quantize_4(x + i, inverse),
                                             quantize_4(x + i + 4, inverse));
        v128_t high = wasm_i16x8_narrow_i32x4(quantize_4(x + i + 8, inverse),
                                              quantize_4(x + i + 12, inverse));
        below = wasm_i32x4_add(
            below, wasm_i32x4_extadd_pairwise_i16x8(below_0(low, high)));
        store_splats(out + sizeof query + 2 * i, low, high);
    }
#if PIPIT_DOT != PIPIT_DOT_PLAIN
    below = wasm_i32x4_add(below, other_half(below));
    below = wasm_i32x4_add(below, neighbours(below));
    query.below = -wasm_i32x4_extract_lane(below, 0);
#endif
    memcpy(out, &query, sizeof query);
}

PIPIT_INLINE splats query_splats(const uint8_t *query) {
    return (splats){wasm_v128_load32_splat(query),
                    wasm_v128_load32_splat(query + 4)};
}

/* Both vectors' dots fit 16 bits together. */
PIPIT_INLINE v128_t add_two(v128_t sum, splats x, v128_t a, splats y,
                            v128_t b) {
#if PIPIT_DOT == PIPIT_DOT_16
    a = wasm_i16x8_relaxed_dot_i8x16_i7x16(wasm_v128_xor(a, x.second),
                                           x.first);
    b = wasm_i16x8_relaxed_dot_i8x16_i7x16(wasm_v128_xor(b, y.second),
                                           y.first);
    return wasm_i32x4_add(sum, add_pairs(wasm_i16x8_add(a, b)));
#else
    return add_signed(add_signed(sum, x, a), y, b);
#endif
}

/* n_rows queries with two groups of keys. */
PIPIT_INLINE void score_tile(const uint8_t *queries, int n_rows,
                             const uint8_t *keys, const uint8_t *others,
                             uint32_t dim, float *scores, float *other_scores,
                             size_t stride) {
    v128_t sums[SCORE_ROWS][2];
    v128_t scale = wasm_v128_load(keys), other_scale = wasm_v128_load(others);
    const uint8_t *q[SCORE_ROWS];
    PIPIT_UNROLL
    for (int r = 0; r < n_rows; r++) {
        q[r] = queries + (size_t)r * query_bytes(dim);
        sums[r][0] = sums[r][1] = wasm_v128_load32_splat(
            q[r] + offsetof(attn_query, below));
        q[r] += sizeof(attn_query);
    }
    keys += 4 * sizeof(float);
    others += 4 * sizeof(float);
    PIPIT_NO_UNROLL
    for (uint32_t i = dim; i > 0; i -= 8) {
        v128_t a = wasm_v128_load(keys), b = wasm_v128_load(keys + 16);
        v128_t c = wasm_v128_load(others), d = wasm_v128_load(others + 16);
        PIPIT_UNROLL
        for (int r = 0; r < n_rows; r++) {
            splats x = query_splats(q[r]), y = query_splats(q[r] + 8);
            sums[r][0] = add_two(sums[r][0], x, a, y, b);
            sums[r][1] = add_two(sums[r][1], x, c, y, d);
            q[r] += 16;
        }
        keys += 32;
        others += 32;
    }
    PIPIT_UNROLL
    for (int r = 0; r < n_rows; r++) {
        const uint8_t *query = queries + (size_t)r * query_bytes(dim);
        v128_t by = wasm_v128_load32_splat(query + offsetof(attn_query, d));
        v128_t x = wasm_f32x4_convert_i32x4(sums[r][0]);
        v128_t y = wasm_f32x4_convert_i32x4(sums[r][1]);
        x = wasm_f32x4_mul(wasm_f32x4_mul(x, scale), by);
        y = wasm_f32x4_mul(wasm_f32x4_mul(y, other_scale), by);
        wasm_v128_store(other_scores + (size_t)r * stride, y);
        wasm_v128_store(scores + (size_t)r * stride, x);
    }
}

static void scores8(const float *q, uint32_t n_heads, float scale,
                    const pipit_kv_span *kv, float *scores, size_t stride,
                    uint8_t *scratch) {
    uint32_t dim = kv->head_dim, n_groups = (kv->n_pos + 3) / 4;
    size_t group = pipit_kv8_group_bytes(dim), query = query_bytes(dim);
    const uint8_t *keys = kv->keys;
    for (uint32_t h = 0; h < n_heads; h++)
        quantize_query(q + (size_t)h * dim, dim, scale, scratch + h * query);
    for (uint32_t g = 0; g < n_groups; g += 2, keys += 2 * group, scores += 8) {
        /* a last group alone is done twice */
        size_t next = g + 1 < n_groups;
        const uint8_t *others = keys + next * group, *x = scratch;
        float *to = scores, *other = scores + 4 * next;
        uint32_t h = n_heads;
        for (; h >= 3; h -= 3, x += 3 * query, to += 3 * stride,
                       other += 3 * stride)
            score_tile(x, 3, keys, others, dim, to, other, stride);
        if (h == 2) score_tile(x, 2, keys, others, dim, to, other, stride);
        if (h == 1) score_tile(x, 1, keys, others, dim, to, other, stride);
    }
}

/* ---- the mix --------------------------------------------------------------- */

PIPIT_INLINE v128_t add_mix(v128_t sum, splats x, v128_t v) {
#if PIPIT_DOT == PIPIT_DOT_PLAIN
    return add_signed(sum, x, v);
#elif PIPIT_DOT == PIPIT_DOT_16
    return wasm_i16x8_add(sum, wasm_i16x8_relaxed_dot_i8x16_i7x16(v, x.first));
#else
    return wasm_i32x4_relaxed_dot_i8x16_i7x16_add(v, x.first, sum);
#endif
}

/* What a row takes of a block: quants of weights, with one unit. */
typedef struct mix_part {
    float *out;
    float unit;
    act_quant q[32];
} mix_part;

/* Four elements of 16 positions. */
PIPIT_INLINE v128_t half_dot(const uint8_t *values, const splats x[4]) {
    v128_t sum = wasm_i32x4_splat(0);
    PIPIT_UNROLL
    for (int j = 0; j < 4; j++)
        sum = add_mix(sum, x[j], wasm_v128_load(values + 16 * j));
    return end_plain(sum);
}

/* out += unit * (values . q), values: of head_dim elements and 32 positions. */
PIPIT_OUTLINE void add_part(const uint8_t *values, const mix_part *part,
                            uint32_t dim) {
    v128_t unit = wasm_v128_load32_splat(&part->unit);
    splats x[8];
    PIPIT_UNROLL
    for (int j = 0; j < 8; j++) x[j] = splats_of(part->q, j);
    float *out = part->out;
    PIPIT_NO_UNROLL
    for (uint32_t i = dim; i > 0; i -= 8) {
        PIPIT_UNROLL
        for (int g = 0; g < 2; g++) {
            v128_t sum = wasm_i32x4_add(half_dot(values, x),
                                        half_dot(values + 64, x + 4));
            wasm_v128_store(out, add_product(wasm_v128_load(out), unit,
                                             wasm_f32x4_convert_i32x4(sum)));
            values += 128;
            out += 4;
        }
    }
}

/* What 8 bits hold of w, rounded down and taken from it, or rounded. */
PIPIT_INLINE void quantize_weights(v128_t w[8], bool down, mix_part *part) {
    const v128_t zero = wasm_f32x4_splat(0);
    v128_t most = zero, sums = zero, others = zero;
    PIPIT_UNROLL
    for (int i = 0; i < 4; i++) {
        most = wasm_f32x4_pmax(wasm_f32x4_pmax(most, w[i]), w[i + 4]);
        sums = wasm_f32x4_add(sums, w[i]);
        others = wasm_f32x4_add(others, w[i + 4]);
    }
    sums = wasm_f32x4_pmax(pairs(sums), pairs(others));
    unit_4 u = unit_of(most, sums, PIPIT_KV8_WEIGHT_BOUND);
    v128_t round = pipit_float(PIPIT_F_ROUND), n[8];
    PIPIT_UNROLL
    for (int i = 0; i < 8; i++) {
        v128_t v = wasm_f32x4_mul(w[i], u.inverse);
        if (down) v = wasm_f32x4_sub(v, wasm_f32x4_splat(0.5f));
        v = wasm_f32x4_pmax(zero, v); /* NaN: 0; the unit keeps it to 127 */
        n[i] = wasm_i32x4_sub(wasm_f32x4_add(v, round), round);
    }
    PIPIT_UNROLL
    for (int i = 0; i < 8; i += 4)
        store_quants(part->q + 4 * i, wasm_i16x8_narrow_i32x4(n[i], n[i + 1]),
                     wasm_i16x8_narrow_i32x4(n[i + 2], n[i + 3]));
    part->unit = wasm_f32x4_extract_lane(u.unit, 0);
    if (!down) return;
    PIPIT_UNROLL
    for (int i = 0; i < 8; i++)
        w[i] = wasm_f32x4_pmax(
            zero,
            wasm_f32x4_sub(
                w[i], wasm_f32x4_mul(wasm_f32x4_convert_i32x4(n[i]), u.unit)));
}

/* How many parts a row takes: none, one or two. */
PIPIT_OUTLINE int take_parts(const float *p, float sum, const float *scales,
                             mix_part *parts) {
    v128_t w[8], most = wasm_f32x4_splat(0);
    PIPIT_UNROLL
    for (int i = 0; i < 8; i++) {
        w[i] = wasm_v128_load(p + 4 * i);
        most = wasm_f32x4_pmax(most, w[i]);
        w[i] = wasm_f32x4_mul(w[i], wasm_v128_load(scales + 4 * i));
    }
    if (!wasm_v128_any_true(
            wasm_f32x4_gt(most, wasm_f32x4_splat(PIPIT_KV8_LEAST * sum))))
        return 0;
    bool large = wasm_v128_any_true(
        wasm_f32x4_gt(most, wasm_f32x4_splat(PIPIT_KV8_LARGE * sum)));
    if (large) quantize_weights(w, true, parts++);
    quantize_weights(w, false, parts);
    return 1 + large;
}

/* Rows' weights are quantized together: each is a long chain of steps, of which
 * a processor then does several at a time. */
static void mix_block(const float *p, size_t p_stride, const float *sums,
                      uint32_t n_heads, const float *scales,
                      const uint8_t *values, uint32_t dim, float *out) {
    enum { ROWS = 8 };
    mix_part parts[2 * ROWS];
    for (uint32_t h = 0; h < n_heads;) {
        uint32_t end = pipit_min_u32(n_heads, h + ROWS);
        mix_part *next = parts;
        for (; h < end; h++, p += p_stride, out += dim) {
            next[0].out = next[1].out = out;
            next += take_parts(p, sums[h], scales, next);
        }
        for (const mix_part *part = parts; part < next; part++)
            add_part(values, part, dim);
    }
}

static void mix8(const float *p, size_t p_stride, const float *sums,
                 uint32_t n_heads, const pipit_kv_span *kv, float *out) {
    pipit_kv8_mix(mix_block, p, p_stride, sums, n_heads, kv, out);
}

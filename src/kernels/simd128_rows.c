/* simd128_rows.c — rows and attention, lane for lane as scalar.c says. */
#include "simd128_rows.h"

#include "../mathf.h"
#include "kv8.h"
#include "scalar.h"
#include "simd128_math.h"

#include <math.h>

PIPIT_INLINE float sum_lanes(v128_t v) {
    return (wasm_f32x4_extract_lane(v, 0) + wasm_f32x4_extract_lane(v, 1)) +
           (wasm_f32x4_extract_lane(v, 2) + wasm_f32x4_extract_lane(v, 3));
}

/* The last n % 4 elements at p, zeros after them. */
PIPIT_INLINE v128_t load_tail(const float *p, size_t n) {
    float lanes[4] = {0, 0, 0, 0};
    memcpy(lanes, p, n * sizeof *p);
    return wasm_v128_load(lanes);
}

PIPIT_INLINE void store_tail(float *p, size_t n, v128_t v) {
    float lanes[4];
    wasm_v128_store(lanes, v);
    memcpy(p, lanes, n * sizeof *p);
}

void pipit_simd128_rms_norm(const float *x, const float *w, size_t n, float eps,
                            float *y) {
    v128_t sums = wasm_f32x4_splat(0);
    size_t whole = n & ~(size_t)3, i;
    for (i = 0; i < whole; i += 4) {
        v128_t v = wasm_v128_load(x + i);
        sums = wasm_f32x4_add(sums, wasm_f32x4_mul(v, v));
    }
    if (i < n) {
        v128_t v = load_tail(x + i, n - i);
        sums = wasm_f32x4_add(sums, wasm_f32x4_mul(v, v));
    }
    float scale = 1.0f / pipit_sqrtf(sum_lanes(sums) / (float)n + eps);
    v128_t scales = wasm_f32x4_splat(scale);
    for (i = 0; i < whole; i += 4) {
        v128_t v = wasm_f32x4_mul(wasm_v128_load(x + i), scales);
        wasm_v128_store(y + i, wasm_f32x4_mul(v, wasm_v128_load(w + i)));
    }
    for (; i < n; i++) y[i] = x[i] * scale * w[i];
}

void pipit_simd128_add(float *x, const float *y, size_t n) {
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        wasm_v128_store(x + i, wasm_f32x4_add(wasm_v128_load(x + i),
                                              wasm_v128_load(y + i)));
    for (; i < n; i++) x[i] += y[i];
}

/* Where a lane's sign is -, b - a of what stands across. */
PIPIT_INLINE v128_t butterfly(v128_t v, v128_t across, v128_t signs) {
    return wasm_f32x4_add(across, wasm_v128_xor(v, signs));
}

void pipit_simd128_hadamard(float *x, size_t n) {
    const v128_t odd = wasm_i32x4_make(0, INT32_MIN, 0, INT32_MIN);
    const v128_t high = wasm_i32x4_make(0, 0, INT32_MIN, INT32_MIN);
    for (size_t i = 0; i < n; i += 4) {
        v128_t v = wasm_v128_load(x + i);
        v = butterfly(v, wasm_i32x4_shuffle(v, v, 1, 0, 3, 2), odd);
        v = butterfly(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1), high);
        wasm_v128_store(x + i, v);
    }
    for (size_t h = 4; h < n; h *= 2)
        for (size_t i = 0; i < n; i += i % (2 * h) == h - 4 ? h + 4 : 4) {
            v128_t a = wasm_v128_load(x + i), b = wasm_v128_load(x + i + h);
            wasm_v128_store(x + i, wasm_f32x4_add(a, b));
            wasm_v128_store(x + i + h, wasm_f32x4_sub(a, b));
        }
}

/* A row whose elements go through exponentials, four at a time. */
typedef struct exp_row {
    float *x;
    const float *by; /* products: the other factor */
    v128_t most, sums; /* weights: the largest score, their sums by lanes */
} exp_row;
typedef pipit_exp_step exp_begin(const exp_row *row, size_t i);
typedef pipit_exp_step exp_second(pipit_exp_step e);
typedef void exp_end(exp_row *row, size_t i, pipit_exp_step e);

/* n: a multiple of 4. */
PIPIT_INLINE void in_steps(exp_row *row, size_t n, exp_begin *begin,
                           exp_second *second, exp_end *end) {
    size_t i = 0;
    if (n == 0) return;
    pipit_exp_step e = second(begin(row, 0));
    if (n > 4) {
        pipit_exp_step next = begin(row, 4);
        PIPIT_NO_UNROLL
        for (; i + 8 < n; i += 4) {
            end(row, i, e);
            e = second(next);
            next = begin(row, i + 8);
        }
        end(row, i, e);
        e = second(next);
        i += 4;
    }
    end(row, i, e);
}

PIPIT_INLINE pipit_exp_step begin_silu(const exp_row *row, size_t i) {
    return pipit_exp_first(wasm_f32x4_neg(wasm_v128_load(row->x + i)));
}

/* x / (1 + e^-x) */
PIPIT_INLINE void end_silu(exp_row *row, size_t i, pipit_exp_step e) {
    v128_t below =
        wasm_f32x4_add(pipit_float(PIPIT_F_1), pipit_exp_third(e));
    v128_t silu = wasm_f32x4_div(wasm_f32x4_neg(e.x), below);
    wasm_v128_store(row->x + i,
                    wasm_f32x4_mul(silu, wasm_v128_load(row->by + i)));
}

void pipit_simd128_silu_mul(float *gate, const float *up, size_t n) {
    exp_row row = {.x = gate, .by = up};
    size_t whole = n & ~(size_t)3;
    in_steps(&row, whole, begin_silu, pipit_exp_second, end_silu);
    pipit_scalar_silu_mul(gate + whole, up + whole, n - whole);
}

PIPIT_INLINE v128_t gelu_inner(v128_t x) {
    v128_t cube = wasm_f32x4_mul(pipit_float(PIPIT_F_GELU_CUBE), x);
    cube = wasm_f32x4_mul(wasm_f32x4_mul(cube, x), x);
    return wasm_f32x4_mul(pipit_float(PIPIT_F_GELU_INNER),
                          wasm_f32x4_add(x, cube));
}

PIPIT_INLINE pipit_exp_step begin_gelu(const exp_row *row, size_t i) {
    return pipit_tanh_first(gelu_inner(wasm_v128_load(row->x + i)));
}

/* x / 2 (1 + tanh) */
PIPIT_INLINE void end_gelu(exp_row *row, size_t i, pipit_exp_step e) {
    v128_t x = wasm_v128_load(row->x + i);
    v128_t tanh = pipit_tanh_third(gelu_inner(x), e);
    v128_t gelu =
        wasm_f32x4_mul(wasm_f32x4_mul(pipit_float(PIPIT_F_HALF), x),
                       wasm_f32x4_add(pipit_float(PIPIT_F_1), tanh));
    wasm_v128_store(row->x + i,
                    wasm_f32x4_mul(gelu, wasm_v128_load(row->by + i)));
}

void pipit_simd128_gelu_mul(float *gate, const float *up, size_t n) {
    exp_row row = {.x = gate, .by = up};
    size_t whole = n & ~(size_t)3;
    in_steps(&row, whole, begin_gelu, pipit_exp_second, end_gelu);
    pipit_scalar_gelu_mul(gate + whole, up + whole, n - whole);
}

PIPIT_INLINE v128_t largest_of(const float *s, size_t n) {
    v128_t best[4];
    PIPIT_UNROLL
    for (int i = 0; i < 4; i++) best[i] = wasm_f32x4_splat(-INFINITY);
    PIPIT_NO_UNROLL
    for (; n >= 16; n -= 16, s += 16) {
        PIPIT_UNROLL
        for (int i = 0; i < 4; i++) /* stays where s is NaN */
            best[i] = wasm_f32x4_pmax(best[i], wasm_v128_load(s + 4 * i));
    }
    PIPIT_NO_UNROLL
    for (; n >= 4; n -= 4, s += 4)
        best[0] = wasm_f32x4_pmax(best[0], wasm_v128_load(s));
    return wasm_f32x4_pmax(wasm_f32x4_pmax(best[0], best[1]),
                           wasm_f32x4_pmax(best[2], best[3]));
}

PIPIT_INLINE pipit_exp_step begin_weight(const exp_row *row, size_t i) {
    return pipit_exp_first(
        wasm_f32x4_sub(wasm_v128_load(row->x + i), row->most));
}

PIPIT_INLINE void end_weight(exp_row *row, size_t i, pipit_exp_step e) {
    v128_t weights = pipit_exp_below_0_third(e);
    wasm_v128_store(row->x + i, weights);
    row->sums = wasm_f32x4_add(row->sums, weights);
}

float pipit_simd128_softmax(float *s, size_t n) {
    size_t whole = n & ~(size_t)3;
    float max = -INFINITY, lanes[4];
    wasm_v128_store(lanes, largest_of(s, whole));
    for (int k = 0; k < 4; k++)
        if (lanes[k] > max) max = lanes[k];
    for (size_t i = whole; i < n; i++)
        if (s[i] > max) max = s[i];
    exp_row row = {.x = s, .most = wasm_f32x4_splat(max),
                   .sums = wasm_f32x4_splat(0)};
    in_steps(&row, whole, begin_weight, pipit_exp_below_0_second, end_weight);
    if (whole < n) {
        v128_t tail = load_tail(s + whole, n - whole);
        store_tail(s + whole, n - whole,
                   pipit_exp_below_0_4(wasm_f32x4_sub(tail, row.most)));
        row.sums =
            wasm_f32x4_add(row.sums, load_tail(s + whole, n - whole));
    }
    return sum_lanes(row.sums);
}

/* ---- attention ---------------------------------------------------------- */

PIPIT_INLINE v128_t load_kv(const uint8_t *data, size_t i, bool f16) {
    return f16 ? pipit_f16x4(data + 2 * i) : wasm_v128_load(data + 4 * i);
}

/* Scores of n_rows <= 4 query rows with n_groups <= 2 groups of positions. */
PIPIT_INLINE void score_tile(const float *q, size_t dim, int n_rows,
                             const uint8_t *keys, int n_groups, bool f16,
                             float scale, float *scores, size_t stride) {
    v128_t acc[4][2];
    PIPIT_UNROLL
    for (int r = 0; r < n_rows; r++)
        PIPIT_UNROLL
        for (int g = 0; g < n_groups; g++) acc[r][g] = wasm_f32x4_splat(0);
    for (size_t d = 0; d < dim; d++) {
        v128_t k[2];
        PIPIT_UNROLL
        for (int g = 0; g < n_groups; g++)
            k[g] = load_kv(keys, ((size_t)g * dim + d) * 4, f16);
        PIPIT_UNROLL
        for (int r = 0; r < n_rows; r++) {
            v128_t x = wasm_v128_load32_splat(q + (size_t)r * dim + d);
            PIPIT_UNROLL
            for (int g = 0; g < n_groups; g++)
                acc[r][g] =
                    wasm_f32x4_add(acc[r][g], wasm_f32x4_mul(x, k[g]));
        }
    }
    PIPIT_UNROLL
    for (int r = 0; r < n_rows; r++)
        PIPIT_UNROLL
        for (int g = 0; g < n_groups; g++)
            wasm_v128_store(scores + (size_t)r * stride + 4 * g,
                            wasm_f32x4_mul(acc[r][g], wasm_f32x4_splat(scale)));
}

PIPIT_INLINE void score_rows(const float *q, int n_rows, float scale,
                             const pipit_kv_span *kv, bool f16, float *scores,
                             size_t stride) {
    size_t dim = kv->head_dim, step = dim * 4 * (f16 ? 2 : 4);
    const uint8_t *keys = kv->keys;
    uint32_t n_groups = (kv->n_pos + 3) / 4, g = 0;
    for (; g + 2 <= n_groups; g += 2)
        score_tile(q, dim, n_rows, keys + g * step, 2, f16, scale,
                   scores + 4 * (size_t)g, stride);
    if (g < n_groups)
        score_tile(q, dim, n_rows, keys + g * step, 1, f16, scale,
                   scores + 4 * (size_t)g, stride);
}

PIPIT_INLINE void score_all(const float *q, uint32_t n_heads, float scale,
                            const pipit_kv_span *kv, bool f16, float *scores,
                            size_t stride) {
    size_t dim = kv->head_dim;
    uint32_t h = 0;
    for (; h + 4 <= n_heads; h += 4)
        score_rows(q + h * dim, 4, scale, kv, f16, scores + h * stride, stride);
    if (n_heads - h == 3)
        score_rows(q + h * dim, 3, scale, kv, f16, scores + h * stride, stride);
    else
        for (; h < n_heads; h++)
            score_rows(q + h * dim, 1, scale, kv, f16, scores + h * stride,
                       stride);
}

/* Some positions at a time: they stay in the cache while all rows and dimensions
 * pass over them. Where several tiles of rows do, f16 is widened once. */
#define PART_FLOATS 4096
#define ROWS_TO_WIDEN 8

static uint32_t part_positions(const pipit_kv_span *kv) {
    uint32_t n = PART_FLOATS / kv->head_dim / 4 * 4;
    return n > 0 ? n : 4;
}

static bool widens(const pipit_kv_span *kv, uint32_t n_heads) {
    return kv->type == PIPIT_KV_F16 && n_heads >= ROWS_TO_WIDEN &&
           kv->head_dim * 4 <= PART_FLOATS;
}

/* Elements [from, from + n) of keys or values; n a multiple of 4 or the rest. */
static const void *part_of(const pipit_kv_span *kv, const void *data,
                           size_t from, size_t n, bool wide, float *buffer) {
    const uint8_t *bytes = data;
    if (kv->type != PIPIT_KV_F16) return bytes + 4 * from;
    if (!wide) return bytes + 2 * from;
    for (size_t i = 0; i < n; i += 4)
        wasm_v128_store(buffer + i, pipit_f16x4(bytes + 2 * (from + i)));
    return buffer;
}

void pipit_simd128_attn_scores(const float *q, uint32_t n_heads, float scale,
                               const pipit_kv_span *kv, float *scores,
                               size_t score_stride) {
    float buffer[PART_FLOATS];
    bool wide = widens(kv, n_heads);
    uint32_t most = part_positions(kv);
    size_t dim = kv->head_dim;
    for (uint32_t at = 0; at < kv->n_pos; at += most) {
        pipit_kv_span part = *kv;
        part.n_pos = pipit_min_u32(most, kv->n_pos - at);
        part.keys = part_of(kv, kv->keys, at * dim,
                            (part.n_pos + 3) / 4 * 4 * dim, wide, buffer);
        if (kv->type == PIPIT_KV_F16 && !wide)
            score_all(q, n_heads, scale, &part, true, scores + at,
                      score_stride);
        else
            score_all(q, n_heads, scale, &part, false, scores + at,
                      score_stride);
    }
}

/* n_rows <= 4 rows, dimensions [d, d + 4 n_vectors), n_vectors <= 2. */
PIPIT_INLINE void mix_tile(const float *p, size_t p_stride, int n_rows,
                           const pipit_kv_span *kv, bool f16, size_t d,
                           int n_vectors, float *out) {
    const uint8_t *values = kv->values;
    size_t dim = kv->head_dim;
    v128_t acc[4][2];
    PIPIT_UNROLL
    for (int r = 0; r < n_rows; r++)
        PIPIT_UNROLL
        for (int v = 0; v < n_vectors; v++)
            acc[r][v] = wasm_v128_load(out + (size_t)r * dim + d + 4 * v);
    for (size_t i = 0; i < kv->n_pos; i++) {
        v128_t value[2];
        PIPIT_UNROLL
        for (int v = 0; v < n_vectors; v++)
            value[v] = load_kv(values, i * dim + d + 4 * (size_t)v, f16);
        PIPIT_UNROLL
        for (int r = 0; r < n_rows; r++) {
            v128_t w = wasm_v128_load32_splat(p + (size_t)r * p_stride + i);
            PIPIT_UNROLL
            for (int v = 0; v < n_vectors; v++)
                acc[r][v] =
                    wasm_f32x4_add(acc[r][v], wasm_f32x4_mul(w, value[v]));
        }
    }
    PIPIT_UNROLL
    for (int r = 0; r < n_rows; r++)
        PIPIT_UNROLL
        for (int v = 0; v < n_vectors; v++)
            wasm_v128_store(out + (size_t)r * dim + d + 4 * v, acc[r][v]);
}

PIPIT_INLINE void mix_rows(const float *p, size_t p_stride, int n_rows,
                           const pipit_kv_span *kv, bool f16, float *out) {
    size_t d = 0;
    for (; d + 8 <= kv->head_dim; d += 8)
        mix_tile(p, p_stride, n_rows, kv, f16, d, 2, out);
    if (d < kv->head_dim) mix_tile(p, p_stride, n_rows, kv, f16, d, 1, out);
}

PIPIT_INLINE void mix_all(const float *p, size_t p_stride, uint32_t n_heads,
                          const pipit_kv_span *kv, bool f16, float *out) {
    size_t dim = kv->head_dim;
    uint32_t h = 0;
    for (; h + 4 <= n_heads; h += 4)
        mix_rows(p + h * p_stride, p_stride, 4, kv, f16, out + h * dim);
    if (n_heads - h == 3)
        mix_rows(p + h * p_stride, p_stride, 3, kv, f16, out + h * dim);
    else
        for (; h < n_heads; h++)
            mix_rows(p + h * p_stride, p_stride, 1, kv, f16, out + h * dim);
}

void pipit_simd128_attn_mix(const float *p, size_t p_stride, uint32_t n_heads,
                            const pipit_kv_span *kv, float *out) {
    float buffer[PART_FLOATS];
    bool wide = widens(kv, n_heads);
    uint32_t most = part_positions(kv);
    size_t dim = kv->head_dim;
    for (uint32_t at = 0; at < kv->n_pos; at += most) {
        pipit_kv_span part = *kv;
        part.n_pos = pipit_min_u32(most, kv->n_pos - at);
        part.values = part_of(kv, kv->values, at * dim, part.n_pos * dim, wide,
                              buffer);
        if (kv->type == PIPIT_KV_F16 && !wide)
            mix_all(p + at, p_stride, n_heads, &part, true, out);
        else
            mix_all(p + at, p_stride, n_heads, &part, false, out);
    }
}

/* pipit_f32_to_f16, four at a time, in the low halves of 32-bit lanes. */
PIPIT_INLINE v128_t halves_of_4(v128_t x) {
    const v128_t magic = wasm_i32x4_splat(126 << 23);
    v128_t sign = wasm_v128_and(x, wasm_i32x4_splat(INT32_MIN));
    v128_t size = wasm_v128_xor(x, sign);
    /* Subnormal results: an addition that rounds at 2^-24. */
    v128_t small = wasm_i32x4_sub(wasm_f32x4_add(size, magic), magic);
    /* Normal ones: the exponent moved, the 13 last bits rounded to even. */
    v128_t odd = wasm_v128_and(wasm_u32x4_shr(size, 13), wasm_i32x4_splat(1));
    v128_t rounded = wasm_i32x4_add(
        wasm_i32x4_add(size, wasm_i32x4_splat(0xfff - (112 << 23))), odd);
    v128_t half = wasm_u32x4_shr(rounded, 13);
    half = wasm_v128_bitselect(
        small, half, wasm_i32x4_lt(size, wasm_i32x4_splat(113 << 23)));
    half = wasm_v128_bitselect(
        wasm_i32x4_splat(0x7c00), half,
        wasm_i32x4_gt(size, wasm_i32x4_splat(0x477fefff)));
    v128_t nan = wasm_v128_or(
        wasm_i32x4_splat(0x7e00),
        wasm_v128_and(wasm_u32x4_shr(size, 13), wasm_i32x4_splat(1023)));
    half = wasm_v128_bitselect(
        nan, half, wasm_i32x4_gt(size, wasm_i32x4_splat(0x7f800000)));
    return wasm_v128_or(half, wasm_u32x4_shr(sign, 16));
}

PIPIT_INLINE void store_f16(const float *key, const float *value, size_t dim,
                            uint16_t *keys, uint16_t *values) {
    for (size_t d = 0; d < dim; d += 4) {
        v128_t k = halves_of_4(wasm_v128_load(key + d));
        v128_t v = halves_of_4(wasm_v128_load(value + d));
        v = wasm_u16x8_narrow_i32x4(v, v);
        wasm_v128_store64_lane(values + d, v, 0);
        keys[4 * d] = (uint16_t)wasm_i32x4_extract_lane(k, 0);
        keys[4 * d + 4] = (uint16_t)wasm_i32x4_extract_lane(k, 1);
        keys[4 * d + 8] = (uint16_t)wasm_i32x4_extract_lane(k, 2);
        keys[4 * d + 12] = (uint16_t)wasm_i32x4_extract_lane(k, 3);
    }
}

void pipit_simd128_kv_store(const float *key, const float *value,
                            uint32_t head_dim, pipit_kv_type type, uint32_t pos,
                            void *keys, void *values) {
    size_t dim = head_dim, k = (size_t)(pos / 4) * dim * 4 + pos % 4;
    if (type == PIPIT_KV_Q8) {
        pipit_kv8_store(key, value, head_dim, pos, keys, values);
        return;
    }
    if (type == PIPIT_KV_F16) {
        store_f16(key, value, dim, (uint16_t *)keys + k,
                  (uint16_t *)values + pos * dim);
        return;
    }
    memcpy((float *)values + pos * dim, value, dim * sizeof *value);
    for (size_t d = 0; d < dim; d++) ((float *)keys)[k + 4 * d] = key[d];
}

/* simd128_train.c — training's kernels, lane for lane as scalar_train.c says. */
#include "quants.h"
#include "simd128_math.h"
#include "train_kernels.h"

/* ---- products ------------------------------------------------------------ */

/* Four rows of b with 4 n_a <= 8 rows of a: eight sums hide an addition's latency
 * and leave the operands registers. The loop is left to the engine to unroll:
 * unrolled here, it would be summed up one element after the other, with the
 * operands of all columns spilled. */
PIPIT_INLINE void tile(const float *a, size_t a_step, int n_a, const float *b,
                       size_t b_step, uint32_t n_k, bool add,
                       float *const y[4]) {
    const float *end = a + n_k * a_step;
    v128_t acc[4][2];
    PIPIT_UNROLL
    for (int j = 0; j < 4; j++)
        PIPIT_UNROLL
        for (int i = 0; i < n_a; i++)
            acc[j][i] =
                add ? wasm_v128_load(y[j] + 4 * i) : wasm_f32x4_splat(0);
    PIPIT_NO_UNROLL
    for (; a != end; a += a_step, b += b_step) {
        v128_t w[2];
        PIPIT_UNROLL
        for (int i = 0; i < n_a; i++) w[i] = wasm_v128_load(a + 4 * i);
        PIPIT_UNROLL
        for (int j = 0; j < 4; j++) {
            v128_t x = wasm_v128_load32_splat(b + j);
            PIPIT_UNROLL
            for (int i = 0; i < n_a; i++)
                acc[j][i] = wasm_f32x4_add(acc[j][i], wasm_f32x4_mul(w[i], x));
        }
    }
    PIPIT_UNROLL
    for (int j = 0; j < 4; j++)
        PIPIT_UNROLL
        for (int i = 0; i < n_a; i++) wasm_v128_store(y[j] + 4 * i, acc[j][i]);
}

/* A strip of a stays in the first cache, all rows of b pass by. */
PIPIT_INLINE void multiply_strip(const float *a, size_t a_step, int n_a,
                                 const pipit_strips *b, size_t b_step,
                                 uint32_t n_rows, uint32_t n_k, bool add,
                                 float *y, size_t y_stride) {
    float nowhere[8] = {0};
    for (uint32_t j = 0; j < n_rows; j += 4, y += 4 * y_stride) {
        float *rows[4];
        for (uint32_t i = 0; i < 4; i++)
            rows[i] = j + i < n_rows ? y + i * y_stride : nowhere;
        tile(a, a_step, n_a, b->x + j / 4 * b->strip, b_step, n_k, add, rows);
    }
}

/* What most work goes through has constant steps. */
PIPIT_OUTLINE void multiply_packed(const float *a, const pipit_strips *b,
                                   uint32_t n_rows, uint32_t n_k, bool add,
                                   float *y, size_t y_stride) {
    if (add)
        multiply_strip(a, 8, 2, b, 4, n_rows, n_k, true, y, y_stride);
    else
        multiply_strip(a, 8, 2, b, 4, n_rows, n_k, false, y, y_stride);
}

PIPIT_OUTLINE void multiply_whole(const float *a, size_t a_step,
                                  const pipit_strips *b, uint32_t n_rows,
                                  uint32_t n_k, bool add, float *y,
                                  size_t y_stride) {
    multiply_strip(a, a_step, 2, b, b->step, n_rows, n_k, add, y, y_stride);
}

PIPIT_OUTLINE void multiply_half(const float *a, size_t a_step,
                                 const pipit_strips *b, uint32_t n_rows,
                                 uint32_t n_k, bool add, float *y,
                                 size_t y_stride) {
    multiply_strip(a, a_step, 1, b, b->step, n_rows, n_k, add, y, y_stride);
}

static void multiply(const pipit_strips *a, uint32_t n_fours,
                     const pipit_strips *b, uint32_t n_rows, uint32_t n_k,
                     bool add, float *y, size_t y_stride) {
    const float *x = a->x;
    for (; n_fours >= 2; n_fours -= 2, x += a->strip, y += 8)
        if (a->step == 8 && b->step == 4)
            multiply_packed(x, b, n_rows, n_k, add, y, y_stride);
        else
            multiply_whole(x, a->step, b, n_rows, n_k, add, y, y_stride);
    if (n_fours > 0)
        multiply_half(x, a->step, b, n_rows, n_k, add, y, y_stride);
}

PIPIT_INLINE void turn_4(v128_t v[4]) {
    v128_t a = wasm_i32x4_shuffle(v[0], v[1], 0, 4, 1, 5);
    v128_t b = wasm_i32x4_shuffle(v[0], v[1], 2, 6, 3, 7);
    v128_t c = wasm_i32x4_shuffle(v[2], v[3], 0, 4, 1, 5);
    v128_t d = wasm_i32x4_shuffle(v[2], v[3], 2, 6, 3, 7);
    v[0] = wasm_i64x2_shuffle(a, c, 0, 2);
    v[1] = wasm_i64x2_shuffle(a, c, 1, 3);
    v[2] = wasm_i64x2_shuffle(b, d, 0, 2);
    v[3] = wasm_i64x2_shuffle(b, d, 1, 3);
}

static void pack_four(const float *x, size_t stride, uint32_t n_rows,
                      uint32_t n_cols, size_t step, float *to) {
    static const float zeros[4] = {0, 0, 0, 0};
    uint32_t c = 0;
    for (; c + 4 <= n_cols; c += 4) {
        v128_t v[4];
        for (uint32_t i = 0; i < 4; i++)
            v[i] = wasm_v128_load(i < n_rows ? x + i * stride + c : zeros);
        turn_4(v);
        for (uint32_t i = 0; i < 4; i++, to += step) wasm_v128_store(to, v[i]);
    }
    for (; c < n_cols; c++, to += step)
        for (uint32_t i = 0; i < 4; i++)
            to[i] = i < n_rows ? x[i * stride + c] : 0;
}

static void pack(const float *x, size_t stride, uint32_t n_rows,
                 uint32_t n_cols, uint32_t width, float *strips) {
    for (uint32_t r = 0; r < n_rows; r += width, strips += width * n_cols)
        for (uint32_t i = 0; i < width; i += 4) {
            uint32_t left = n_rows - r > i ? n_rows - r - i : 0;
            pack_four(x + (r + i) * stride, stride, left, n_cols, width,
                      strips + i);
        }
}

/* ---- weights ------------------------------------------------------------- */

/* What 32 columns of the four rows are multiplied by: of each half. */
typedef struct factors {
    _Alignas(16) float scale[2][4], min[2][4];
} factors;

static void read_factors(const pipit_form_info *form, const uint8_t *block,
                         uint32_t sub, factors *out) {
    for (uint32_t r = 0; r < PIPIT_GROUP_ROWS; r++) {
        pipit_form_factors f =
            pipit_form_factors_of(form, block, sub, r, pipit_f16_to_f32);
        for (uint32_t i = 0; i < 2; i++) {
            out->scale[i][r] = f.d * f.scale[i];
            out->min[i][r] = f.m * f.min[i];
        }
    }
}

/* The bytes of vector j that stand for quants. */
static void read_quants(const pipit_form_info *form, const uint8_t *block,
                        uint32_t sub, v128_t v[8]) {
    const uint8_t *at = block + form->quants_at + sub * form->sub_bytes;
    if (form->code == PIPIT_CODE_TRITS) {
        pipit_split_trits(block + form->quants_at, sub, v);
    } else {
        switch (form->bits) {
            case 1: pipit_split(1, at, v); break;
            case 2: pipit_split(2, at, v); break;
            case 3: pipit_split(3, at, v); break;
            case 4: pipit_split(4, at, v); break;
            case 5: pipit_split(5, at, v); break;
            case 6: pipit_split(6, at, v); break;
            default: pipit_split(8, at, v);
        }
    }
    v128_t offset = wasm_i8x16_splat((int8_t)pipit_offset_of(form));
    PIPIT_UNROLL
    for (int j = 0; j < 8; j++) {
        if (form->code == PIPIT_CODE_IQ4)
            v[j] = pipit_decoded(PIPIT_CODE_IQ4, v[j]);
        if (form->code == PIPIT_CODE_FP4)
            v[j] = pipit_decoded(PIPIT_CODE_FP4, v[j]);
        if (form->bits == 1) v[j] = wasm_i8x16_add(v[j], v[j]);
        v[j] = wasm_i8x16_sub(v[j], offset);
    }
}

/* Sixteen bytes as floats, four at a time. */
PIPIT_INLINE void floats_of_bytes(v128_t bytes, v128_t out[4]) {
    v128_t low = wasm_i16x8_extend_low_i8x16(bytes);
    v128_t high = wasm_i16x8_extend_high_i8x16(bytes);
    out[0] = wasm_f32x4_convert_i32x4(wasm_i32x4_extend_low_i16x8(low));
    out[1] = wasm_f32x4_convert_i32x4(wasm_i32x4_extend_high_i16x8(low));
    out[2] = wasm_f32x4_convert_i32x4(wasm_i32x4_extend_low_i16x8(high));
    out[3] = wasm_f32x4_convert_i32x4(wasm_i32x4_extend_high_i16x8(high));
}

static const uint8_t *block_at(const pipit_matrix *w,
                               const pipit_form_info *form, uint32_t group,
                               uint32_t c0) {
    return w->groups + (size_t)group * w->group_bytes +
           (size_t)(c0 / form->block_cols) * form->block_bytes;
}

static void unpack_block(const pipit_form_info *form, const uint8_t *block,
                         uint32_t sub, float *to, size_t step) {
    factors f;
    v128_t v[8];
    read_factors(form, block, sub, &f);
    read_quants(form, block, sub, v);
    for (int j = 0; j < 8; j++, to += 4 * step) {
        v128_t q[4];
        v128_t scale = wasm_v128_load(f.scale[j / 4]);
        v128_t min = wasm_v128_load(f.min[j / 4]);
        floats_of_bytes(wasm_i8x16_shuffle(v[j], v[j], 0, 4, 8, 12, 1, 5, 9,
                                           13, 2, 6, 10, 14, 3, 7, 11, 15),
                        q);
        for (size_t i = 0; i < 4; i++) {
            q[i] = wasm_f32x4_mul(scale, q[i]);
            if (form->has_min) q[i] = wasm_f32x4_add(q[i], min);
            wasm_v128_store(to + i * step, q[i]);
        }
    }
}

/* Columns of a matrix of floats: exactly, infinities too. */
static void unpack_floats(const pipit_matrix *w, uint32_t group, uint32_t c0,
                          uint32_t n_cols, float *to, size_t step) {
    const uint8_t *at = w->groups + (size_t)group * w->group_bytes;
    size_t size = w->type == PIPIT_TYPE_F32 ? 4 : 2;
    at += 4 * size * c0;
    for (uint32_t c = 0; c < n_cols; c++, to += step)
        for (size_t i = 0; i < 4; i++, at += size) {
            if (w->type == PIPIT_TYPE_F32)
                to[i] = pipit_load_f32(at);
            else if (w->type == PIPIT_TYPE_F16)
                to[i] = pipit_f16_to_f32(pipit_load_u16(at));
            else
                to[i] = pipit_bf16_to_f32(pipit_load_u16(at));
        }
}

static void unpack(const pipit_matrix *w, uint32_t group, uint32_t c0,
                   uint32_t n_cols, float *to, size_t step) {
    const pipit_form_info *form = pipit_form(w->type);
    if (form->kind == PIPIT_FORM_FLOAT) {
        unpack_floats(w, group, c0, n_cols, to, step);
        return;
    }
    for (uint32_t c = c0; c < c0 + n_cols; c += 32, to += 32 * step)
        unpack_block(form, block_at(w, form, group, c),
                     c / 32 % form->n_subs, to, step);
}

static void turn_floats(const pipit_matrix *w, uint32_t group, uint32_t c0,
                        float *to, size_t strip) {
    _Alignas(16) float columns[4 * 32] = {0};
    uint32_t left = w->n_cols - c0;
    unpack_floats(w, group, c0, left < 32 ? left : 32, columns, 4);
    for (size_t j = 0; j < 8; j++) {
        float *out = to + j / 2 * strip + 4 * (j % 2);
        v128_t v[4];
        for (size_t i = 0; i < 4; i++)
            v[i] = wasm_v128_load(columns + 16 * j + 4 * i);
        turn_4(v);
        for (size_t i = 0; i < 4; i++) wasm_v128_store(out + 8 * i, v[i]);
    }
}

static void unpack_turned(const pipit_matrix *w, uint32_t group, uint32_t c0,
                          float *to, size_t strip) {
    const pipit_form_info *form = pipit_form(w->type);
    factors f;
    v128_t v[8];
    if (form->kind == PIPIT_FORM_FLOAT) {
        turn_floats(w, group, c0, to, strip);
        return;
    }
    const uint8_t *block = block_at(w, form, group, c0);
    read_factors(form, block, c0 / 32 % form->n_subs, &f);
    read_quants(form, block, c0 / 32 % form->n_subs, v);
    for (size_t j = 0; j < 8; j++) {
        float *out = to + j / 2 * strip + 4 * (j % 2);
        v128_t q[4];
        floats_of_bytes(v[j], q);
        for (size_t r = 0; r < 4; r++) {
            q[r] = wasm_f32x4_mul(
                wasm_v128_load32_splat(&f.scale[j / 4][r]), q[r]);
            if (form->has_min)
                q[r] = wasm_f32x4_add(
                    q[r], wasm_v128_load32_splat(&f.min[j / 4][r]));
            wasm_v128_store(out + 8 * r, q[r]);
        }
    }
}

/* ---- rows ---------------------------------------------------------------- */

static void silu_back(float *gate, float *up, const float *dy, size_t n) {
    const v128_t one = wasm_f32x4_splat(1.0f);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        v128_t g = wasm_v128_load(gate + i), u = wasm_v128_load(up + i);
        v128_t d = wasm_v128_load(dy + i);
        v128_t s = wasm_f32x4_div(
            one, wasm_f32x4_add(one, pipit_exp_4(wasm_f32x4_neg(g))));
        v128_t rise = wasm_f32x4_mul(
            s, wasm_f32x4_add(
                   one, wasm_f32x4_mul(g, wasm_f32x4_sub(one, s))));
        wasm_v128_store(gate + i,
                        wasm_f32x4_mul(wasm_f32x4_mul(d, u), rise));
        wasm_v128_store(up + i, wasm_f32x4_mul(d, wasm_f32x4_mul(g, s)));
    }
    pipit_scalar_silu_back(gate + i, up + i, dy + i, n - i);
}

static void gelu_back(float *gate, float *up, const float *dy, size_t n) {
    const v128_t one = wasm_f32x4_splat(1.0f), half = wasm_f32x4_splat(0.5f);
    const v128_t root = wasm_f32x4_splat(0.79788456080286535588f);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        v128_t g = wasm_v128_load(gate + i), u = wasm_v128_load(up + i);
        v128_t d = wasm_v128_load(dy + i), square = wasm_f32x4_mul(g, g);
        v128_t cube = wasm_f32x4_mul(
            wasm_f32x4_mul(wasm_f32x4_splat(0.044715f), g), square);
        v128_t t =
            pipit_tanh_4(wasm_f32x4_mul(root, wasm_f32x4_add(g, cube)));
        v128_t slope = wasm_f32x4_mul(
            root, wasm_f32x4_add(one, wasm_f32x4_mul(
                                          wasm_f32x4_splat(0.134145f),
                                          square)));
        v128_t share = wasm_f32x4_mul(half, wasm_f32x4_add(one, t));
        v128_t rest = wasm_f32x4_mul(
            wasm_f32x4_mul(wasm_f32x4_mul(half, g),
                           wasm_f32x4_sub(one, wasm_f32x4_mul(t, t))),
            slope);
        wasm_v128_store(gate + i,
                        wasm_f32x4_mul(wasm_f32x4_mul(d, u),
                                       wasm_f32x4_add(share, rest)));
        wasm_v128_store(up + i, wasm_f32x4_mul(d, wasm_f32x4_mul(g, share)));
    }
    pipit_scalar_gelu_back(gate + i, up + i, dy + i, n - i);
}

/* ---- 16 bits ------------------------------------------------------------- */

PIPIT_INLINE v128_t kept_4(v128_t x, v128_t inverse) {
    const v128_t most = wasm_f32x4_splat(32767.0f);
    const v128_t least = wasm_f32x4_splat(-32767.0f);
    const v128_t magic = wasm_f32x4_splat(12582912.0f);
    v128_t v = wasm_f32x4_mul(x, inverse);
    v = wasm_v128_and(v, wasm_f32x4_eq(v, v));
    v = wasm_f32x4_pmin(most, wasm_f32x4_pmax(least, v));
    v = wasm_f32x4_sub(wasm_f32x4_add(v, magic), magic);
    return wasm_i32x4_trunc_sat_f32x4(v);
}

static void keep_block(const float *x, float *scale, uint8_t *q) {
    v128_t most = wasm_f32x4_splat(0);
    for (int i = 0; i < 32; i += 4)
        most = wasm_f32x4_pmax(most, wasm_f32x4_abs(wasm_v128_load(x + i)));
    float lanes[4], largest = 0;
    wasm_v128_store(lanes, most);
    for (int i = 0; i < 4; i++)
        if (lanes[i] > largest) largest = lanes[i];
    *scale = largest / 32767.0f;
    v128_t inverse = wasm_f32x4_splat(largest > 0 ? 32767.0f / largest : 0);
    for (int i = 0; i < 32; i += 8)
        wasm_v128_store(q + 2 * i, wasm_i16x8_narrow_i32x4(
                            kept_4(wasm_v128_load(x + i), inverse),
                            kept_4(wasm_v128_load(x + i + 4), inverse)));
}

static void keep(const float *x, size_t n, uint8_t *kept) {
    size_t n_blocks = (n + PIPIT_KEEP_BLOCK - 1) / PIPIT_KEEP_BLOCK;
    uint8_t *q = kept + n_blocks * sizeof(float);
    for (size_t b = 0; b < n_blocks; b++, q += 2 * PIPIT_KEEP_BLOCK) {
        size_t first = b * PIPIT_KEEP_BLOCK;
        float scale;
        if (n - first >= PIPIT_KEEP_BLOCK)
            keep_block(x + first, &scale, q);
        else
            pipit_scalar_keep_block(x + first, n - first, &scale, q);
        memcpy(kept + b * sizeof scale, &scale, sizeof scale);
    }
}

static void restore(const uint8_t *kept, size_t n, float *x) {
    size_t n_blocks = (n + PIPIT_KEEP_BLOCK - 1) / PIPIT_KEEP_BLOCK;
    const uint8_t *q = kept + n_blocks * sizeof(float);
    for (size_t b = 0; b < n_blocks; b++, q += 2 * PIPIT_KEEP_BLOCK) {
        size_t first = b * PIPIT_KEEP_BLOCK;
        float scale;
        memcpy(&scale, kept + b * sizeof scale, sizeof scale);
        if (n - first < PIPIT_KEEP_BLOCK) {
            pipit_scalar_restore_block(scale, q, n - first, x + first);
            continue;
        }
        v128_t scales = wasm_f32x4_splat(scale);
        for (int i = 0; i < 32; i += 4) {
            v128_t v = wasm_i32x4_load16x4(q + 2 * i);
            wasm_v128_store(x + first + i,
                            wasm_f32x4_mul(wasm_f32x4_convert_i32x4(v),
                                           scales));
        }
    }
}

const pipit_train_kernels pipit_train_kernels_simd128 = {
    .multiply = multiply, .pack = pack, .unpack = unpack,
    .unpack_turned = unpack_turned, .silu_back = silu_back,
    .gelu_back = gelu_back, .keep = keep, .restore = restore,
};

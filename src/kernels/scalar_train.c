/* scalar_train.c — the specification of training's kernels, in plain loops. */
#include "train_kernels.h"

#include "../mathf.h"
#include "forms.h"

static float at(const pipit_strips *s, uint32_t width, uint32_t row,
                uint32_t k) {
    return s->x[row / width * s->strip + k * s->step + row % width];
}

static void multiply(const pipit_strips *a, uint32_t n_fours,
                     const pipit_strips *b, uint32_t n_rows, uint32_t n_k,
                     bool add, float *y, size_t y_stride) {
    for (uint32_t j = 0; j < n_rows; j++, y += y_stride)
        for (uint32_t i = 0; i < 4 * n_fours; i++) {
            float sum = add ? y[i] : 0;
            for (uint32_t k = 0; k < n_k; k++)
                sum += at(a, PIPIT_STRIP_A, i, k) * at(b, PIPIT_STRIP_B, j, k);
            y[i] = sum;
        }
}

static void pack(const float *x, size_t stride, uint32_t n_rows,
                 uint32_t n_cols, uint32_t width, float *strips) {
    for (uint32_t r0 = 0; r0 < n_rows; r0 += width)
        for (uint32_t c = 0; c < n_cols; c++)
            for (uint32_t r = r0; r < r0 + width; r++)
                *strips++ = r < n_rows ? x[r * stride + c] : 0;
}

static void unpack(const pipit_matrix *w, uint32_t group, uint32_t c0,
                   uint32_t n_cols, float *to, size_t step) {
    float rows[PIPIT_GROUP_ROWS][32];
    for (uint32_t c = 0; c < n_cols; c++, to += step) {
        if (c % 32 == 0) pipit_layout_columns(w, group, c0 + c, rows);
        for (uint32_t r = 0; r < PIPIT_GROUP_ROWS; r++) to[r] = rows[r][c % 32];
    }
}

static void unpack_turned(const pipit_matrix *w, uint32_t group, uint32_t c0,
                          float *to, size_t strip) {
    float rows[PIPIT_GROUP_ROWS][32] = {{0}};
    pipit_layout_columns(w, group, c0, rows);
    for (uint32_t r = 0; r < PIPIT_GROUP_ROWS; r++)
        for (uint32_t c = 0; c < 32; c++)
            to[c / 8 * strip + 8 * r + c % 8] = rows[r][c];
}

void pipit_scalar_silu_back(float *gate, float *up, const float *dy, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float g = gate[i], s = 1.0f / (1.0f + pipit_expf(-g));
        gate[i] = dy[i] * up[i] * (s * (1.0f + g * (1.0f - s)));
        up[i] = dy[i] * (g * s);
    }
}

void pipit_scalar_gelu_back(float *gate, float *up, const float *dy, size_t n) {
    const float root = 0.79788456080286535588f; /* sqrt(2 / pi) */
    for (size_t i = 0; i < n; i++) {
        float g = gate[i], square = g * g;
        float t = pipit_tanhf(root * (g + 0.044715f * g * square));
        float slope = root * (1.0f + 0.134145f * square);
        float half = 0.5f * (1.0f + t);
        float rise = half + 0.5f * g * (1.0f - t * t) * slope;
        gate[i] = dy[i] * up[i] * rise;
        up[i] = dy[i] * (g * half);
    }
}

/* ---- 16 bits ------------------------------------------------------------- */

void pipit_scalar_keep_block(const float *x, size_t n, float *scale,
                             uint8_t *q) {
    float largest = 0;
    for (size_t i = 0; i < n; i++) {
        float a = x[i] < 0 ? -x[i] : x[i];
        if (a > largest) largest = a;
    }
    *scale = largest / 32767.0f;
    float inverse = largest > 0 ? 32767.0f / largest : 0;
    for (size_t i = 0; i < PIPIT_KEEP_BLOCK; i++) {
        float v = i < n ? x[i] * inverse : 0;
        if (!(v > -32767.0f)) v = v != v ? 0.0f : -32767.0f;
        if (v > 32767.0f) v = 32767.0f;
        int16_t rounded = (int16_t)((v + 12582912.0f) - 12582912.0f);
        memcpy(q + 2 * i, &rounded, 2);
    }
}

void pipit_scalar_restore_block(float scale, const uint8_t *q, size_t n,
                                float *x) {
    for (size_t i = 0; i < n; i++) {
        int16_t v;
        memcpy(&v, q + 2 * i, 2);
        x[i] = (float)v * scale;
    }
}

static size_t n_blocks_of(size_t n) {
    return (n + PIPIT_KEEP_BLOCK - 1) / PIPIT_KEEP_BLOCK;
}

static void keep(const float *x, size_t n, uint8_t *kept) {
    size_t n_blocks = n_blocks_of(n);
    uint8_t *q = kept + n_blocks * sizeof(float);
    for (size_t b = 0; b < n_blocks; b++, q += 2 * PIPIT_KEEP_BLOCK) {
        size_t first = b * PIPIT_KEEP_BLOCK, left = n - first;
        float scale;
        pipit_scalar_keep_block(
            x + first, left < PIPIT_KEEP_BLOCK ? left : PIPIT_KEEP_BLOCK,
            &scale, q);
        memcpy(kept + b * sizeof scale, &scale, sizeof scale);
    }
}

static void restore(const uint8_t *kept, size_t n, float *x) {
    size_t n_blocks = n_blocks_of(n);
    const uint8_t *q = kept + n_blocks * sizeof(float);
    for (size_t b = 0; b < n_blocks; b++, q += 2 * PIPIT_KEEP_BLOCK) {
        size_t first = b * PIPIT_KEEP_BLOCK, left = n - first;
        float scale;
        memcpy(&scale, kept + b * sizeof scale, sizeof scale);
        pipit_scalar_restore_block(
            scale, q, left < PIPIT_KEEP_BLOCK ? left : PIPIT_KEEP_BLOCK,
            x + first);
    }
}

const pipit_train_kernels pipit_train_kernels_scalar = {
    .multiply = multiply, .pack = pack, .unpack = unpack,
    .unpack_turned = unpack_turned, .silu_back = pipit_scalar_silu_back,
    .gelu_back = pipit_scalar_gelu_back, .keep = keep, .restore = restore,
};

const pipit_train_kernels *pipit_train_kernels_of(
    const pipit_kernels *kernels) {
    (void)kernels;
#ifdef PIPIT_HAVE_SIMD128
#ifndef PIPIT_WASM
    if (strcmp(kernels->name, "scalar") == 0)
        return &pipit_train_kernels_scalar;
#endif
    return &pipit_train_kernels_simd128;
#else
    return &pipit_train_kernels_scalar;
#endif
}

#include "kv8.h"

#include <float.h>
#include <math.h>

/* Four lanes, so that compilers take vectors for them. */
#define LANES 4

/* NaN doesn't count, an infinity makes it 0. n: a multiple of LANES. */
static float largest(const float *x, uint32_t n) {
    float most[LANES] = {0};
    for (uint32_t i = 0; i < n; i += LANES)
        for (uint32_t j = 0; j < LANES; j++) {
            float a = fabsf(x[i + j]);
            most[j] = most[j] < a ? a : most[j];
        }
    for (uint32_t j = 1; j < LANES; j++)
        if (most[j] > most[0]) most[0] = most[j];
    return most[0] <= FLT_MAX ? most[0] : 0;
}

/* Nearest, ties to even, by what adding 1.5 * 2^23 leaves in the low bits; NaN
 * (infinity times 0) becomes 0. */
static void quantize(const float *x, float inverse, uint32_t n, uint8_t *q) {
    for (uint32_t i = 0; i < n; i++) {
        float v = x[i] * inverse;
        uint32_t bits;
        v = v == v ? v : 0.0f;
        v = v < -127.0f ? -127.0f : v;
        v = (127.0f < v ? 127.0f : v) + 12582912.0f;
        memcpy(&bits, &v, sizeof bits);
        q[i] = (uint8_t)bits;
    }
}

static float inverse_of(float most) {
    return most > 0 ? 127.0f / most : 0.0f;
}

static void store_key(const float *key, uint32_t head_dim, uint32_t pos,
                      uint8_t *keys) {
    uint8_t *group = keys + pos / 4 * pipit_kv8_group_bytes(head_dim);
    uint8_t *at = group + 4 * sizeof(float) + 4 * (pos % 4);
    float most = largest(key, head_dim), scale = most / 127.0f;
    memcpy(group + sizeof scale * (pos % 4), &scale, sizeof scale);
    for (uint32_t d = 0; d < head_dim; d += 32) {
        uint8_t q[32];
        quantize(key + d, inverse_of(most), 32, q);
        for (uint32_t i = 0; i < 32; i += 4, at += 16) memcpy(at, q + i, 4);
    }
}

static void store_value(const float *value, uint32_t head_dim, uint32_t pos,
                        uint8_t *values) {
    uint32_t place = pos % PIPIT_KV8_BLOCK;
    uint8_t *block =
        values + pos / PIPIT_KV8_BLOCK * pipit_kv8_block_bytes(head_dim);
    uint8_t *at = block + PIPIT_KV8_BLOCK * sizeof(float) + place / 4 * 16 +
                  place % 4;
    float most = largest(value, head_dim), scale = most / 127.0f;
    memcpy(block + sizeof scale * place, &scale, sizeof scale);
    for (uint32_t d = 0; d < head_dim; d += 32) {
        uint8_t q[32];
        quantize(value + d, inverse_of(most), 32, q);
        for (uint32_t i = 0; i < 32; i += 4, at += 128)
            for (uint32_t j = 0; j < 4; j++) at[4 * j] = q[i + j];
    }
}

void pipit_kv8_store(const float *key, const float *value, uint32_t head_dim,
                     uint32_t pos, void *keys, void *values) {
    store_key(key, head_dim, pos, keys);
    store_value(value, head_dim, pos, values);
}

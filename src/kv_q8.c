#include "kv_q8.h"

#include "quant.h"

#include <float.h>
#include <math.h>

/* A group of four rows: for each 32 columns four scales, then eight vectors of
 * four columns of four rows (kernels/forms.h). */
#define BLOCK_BYTES 136u
#define QUANTS_AT 8u
#define HALF_ONE 0x3c00u

static size_t key_group_bytes(uint32_t head_dim) {
    return head_dim / PIPIT_KV8_BLOCK * BLOCK_BYTES;
}

/* Of values: 128 columns. */
#define VALUE_GROUP_BYTES (PIPIT_KV8_RUN / PIPIT_KV8_BLOCK * BLOCK_BYTES)

static size_t run_bytes(uint32_t head_dim) {
    return head_dim / 4 * VALUE_GROUP_BYTES;
}

static size_t value_quant_bytes(uint32_t head_dim, uint32_t capacity) {
    return capacity / PIPIT_KV8_RUN * run_bytes(head_dim);
}

/* Where the block of a slot's run and of its first four rows begins. */
static uint8_t *value_block(const pipit_kv8_head *h, uint32_t slot) {
    return h->values + slot / PIPIT_KV8_RUN * run_bytes(h->head_dim) +
           slot % PIPIT_KV8_RUN / PIPIT_KV8_BLOCK * BLOCK_BYTES;
}

size_t pipit_kv8_key_bytes(uint32_t head_dim, uint32_t capacity) {
    return capacity / 4 * key_group_bytes(head_dim);
}

size_t pipit_kv8_value_bytes(uint32_t head_dim, uint32_t capacity) {
    return value_quant_bytes(head_dim, capacity) + capacity * sizeof(float);
}

pipit_kv8_head pipit_kv8_head_at(uint8_t *keys, uint8_t *values,
                                 uint32_t head_dim, uint32_t capacity) {
    return (pipit_kv8_head){
        keys, values,
        (float *)(void *)(values + value_quant_bytes(head_dim, capacity)),
        head_dim, capacity};
}

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

static void store_key(const pipit_kv8_head *h, uint32_t slot,
                      const float *key) {
    uint32_t row = slot % 4;
    uint8_t *block = h->keys + slot / 4 * key_group_bytes(h->head_dim);
    for (uint32_t c = 0; c < h->head_dim; c += 32, block += BLOCK_BYTES) {
        float most = largest(key + c, 32);
        uint16_t scale = pipit_f32_to_f16(most / 127.0f);
        uint8_t q[32];
        quantize(key + c, inverse_of(most), 32, q);
        memcpy(block + 2 * row, &scale, sizeof scale);
        for (uint32_t i = 0; i < 32; i += 4)
            memcpy(block + QUANTS_AT + 4 * i + 4 * row, q + i, 4);
    }
}

static void store_value(const pipit_kv8_head *h, uint32_t slot,
                        const float *value) {
    static const uint16_t ones[4] = {HALF_ONE, HALF_ONE, HALF_ONE, HALF_ONE};
    uint32_t column = slot % PIPIT_KV8_BLOCK;
    uint8_t *block = value_block(h, slot);
    float most = largest(value, h->head_dim), inverse = inverse_of(most);
    h->scales[slot] = most / 127.0f;
    for (uint32_t d = 0; d < h->head_dim; d += 32) {
        uint8_t q[32];
        quantize(value + d, inverse, 32, q);
        for (uint32_t i = 0; i < 32; i += 4, block += VALUE_GROUP_BYTES) {
            uint8_t *at = block + QUANTS_AT + column / 4 * 16 + column % 4;
            if (column == 0) memcpy(block, ones, sizeof ones);
            for (uint32_t row = 0; row < 4; row++) at[4 * row] = q[i + row];
        }
    }
}

void pipit_kv8_store(const pipit_kv8_head *h, uint32_t slot, const float *key,
                     const float *value) {
    store_key(h, slot, key);
    store_value(h, slot, value);
}

pipit_matrix pipit_kv8_keys(const pipit_kv8_head *h, uint32_t first,
                            uint32_t n) {
    size_t bytes = key_group_bytes(h->head_dim);
    return (pipit_matrix){.type = PIPIT_TYPE_Q8_0, .n_rows = n,
                          .n_cols = h->head_dim, .group_bytes = bytes,
                          .groups = h->keys + first / 4 * bytes};
}

pipit_matrix pipit_kv8_values(const pipit_kv8_head *h, uint32_t first,
                              uint32_t n) {
    return (pipit_matrix){
        .type = PIPIT_TYPE_Q8_0, .n_rows = h->head_dim,
        .n_cols = (n + PIPIT_KV8_BLOCK - 1) & ~(PIPIT_KV8_BLOCK - 1),
        .group_bytes = VALUE_GROUP_BYTES,
        .groups = value_block(h, first)};
}

void pipit_kv8_copy(const pipit_kv8_head *to, const pipit_kv8_head *from,
                    uint32_t n) {
    size_t n_runs = (n + PIPIT_KV8_RUN - 1) / PIPIT_KV8_RUN;
    memcpy(to->keys, from->keys,
           (n + 3) / 4 * key_group_bytes(from->head_dim));
    memcpy(to->values, from->values, n_runs * run_bytes(from->head_dim));
    memcpy(to->scales, from->scales, n * sizeof(float));
}

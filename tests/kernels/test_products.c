/* Matrix products: every implementation against the scalar one, bit by bit, and
 * the scalar one against double precision. */
#include "cases.h"

#define MAX_TOKENS 33u

/* Inputs as an implementation wants them. */
typedef struct inputs {
    float *x;
    uint8_t *blocks;
    pipit_acts acts;
} inputs;

static inputs make_inputs(const pipit_kernels *k, const float *x,
                          uint32_t n_cols, uint32_t n_tokens) {
    size_t stride = (n_cols + 31) / 32 * k->act_block_bytes;
    inputs in = {.x = malloc(sizeof(float) * n_cols * n_tokens),
                 .blocks = aligned_alloc(64, (stride * n_tokens + 63) / 64 * 64)};
    memcpy(in.x, x, sizeof(float) * n_cols * n_tokens);
    for (uint32_t t = 0; t < n_tokens; t++)
        k->quantize(in.x + (size_t)t * n_cols, n_cols, in.blocks + t * stride);
    in.acts = (pipit_acts){.x = in.x, .x_stride = n_cols, .blocks = in.blocks,
                           .block_stride = stride};
    return in;
}

static void free_inputs(inputs *in) {
    free(in->x);
    free(in->blocks);
}

/* All products of one shape with one implementation: y is (n_tokens, rows
 * rounded up to 4). */
static float *multiply(const pipit_kernels *k, const pipit_matrix *w,
                       const float *x, uint32_t n_tokens, bool one_by_one) {
    inputs in = make_inputs(k, x, w->n_cols, n_tokens);
    uint32_t n_groups = pipit_matrix_n_groups(w);
    size_t stride = 4 * (size_t)n_groups;
    size_t scratch_bytes = k->matmul_scratch_bytes(w->n_cols, n_tokens) + 64;
    uint8_t *scratch = aligned_alloc(64, (scratch_bytes + 63) / 64 * 64);
    float *y = malloc(sizeof(float) * stride * n_tokens);
    /* In two parts, as two threads would. */
    for (uint32_t part = 0; part < 2; part++) {
        uint32_t g0 = part * (n_groups / 2);
        uint32_t g1 = part ? n_groups : n_groups / 2;
        if (!one_by_one)
            k->matmul(w, g0, g1, &in.acts, n_tokens, y, stride, scratch);
        for (uint32_t t = 0; one_by_one && t < n_tokens; t++) {
            pipit_acts row = {.x = in.x + (size_t)t * w->n_cols,
                              .blocks = in.blocks + t * in.acts.block_stride};
            k->matmul(w, g0, g1, &row, 1, y + t * stride, 0, scratch);
        }
    }
    free(scratch);
    free_inputs(&in);
    return y;
}

static void compare_shape(uint32_t type, case_values values, case_values x_values,
                          uint32_t n_rows, uint32_t n_cols,
                          uint32_t n_tokens) {
    pipit_rng rng;
    uint8_t *file;
    pipit_rng_seed(&rng, type * 1000 + n_rows * 10 + n_tokens);
    pipit_matrix w = case_matrix(&rng, type, values, n_rows, n_cols, &file);
    size_t n = 4 * (size_t)pipit_matrix_n_groups(&w) * n_tokens;
    float *x = malloc(sizeof(float) * n_cols * n_tokens);
    for (size_t i = 0; i < (size_t)n_cols * n_tokens; i++)
        x[i] = case_float(&rng, x_values);
    float *expected = multiply(pipit_kernels_at(0), &w, x, n_tokens, true);
    for (uint32_t i = 0; pipit_kernels_at(i); i++) {
        const pipit_kernels *k = pipit_kernels_at(i);
        float *one = multiply(k, &w, x, n_tokens, true);
        float *all = multiply(k, &w, x, n_tokens, false);
        bool same = CHECK_BITS(one, expected, n) && CHECK_BITS(all, expected, n);
        if (!same)
            printf("  %s, %s, %u x %u, %u tokens, values %d\n", k->name,
                   pipit_type(type)->name, n_rows, n_cols, n_tokens, values);
        free(one);
        free(all);
    }
    free(expected);
    free(x);
    case_free(&w, file);
}

static void every_shape_gives_the_same_bits(void) {
    static const uint32_t rows[] = {1, 3, 4, 5, 8, 9, 16, 23};
    static const uint32_t tokens[] = {1, 2, 3, 4, 5, 7, 9, MAX_TOKENS};
    for (size_t t = 0; t < N_CASE_TYPES; t++)
        for (size_t r = 0; r < 8; r++) {
            uint32_t block = pipit_type(case_types[t])->block_elems;
            uint32_t cols = block == 1 ? 37 : block * (1 + (uint32_t)r % 3);
            compare_shape(case_types[t], CASE_TAME, CASE_TAME, rows[r], cols, tokens[r]);
            compare_shape(case_types[t], CASE_TAME, CASE_TAME, rows[7 - r],
                          cols, tokens[r]);
        }
}

/* Any bytes as weights, any floats as inputs, and both. */
static void extreme_values_give_the_same_bits(void) {
    for (size_t t = 0; t < N_CASE_TYPES; t++)
        for (uint32_t tokens = 1; tokens <= 6; tokens += 5) {
            compare_shape(case_types[t], CASE_WILD, CASE_TAME, 9, 512, tokens);
            compare_shape(case_types[t], CASE_TAME, CASE_WILD, 9, 512, tokens);
            compare_shape(case_types[t], CASE_WILD, CASE_WILD, 9, 256, tokens);
        }
}

/* The largest sums that quants can make: i16 must not overflow anywhere. */
static void the_largest_sums_are_exact(void) {
    for (size_t t = 0; t < N_CASE_TYPES; t++)
        for (int w = CASE_MOST; w <= CASE_LEAST; w++)
            for (int x = CASE_MOST; x <= CASE_LEAST; x++)
                compare_shape(case_types[t], (case_values)w, (case_values)x, 8,
                              4096, 4);
}

/* Against plain double-precision products of the dequantized weights with the
 * quantized activations: only rounding is left. */
static void scalar_is_right(void) {
    pipit_rng rng;
    pipit_rng_seed(&rng, 7);
    for (size_t t = 0; t < N_CASE_TYPES; t++) {
        uint8_t *file;
        uint32_t type = case_types[t], n_cols = 1024, n_rows = 12;
        pipit_matrix w =
            case_matrix(&rng, type, CASE_TAME, n_rows, n_cols, &file);
        float x[1024], rounded[1024], row[1024];
        for (uint32_t i = 0; i < n_cols; i++) x[i] = case_float(&rng, CASE_TAME);
        memcpy(rounded, x, sizeof x);
        if (pipit_type(type)->block_elems > 1)
            for (uint32_t b = 0; b < n_cols; b += 32) {
                float amax = 0;
                for (uint32_t i = b; i < b + 32; i++)
                    if (fabsf(x[i]) > amax) amax = fabsf(x[i]);
                for (uint32_t i = b; i < b + 32; i++)
                    rounded[i] = rintf(x[i] * (127.0f / amax)) * (amax / 127.0f);
            }
        float *y = multiply(pipit_kernels_at(0), &w, x, 1, true);
        for (uint32_t r = 0; r < n_rows; r++) {
            double sum = 0, size = 0;
            pipit_layout_row(&w, r, row);
            for (uint32_t i = 0; i < n_cols; i++) {
                sum += (double)row[i] * rounded[i];
                size += fabs((double)row[i] * rounded[i]);
            }
            CHECK_CLOSE(y[r], sum, 2e-6 * size);
        }
        free(y);
        case_free(&w, file);
    }
}

int main(void) {
    CASE(every_shape_gives_the_same_bits);
    CASE(extreme_values_give_the_same_bits);
    CASE(the_largest_sums_are_exact);
    CASE(scalar_is_right);
    return check_done();
}

/* Training's kernels: every implementation has the bits of the scalar one, over
 * odd sizes, each type of weights and both layouts. */
#include "check.h"

#include "kernels/train_kernels.h"
#include "rng.h"

#include <stdlib.h>

static const pipit_train_kernels *const all[] = {
    &pipit_train_kernels_scalar,
#ifdef PIPIT_HAVE_SIMD128
    &pipit_train_kernels_simd128,
#endif
};
enum { N_ALL = sizeof all / sizeof all[0] };

static pipit_rng rng;

static void fill(float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(2 * pipit_rng_unit(&rng) - 1);
}

static void products_have_the_same_bits(void) {
    enum { K = 23, ROWS = 11, FOURS = 5, STRIDE = 24 };
    float a[64 * K], b[16 * (K + 1)], y[2][ROWS * STRIDE];
    pipit_rng_seed(&rng, 1);
    fill(a, 64 * K);
    fill(b, 16 * (K + 1));
    const pipit_strips as[] = {{a, 8, 8 * K}, {a, 40, 8}};
    const pipit_strips bs[] = {{b, 4, 4 * K}, {b, 12, 4}};
    for (uint32_t i = 0; i < 4 * K * FOURS * ROWS; i++) {
        uint32_t n_k = 1 + i / 4 % K, n_fours = 1 + i / 4 / K % FOURS;
        uint32_t n_rows = 1 + i / 4 / K / FOURS;
        const pipit_strips *left = &as[i % 2], *right = &bs[i / 2 % 2];
        for (int j = 0; j < N_ALL; j++)
            for (int add = 0; add < 2; add++) {
                float *out = y[j > 0];
                for (size_t c = 0; c < ROWS * STRIDE; c++)
                    out[c] = (float)c;
                all[j]->multiply(left, n_fours, right, n_rows, n_k, add, out,
                                 STRIDE);
                if (j > 0 && add) CHECK_BITS(y[0], out, ROWS * STRIDE);
            }
    }
}

static void rows_are_packed_alike(void) {
    enum { MOST = 13, STRIDE = 17 };
    float x[MOST * STRIDE], y[2][16 * STRIDE];
    pipit_rng_seed(&rng, 2);
    fill(x, MOST * STRIDE);
    for (uint32_t n_rows = 1; n_rows <= MOST; n_rows++)
        for (uint32_t n_cols = 1; n_cols <= STRIDE; n_cols++)
            for (uint32_t width = 4; width <= 8; width += 4)
                for (int j = 0; j < N_ALL; j++) {
                    size_t n = (n_rows + width - 1) / width * width * n_cols;
                    all[j]->pack(x, STRIDE, n_rows, n_cols, width, y[j > 0]);
                    if (j > 0) CHECK_BITS(y[0], y[1], n);
                    for (uint32_t i = 0; i < n_rows * n_cols; i++) {
                        uint32_t r = i / n_cols, c = i % n_cols;
                        CHECK(y[j > 0][r / width * width * n_cols +
                                       c * width + r % width] ==
                              x[r * STRIDE + c]);
                    }
                }
}

/* A scale of a file is finite. */
static void tame(uint32_t type, uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)(255 * pipit_rng_unit(&rng));
        if (type == PIPIT_TYPE_F32 ? i % 4 == 3 : i % 2 == 1)
            bytes[i] &= 0xbf;
    }
}

static void unpack_type(uint32_t type, uint32_t n_cols) {
    enum { ROWS = 7 };
    const pipit_type_info *info = pipit_type(type);
    size_t row = (size_t)n_cols / info->block_elems * info->block_bytes;
    uint8_t *file = malloc(ROWS * row);
    pipit_matrix w = {.type = type, .n_rows = ROWS, .n_cols = n_cols};
    CHECK(pipit_layout_group_bytes(type, n_cols, &w.group_bytes));
    uint8_t *groups = aligned_alloc(64, (2 * w.group_bytes + 63) / 64 * 64);
    float *rows = malloc(n_cols * sizeof *rows);
    float *y = malloc(8 * n_cols * sizeof *y);
    tame(type, file, ROWS * row);
    for (uint32_t g = 0; g < 2; g++)
        pipit_layout_pack(type, n_cols, file + 4 * g * row, g ? 3 : 4,
                          groups + g * w.group_bytes);
    w.groups = groups;
    for (int j = 0; j < N_ALL; j++) {
        for (uint32_t g = 0; g < 2; g++)
            all[j]->unpack(&w, g, 0, n_cols, y + 4 * g, 8);
        for (uint32_t r = 0; r < ROWS; r++) {
            pipit_layout_row(&w, r, rows);
            for (uint32_t c = 0; c < n_cols; c++)
                CHECK_BITS(&rows[c], &y[8 * c + r], 1);
        }
        for (uint32_t c0 = 0; c0 < n_cols; c0 += 32) {
            float turned[4 * 8 * 8];
            for (uint32_t g = 0; g < 2; g++)
                all[j]->unpack_turned(&w, g, c0, turned + 32 * g, 64);
            for (uint32_t r = 0; r < ROWS; r++) {
                pipit_layout_row(&w, r, rows);
                for (uint32_t c = 0; c < 32 && c0 + c < n_cols; c++)
                    CHECK_BITS(&rows[c0 + c],
                               &turned[c / 8 * 64 + 8 * r + c % 8], 1);
            }
        }
    }
    free(file), free(groups), free(rows), free(y);
}

static void weights_are_unpacked_as_the_reference_reads_them(void) {
    pipit_rng_seed(&rng, 3);
    for (uint32_t type = 0; type < PIPIT_N_TYPES; type++)
        if (pipit_layout_supports(type)) unpack_type(type, 512);
    unpack_type(PIPIT_TYPE_F32, 45);
    unpack_type(PIPIT_TYPE_BF16, 70);
}

static void gates_have_the_same_bits(void) {
    enum { N = 39 };
    float x[3][N], y[2][2][N];
    pipit_rng_seed(&rng, 4);
    for (int i = 0; i < 3; i++) fill(x[i], N);
    for (int i = 0; i < N; i++) x[0][i] *= 30;
    for (int gelu = 0; gelu < 2; gelu++)
        for (int j = 0; j < N_ALL; j++) {
            float *gate = y[j > 0][0], *up = y[j > 0][1];
            memcpy(gate, x[0], sizeof x[0]);
            memcpy(up, x[1], sizeof x[1]);
            (gelu ? all[j]->gelu_back : all[j]->silu_back)(gate, up, x[2], N);
            if (j > 0) CHECK_BITS(y[0][0], y[1][0], 2 * N);
        }
}

static void what_is_kept_comes_back(void) {
    enum { N = 77 };
    float x[N], back[2][N];
    uint8_t kept[2][2 * 96 + 12];
    pipit_rng_seed(&rng, 5);
    fill(x, N);
    for (int i = 32; i < 64; i++) x[i] = i == 40 ? 1000.0f : 0.0f;
    CHECK_EQ_U64(pipit_keep_bytes(N), sizeof kept[0]);
    for (int j = 0; j < N_ALL; j++) {
        all[j]->keep(x, N, kept[j > 0]);
        all[j]->restore(kept[j > 0], N, back[j > 0]);
        for (int i = 0; i < N; i++)
            CHECK_CLOSE((double)back[j > 0][i], (double)x[i],
                        i / 32 == 1 ? 0.02 : 2e-5);
        if (j == 0) continue;
        CHECK(memcmp(kept[0], kept[1], sizeof kept[0]) == 0);
        CHECK_BITS(back[0], back[1], N);
    }
}

int main(void) {
    CASE(products_have_the_same_bits);
    CASE(rows_are_packed_alike);
    CASE(weights_are_unpacked_as_the_reference_reads_them);
    CASE(gates_have_the_same_bits);
    CASE(what_is_kept_comes_back);
    return check_done();
}

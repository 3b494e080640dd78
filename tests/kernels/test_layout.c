/* Layouts: what a row group gives back has the bits of the reference. */
#include "cases.h"

static void rows_come_back_bit_for_bit(void) {
    pipit_rng rng;
    pipit_rng_seed(&rng, 1);
    for (size_t t = 0; t < N_CASE_TYPES; t++)
        for (uint32_t n_rows = 1; n_rows <= 6; n_rows++) {
            const pipit_type_info *info = pipit_type(case_types[t]);
            uint32_t n_cols = info->block_elems == 1 ? 19 : 512;
            size_t row_bytes =
                (size_t)n_cols / info->block_elems * info->block_bytes;
            uint8_t *file;
            float expected[512], row[512];
            pipit_matrix w = case_matrix(&rng, case_types[t], CASE_WILD, n_rows,
                                         n_cols, &file);
            for (uint32_t r = 0; r < n_rows; r++) {
                info->dequantize(file + r * row_bytes,
                                 n_cols / info->block_elems, expected);
                pipit_layout_row(&w, r, row);
                if (!CHECK_BITS(row, expected, n_cols))
                    printf("  %s row %u\n", info->name, r);
                for (uint32_t c = 0; c < n_cols; c += 32) {
                    float some[PIPIT_GROUP_ROWS][32];
                    pipit_layout_columns(&w, r / PIPIT_GROUP_ROWS, c, some);
                    CHECK_BITS(some[r % PIPIT_GROUP_ROWS], expected + c,
                               n_cols - c < 32 ? n_cols - c : 32);
                }
            }
            case_free(&w, file);
        }
}

static void no_layout_is_much_larger_than_the_file(void) {
    for (size_t t = 0; t < N_CASE_TYPES; t++) {
        const pipit_type_info *info = pipit_type(case_types[t]);
        size_t group = 0, file = 4 * 4096 / info->block_elems * info->block_bytes;
        CHECK(pipit_layout_group_bytes(case_types[t], 4096, &group));
        CHECK(group >= file && group * 10 <= file * 11);
    }
}

static void what_does_not_fit_is_refused(void) {
    size_t bytes;
    CHECK(!pipit_layout_supports(PIPIT_TYPE_F32 + 4));
    CHECK(!pipit_layout_supports(9999));
    CHECK(!pipit_layout_group_bytes(PIPIT_TYPE_Q4_0, 33, &bytes));
    CHECK(!pipit_layout_group_bytes(PIPIT_TYPE_Q4_K, 128, &bytes));
}

int main(void) {
    CASE(rows_come_back_bit_for_bit);
    CASE(no_layout_is_much_larger_than_the_file);
    CASE(what_does_not_fit_is_refused);
    return check_done();
}

/* Every type against ggml's own values where they are at hand, and against
 * small blocks worked out by hand for all. */
#include "check.h"
#include "quant.h"

/* 48 random blocks of each type and what ggml makes of them. */
static void equals_ggml(void) {
    static const struct {
        const char *name;
        uint32_t type;
    } files[] = {{"f16", PIPIT_TYPE_F16},       {"bf16", PIPIT_TYPE_BF16},
                 {"q4_0", PIPIT_TYPE_Q4_0},     {"q4_1", PIPIT_TYPE_Q4_1},
                 {"q5_0", PIPIT_TYPE_Q5_0},     {"q5_1", PIPIT_TYPE_Q5_1},
                 {"q8_0", PIPIT_TYPE_Q8_0},     {"q2_K", PIPIT_TYPE_Q2_K},
                 {"q3_K", PIPIT_TYPE_Q3_K},     {"q4_K", PIPIT_TYPE_Q4_K},
                 {"q5_K", PIPIT_TYPE_Q5_K},     {"q6_K", PIPIT_TYPE_Q6_K},
                 {"iq4_nl", PIPIT_TYPE_IQ4_NL}, {"iq4_xs", PIPIT_TYPE_IQ4_XS},
                 {"tq1_0", PIPIT_TYPE_TQ1_0},   {"tq2_0", PIPIT_TYPE_TQ2_0},
                 {"mxfp4", PIPIT_TYPE_MXFP4}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const pipit_type_info *type = pipit_type(files[i].type);
        char name[128];
        size_t n_bytes, n_expect;
        snprintf(name, sizeof name, "peerdata/quant-blocks/%s.blocks.bin",
                 files[i].name);
        uint8_t *blocks = check_read_shared(name, &n_bytes);
        snprintf(name, sizeof name, "peerdata/quant-blocks/%s.expect.f32",
                 files[i].name);
        uint8_t *expect = check_read_shared(name, &n_expect);
        size_t n = blocks ? n_bytes / type->block_bytes : 0;
        if (blocks && expect &&
            CHECK_EQ_U64(n_expect, n * type->block_elems * 4)) {
            CHECK_EQ_U64(n, 48);
            float *out = malloc(n_expect);
            float *right = malloc(n_expect);
            memcpy(right, expect, n_expect);
            type->dequantize(blocks, n, out);
            if (!CHECK_BITS(out, right, n * type->block_elems))
                printf("(type %s)\n", files[i].name);
            free(out);
            free(right);
        }
        free(blocks);
        free(expect);
    }
}

/* One block of each type, at an odd address, from bytes 1, 2, 3, …: exactly as
 * many floats written, none elsewhere, the same each time; two blocks are the
 * two one by one. ASan watches the ends. */
static void stays_within_blocks(void) {
    for (uint32_t t = 0; t < PIPIT_N_TYPES + 3; t++) {
        const pipit_type_info *type = pipit_type(t);
        if (!type->dequantize) continue;
        size_t bytes = type->block_bytes, elems = type->block_elems;
        uint8_t *blocks = malloc(2 * bytes + 1);
        float *both = malloc(2 * elems * sizeof(float));
        float *each = malloc(2 * elems * sizeof(float));
        for (size_t i = 0; i < 2 * bytes; i++)
            blocks[1 + i] = (uint8_t)(i * 37 + 1);
        memset(both, 0xFF, 2 * elems * sizeof(float));
        memset(each, 0, 2 * elems * sizeof(float));
        type->dequantize(blocks + 1, 2, both);
        type->dequantize(blocks + 1, 1, each);
        type->dequantize(blocks + 1 + bytes, 1, each + elems);
        if (!CHECK_BITS(both, each, 2 * elems)) printf("(%s)\n", type->name);
        type->dequantize(blocks + 1, 0, NULL);
        free(blocks);
        free(both);
        free(each);
    }
}

static void one_block(uint32_t type, const uint8_t *block, float *out) {
    pipit_type(type)->dequantize(block, 1, out);
}

/* d = 2 (0x4000), m = -1 (0xBC00). */
static void small_blocks_by_hand(void) {
    float y[32];
    const uint8_t q4_0[18] = {0x00, 0x40, 0xF0, 0x18};
    one_block(PIPIT_TYPE_Q4_0, q4_0, y);
    CHECK(y[0] == -16 && y[16] == 14 && y[1] == 0 && y[17] == -14);
    CHECK(y[2] == -16 && y[31] == -16);

    const uint8_t q4_1[20] = {0x00, 0x40, 0x00, 0xBC, 0xF0, 0x18};
    one_block(PIPIT_TYPE_Q4_1, q4_1, y);
    CHECK(y[0] == -1 && y[16] == 29 && y[1] == 15 && y[17] == 1);

    const uint8_t q5_0[22] = {0x00, 0x40, 0x01, 0x00, 0x02, 0x00, 0xF0, 0x18};
    one_block(PIPIT_TYPE_Q5_0, q5_0, y); /* fifth bits of elements 0 and 17 */
    CHECK(y[0] == 0 && y[16] == -2 && y[1] == -16 && y[17] == 2);

    const uint8_t q5_1[24] = {0x00, 0x40, 0x00, 0xBC, 1, 0, 2, 0, 0xF0, 0x18};
    one_block(PIPIT_TYPE_Q5_1, q5_1, y);
    CHECK(y[0] == 31 && y[16] == 29 && y[1] == 15 && y[17] == 33);

    const uint8_t q8_0[34] = {0x00, 0x40, 0x80, 0x7F, 0xFF};
    one_block(PIPIT_TYPE_Q8_0, q8_0, y);
    CHECK(y[0] == -256 && y[1] == 254 && y[2] == -2 && y[3] == 0);

    const uint8_t mxfp4[17] = {128, 0x17, 0xF9};
    one_block(PIPIT_TYPE_MXFP4, mxfp4, y);
    CHECK(y[0] == 12 && y[16] == 1 && y[1] == -1 && y[17] == -12);
}

/* The types ggml's blocks are not at hand for. */
static void nvfp4_by_hand(void) {
    float y[64];
    /* scales: 2^0 (0x38), 0, 1.5 * 2^3 (0x54), 7 * 2^-9 (0x07) */
    uint8_t block[36] = {0x38, 0x00, 0x54, 0x07};
    for (size_t s = 0; s < 4; s++) block[4 + 8 * s] = 0xA7; /* 6 and -1 */
    one_block(PIPIT_TYPE_NVFP4, block, y);
    CHECK(y[0] == 6 && y[8] == -1 && y[1] == 0);
    CHECK(y[16] == 0 && y[24] == 0);
    CHECK(y[32] == 72 && y[40] == -12);
    CHECK(y[48] == 42 * 0x1p-9f && y[56] == -7 * 0x1p-9f);
    block[0] = 0x7F; /* NaN in E4M3; zero here */
    block[1] = 0x7E; /* the largest, 448 */
    one_block(PIPIT_TYPE_NVFP4, block, y);
    CHECK(y[0] == 0 && y[16] == 2688);
}

static void q1_0_by_hand(void) {
    float y[128];
    uint8_t block[18] = {0x00, 0x40, 0x05};
    block[17] = 0x80;
    one_block(PIPIT_TYPE_Q1_0, block, y);
    for (size_t i = 0; i < 128; i++)
        CHECK(y[i] == (i == 0 || i == 2 || i == 127 ? 2.0f : -2.0f));
}

static void q2_0_by_hand(void) {
    float y[64];
    uint8_t block[18] = {0x00, 0x40, 0xE4};
    block[17] = 0x55;
    one_block(PIPIT_TYPE_Q2_0, block, y);
    CHECK(y[0] == -2 && y[1] == 0 && y[2] == 2 && y[3] == 4 && y[4] == -2);
    for (size_t i = 60; i < 64; i++) CHECK(y[i] == 0);
}

/* ---- floats ------------------------------------------------------------ */

static uint32_t bits_of(float f) {
    uint32_t bits;
    memcpy(&bits, &f, 4);
    return bits;
}

static float float_of(uint32_t bits) {
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

/* By the definition, with ldexp's meaning spelled out in doubles. */
static void f16_is_exact(void) {
    for (uint32_t h = 0; h < 65536; h++) {
        uint32_t e = h >> 10 & 31, m = h & 1023;
        float f = pipit_f16_to_f32((uint16_t)h);
        CHECK((bits_of(f) >> 31) == h >> 15);
        if (e == 31) {
            CHECK(m ? f != f : f == float_of(0x7F800000 | h >> 15 << 31));
            CHECK_EQ_U64(bits_of(f) & 0x7FFFFF, m << 13);
            continue;
        }
        double value = e ? 1024.0 + m : (double)m;
        for (uint32_t i = e ? e : 1; i < 25; i++) value /= 2;
        for (uint32_t i = 25; i < (e ? e : 1); i++) value *= 2;
        CHECK((double)f == (h >> 15 ? -value : value));
    }
}

static void f16_round_trip(void) {
    for (uint32_t h = 0; h < 65536; h++) {
        uint16_t back = pipit_f32_to_f16(pipit_f16_to_f32((uint16_t)h));
        if ((h & 0x7FFF) <= 0x7C00)
            CHECK_EQ_U64(back, h);
        else /* NaN: quiet, same sign */
            CHECK_EQ_U64(back, h | 0x200);
    }
}

/* Between any two neighbours: below the middle, the middle, above it, and one
 * f32 step to each side of all of these. */
static void rounds_to_nearest_even(void) {
    for (uint32_t h = 0; h < 0x7BFF; h++) {
        float low = pipit_f16_to_f32((uint16_t)h);
        float high = pipit_f16_to_f32((uint16_t)(h + 1));
        float middle = low / 2 + high / 2; /* exact */
        uint32_t even = h & 1 ? h + 1 : h;
        CHECK_EQ_U64(pipit_f32_to_f16(middle), even);
        CHECK_EQ_U64(pipit_f32_to_f16(-middle), even | 0x8000);
        CHECK_EQ_U64(pipit_f32_to_f16(float_of(bits_of(middle) - 1)), h);
        CHECK_EQ_U64(pipit_f32_to_f16(float_of(bits_of(middle) + 1)), h + 1);
        CHECK_EQ_U64(pipit_f32_to_f16(float_of(bits_of(low) + 1)), h);
        CHECK_EQ_U64(pipit_f32_to_f16(float_of(bits_of(high) - 1)), h + 1);
    }
}

static void rounds_at_the_ends(void) {
    CHECK_EQ_U64(pipit_f32_to_f16(0.0f), 0);
    CHECK_EQ_U64(pipit_f32_to_f16(-0.0f), 0x8000);
    CHECK_EQ_U64(pipit_f32_to_f16(0x1p-25f), 0); /* a tie, to even */
    CHECK_EQ_U64(pipit_f32_to_f16(float_of(bits_of(0x1p-25f) + 1)), 1);
    CHECK_EQ_U64(pipit_f32_to_f16(float_of(1)), 0);
    CHECK_EQ_U64(pipit_f32_to_f16(65504.0f), 0x7BFF);
    CHECK_EQ_U64(pipit_f32_to_f16(65519.996f), 0x7BFF);
    CHECK_EQ_U64(pipit_f32_to_f16(65520.0f), 0x7C00);
    CHECK_EQ_U64(pipit_f32_to_f16(-3e38f), 0xFC00);
    CHECK_EQ_U64(pipit_f32_to_f16(float_of(0x7F800000)), 0x7C00);
    CHECK_EQ_U64(pipit_f32_to_f16(float_of(0x7F800001)), 0x7E00);
    CHECK_EQ_U64(pipit_f32_to_f16(float_of(0xFFFFFFFF)), 0xFFFF);
}

static void bf16_is_the_upper_half(void) {
    for (uint32_t h = 0; h < 65536; h++)
        CHECK_EQ_U64(bits_of(pipit_bf16_to_f32((uint16_t)h)), h << 16);
}

/* ---- the table --------------------------------------------------------- */

static void sizes(void) {
    /* GGUF's numbers: name, elements and bytes of a block. */
    static const struct {
        const char *name;
        uint32_t elems, bytes;
    } expect[PIPIT_N_TYPES] = {
        [0] = {"F32", 1, 4},        [1] = {"F16", 1, 2},
        [2] = {"Q4_0", 32, 18},     [3] = {"Q4_1", 32, 20},
        [6] = {"Q5_0", 32, 22},     [7] = {"Q5_1", 32, 24},
        [8] = {"Q8_0", 32, 34},     [9] = {"Q8_1", 32, 36},
        [10] = {"Q2_K", 256, 84},   [11] = {"Q3_K", 256, 110},
        [12] = {"Q4_K", 256, 144},  [13] = {"Q5_K", 256, 176},
        [14] = {"Q6_K", 256, 210},  [15] = {"Q8_K", 256, 292},
        [16] = {"IQ2_XXS", 256, 66}, [17] = {"IQ2_XS", 256, 74},
        [18] = {"IQ3_XXS", 256, 98}, [19] = {"IQ1_S", 256, 50},
        [20] = {"IQ4_NL", 32, 18},  [21] = {"IQ3_S", 256, 110},
        [22] = {"IQ2_S", 256, 82},  [23] = {"IQ4_XS", 256, 136},
        [24] = {"I8", 1, 1},        [25] = {"I16", 1, 2},
        [26] = {"I32", 1, 4},       [27] = {"I64", 1, 8},
        [28] = {"F64", 1, 8},       [29] = {"IQ1_M", 256, 56},
        [30] = {"BF16", 1, 2},      [34] = {"TQ1_0", 256, 54},
        [35] = {"TQ2_0", 256, 66},  [39] = {"MXFP4", 32, 17},
        [40] = {"NVFP4", 64, 36},   [41] = {"Q1_0", 128, 18},
        [42] = {"Q2_0", 64, 18}};
    for (uint32_t t = 0; t < PIPIT_N_TYPES; t++) {
        const pipit_type_info *type = pipit_type(t);
        CHECK_EQ_U64(type->block_elems, expect[t].elems);
        CHECK_EQ_U64(type->block_bytes, expect[t].bytes);
        CHECK(type->name ? expect[t].name && !strcmp(type->name, expect[t].name)
                         : !expect[t].name);
    }
    const uint32_t none[] = {4, 5, 31, 33, 36, 38, 43, 255, UINT32_MAX};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        CHECK_EQ_U64(pipit_type(none[i])->block_elems, 0);
        CHECK(pipit_type(none[i])->name == NULL);
    }
}

int main(void) {
    CASE(equals_ggml);
    CASE(stays_within_blocks);
    CASE(small_blocks_by_hand);
    CASE(nvfp4_by_hand);
    CASE(q1_0_by_hand);
    CASE(q2_0_by_hand);
    CASE(f16_is_exact);
    CASE(f16_round_trip);
    CASE(rounds_to_nearest_even);
    CASE(rounds_at_the_ends);
    CASE(bf16_is_the_upper_half);
    CASE(sizes);
    return check_done();
}

/* layout.c — moving bits from file blocks to row groups and back. Everything is
 * done on words of four quants, as they lie in both. */
#include "layout.h"

#include "forms.h"

#define BYTES(x) ((x) * 0x01010101u)

bool pipit_layout_supports(uint32_t type) {
    return pipit_form(type)->kind != PIPIT_FORM_NONE;
}

bool pipit_layout_group_bytes(uint32_t type, uint32_t n_cols, size_t *out) {
    const pipit_form_info *form = pipit_form(type);
    if (form->kind == PIPIT_FORM_NONE || n_cols % form->block_cols != 0)
        return false;
    return pipit_mul_size(n_cols / form->block_cols, form->block_bytes, out);
}

/* ---- floats: (column, row) ---------------------------------------------- */

static void pack_f32(const uint8_t *row, uint32_t n_cols, uint32_t r,
                     uint8_t *group) {
    for (uint32_t c = 0; c < n_cols; c++)
        memcpy(group + 16 * (size_t)c + 4 * r, row + 4 * (size_t)c, 4);
}

static void pack_16(const uint8_t *row, uint32_t n_cols, uint32_t r,
                    uint8_t *group) {
    for (uint32_t c = 0; c < n_cols; c++)
        memcpy(group + 8 * (size_t)c + 2 * r, row + 2 * (size_t)c, 2);
}

/* ---- quants of 32 columns, from the file -------------------------------- */

/* The small blocks' order: 16 bytes, low nibbles first. */
static void read_nibbles(const uint8_t *qs, uint32_t v[8]) {
    for (uint32_t j = 0; j < 4; j++) {
        uint32_t word = pipit_load_u32(qs + 4 * j);
        v[j] = word & BYTES(15);
        v[j + 4] = word >> 4 & BYTES(15);
    }
}

/* `bits` bits at `shift` of each of 32 bytes. */
static void read_shifted(const uint8_t *bytes, uint32_t shift, uint32_t bits,
                         uint32_t v[8]) {
    for (uint32_t j = 0; j < 8; j++)
        v[j] = pipit_load_u32(bytes + 4 * j) >> shift &
               BYTES((1u << bits) - 1);
}

static void add_shifted(const uint8_t *bytes, uint32_t shift, uint32_t bits,
                        uint32_t up, uint32_t v[8]) {
    uint32_t high[8];
    read_shifted(bytes, shift, bits, high);
    for (uint32_t j = 0; j < 8; j++) v[j] |= high[j] << up;
}

/* Bit i of four consecutive ones to byte i. */
static uint32_t spread_bits(uint32_t four) {
    return (four & 15) * 0x00204081u & BYTES(1);
}

static void add_bits(uint32_t bits, uint32_t up, uint32_t v[8]) {
    for (uint32_t j = 0; j < 8; j++) v[j] |= spread_bits(bits >> 4 * j) << up;
}

/* Two runs of 16: eight bytes each, low nibbles first. */
static void read_nvfp4(const uint8_t *qs, uint32_t v[8]) {
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t word = pipit_load_u32(qs + 4 * i);
        uint32_t *out = v + i / 2 * 4 + i % 2;
        out[0] = word & BYTES(15);
        out[2] = word >> 4 & BYTES(15);
    }
}

/* Four two-bit quants in each byte. */
static void read_q2_0(const uint8_t *qs, uint32_t v[8]) {
    for (uint32_t j = 0; j < 8; j++)
        v[j] = (qs[j] | (uint32_t)qs[j] << 6 | (uint32_t)qs[j] << 12 |
                (uint32_t)qs[j] << 18) & BYTES(3);
}

/* Sub-block s of a file block; quant.c describes the orders. */
static void read_quants(uint32_t type, const uint8_t *in, uint32_t s,
                        uint32_t v[8]) {
    const uint32_t half = s / 4, g = s % 4;
    memset(v, 0, 8 * sizeof *v);
    switch (type) {
        case PIPIT_TYPE_Q5_0:
            read_nibbles(in + 6, v);
            add_bits(pipit_load_u32(in + 2), 4, v);
            break;
        case PIPIT_TYPE_Q5_1:
            read_nibbles(in + 8, v);
            add_bits(pipit_load_u32(in + 4), 4, v);
            break;
        case PIPIT_TYPE_Q2_K:
            read_shifted(in + 16 + 32 * half, 2 * g, 2, v);
            break;
        case PIPIT_TYPE_Q3_K:
            read_shifted(in + 32 + 32 * half, 2 * g, 2, v);
            add_shifted(in, s, 1, 2, v);
            break;
        case PIPIT_TYPE_Q4_K:
            read_shifted(in + 16 + s / 2 * 32, 4 * (s % 2), 4, v);
            break;
        case PIPIT_TYPE_Q5_K:
            read_shifted(in + 48 + s / 2 * 32, 4 * (s % 2), 4, v);
            add_shifted(in + 16, s, 1, 4, v);
            break;
        case PIPIT_TYPE_Q6_K:
            read_shifted(in + 64 * half + 32 * (g % 2), 4 * (g / 2), 4, v);
            add_shifted(in + 128 + 32 * half, 2 * g, 2, 4, v);
            break;
        case PIPIT_TYPE_TQ2_0: read_shifted(in + 32 * half, 2 * g, 2, v); break;
        case PIPIT_TYPE_NVFP4: read_nvfp4(in + 4 + 16 * s, v); break;
        case PIPIT_TYPE_Q1_0:
            add_bits(pipit_load_u32(in + 2 + 4 * s), 0, v);
            break;
        case PIPIT_TYPE_Q2_0: read_q2_0(in + 2 + 8 * s, v); break;
        default: PIPIT_ASSERT(false);
    }
}

/* ---- scales -------------------------------------------------------------- */

/* Where a file block has its f16 scale; its minimum's follows. */
static uint32_t d_offset(uint32_t type) {
    switch (type) {
        case PIPIT_TYPE_Q2_K: return 80;
        case PIPIT_TYPE_Q3_K: return 108;
        case PIPIT_TYPE_Q6_K: return 208;
        case PIPIT_TYPE_TQ1_0: return 52;
        case PIPIT_TYPE_TQ2_0: return 64;
        default: return 0;
    }
}

/* Q4_K, Q5_K: six bits each of eight scales and minimums in twelve bytes. */
static void unpack_k45(const uint8_t *in, uint8_t *scale, uint8_t *min) {
    for (uint32_t s = 0; s < 4; s++, scale += 4, min += 4) {
        scale[0] = in[s] & 63;
        min[0] = in[s + 4] & 63;
        scale[16] = (uint8_t)((in[s + 8] & 15) | in[s] >> 6 << 4);
        min[16] = (uint8_t)(in[s + 8] >> 4 | in[s + 4] >> 6 << 4);
    }
}

/* Q3_K: low nibbles in eight bytes, high pairs in four. */
static void unpack_k3(const uint8_t *in, uint8_t *scale) {
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t low = i < 8 ? in[i] & 15u : in[i - 8] >> 4;
        uint32_t high = (uint32_t)in[8 + i % 4] >> 2 * (i / 4) & 3;
        scale[4 * i] = (uint8_t)((low | high << 4) - 32);
    }
}

static void unpack_iq4_xs(const uint8_t *in, uint8_t *scale) {
    uint32_t high = pipit_load_u16(in + 2);
    for (uint32_t s = 0; s < 8; s++) {
        uint32_t low = (uint32_t)in[4 + s / 2] >> 4 * (s % 2) & 15;
        scale[4 * s] = (uint8_t)((low | (high >> 2 * s & 3) << 4) - 32);
    }
}

static void pack_scales(uint32_t type, const pipit_form_info *form,
                        const uint8_t *in, uint32_t r, uint8_t *block) {
    uint8_t *scale = block + form->scales_at + r;
    if (type == PIPIT_TYPE_MXFP4) block[r] = in[0];
    if (form->code != PIPIT_CODE_FP4)
        memcpy(block + 2 * r, in + d_offset(type), 2);
    if (form->has_min) memcpy(block + 8 + 2 * r, in + d_offset(type) + 2, 2);
    switch (type) {
        case PIPIT_TYPE_Q4_K:
        case PIPIT_TYPE_Q5_K:
            unpack_k45(in + 4, scale, block + form->mins_at + r);
            break;
        case PIPIT_TYPE_Q3_K: unpack_k3(in + 96, scale); break;
        case PIPIT_TYPE_IQ4_XS: unpack_iq4_xs(in, scale); break;
        case PIPIT_TYPE_Q2_K:
            for (uint32_t i = 0; i < 16; i++) scale[4 * i] = in[i];
            break;
        case PIPIT_TYPE_Q6_K:
            for (uint32_t i = 0; i < 16; i++) scale[4 * i] = in[192 + i];
            break;
        case PIPIT_TYPE_NVFP4:
            for (uint32_t i = 0; i < 4; i++) scale[4 * i] = in[i];
            break;
        default: break;
    }
}

/* ---- rows ---------------------------------------------------------------- */

/* Four words of four rows, those of a row `stride` bytes apart: 4 x 4 words
 * transposed, which compilers make vectors of. */
static inline void transpose(const uint8_t *rows, size_t stride, uint8_t *to) {
    uint32_t w[4][4], t[4][4];
    for (uint32_t r = 0; r < 4; r++) memcpy(w[r], rows + r * stride, 16);
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t r = 0; r < 4; r++) t[i][r] = w[r][i];
    memcpy(to, t, sizeof t);
}

/* Four rows of the types that most weights have: f16s, then words as they are.
 * head: bytes of the f16s. */
static void pack_plain(uint32_t head, uint32_t n_words, const uint8_t *rows,
                       uint32_t n_blocks, uint8_t *group) {
    const uint32_t file_bytes = head + 4 * n_words;
    const size_t row_bytes = (size_t)n_blocks * file_bytes;
    for (uint32_t b = 0; b < n_blocks; b++) {
        for (uint32_t h = 0; h < head; h += 2, group += 8)
            for (uint32_t r = 0; r < 4; r++)
                memcpy(group + 2 * r, rows + r * row_bytes + h, 2);
        for (uint32_t i = 0; i < n_words; i += 4, group += 64)
            transpose(rows + head + 4 * i, row_bytes, group);
        rows += file_bytes;
    }
}

static void store_words(const uint32_t *words, uint32_t n, uint8_t *to) {
    for (uint32_t i = 0; i < n; i++) memcpy(to + 16 * i, words + i, 4);
}

/* Whether a file's words are those of the layout: where they begin. */
static bool as_stored(uint32_t type, uint32_t s, uint32_t *at) {
    switch (type) {
        case PIPIT_TYPE_TQ1_0: *at = 0; return true;
        case PIPIT_TYPE_MXFP4: *at = 1; return true;
        case PIPIT_TYPE_Q4_0:
        case PIPIT_TYPE_IQ4_NL:
        case PIPIT_TYPE_Q8_0: *at = 2; return true;
        case PIPIT_TYPE_Q4_1: *at = 4; return true;
        case PIPIT_TYPE_IQ4_XS: *at = 8 + 16 * s; return true;
        default: return false;
    }
}

static void pack_quants(uint32_t type, const pipit_form_info *form,
                        const uint8_t *row, uint32_t n_cols, uint32_t r,
                        uint8_t *group) {
    for (uint32_t b = 0; b < n_cols / form->block_cols; b++) {
        const uint8_t *in = row + (size_t)b * form->file_bytes;
        uint8_t *block = group + (size_t)b * form->block_bytes;
        uint8_t *to = block + form->quants_at + 4 * r;
        uint32_t n_subs = form->code == PIPIT_CODE_TRITS ? 1 : form->n_subs;
        uint32_t n_words = form->code == PIPIT_CODE_TRITS ? 13 : form->bits;
        pack_scales(type, form, in, r, block);
        for (uint32_t s = 0; s < n_subs; s++, to += form->sub_bytes) {
            uint32_t v[8], words[13], at;
            if (as_stored(type, s, &at)) {
                memcpy(words, in + at, n_words * 4);
            } else {
                read_quants(type, in, s, v);
                pipit_form_merge(form->bits, v, words);
            }
            store_words(words, n_words, to);
        }
    }
}

void pipit_layout_pack(uint32_t type, uint32_t n_cols, const uint8_t *rows,
                       uint32_t n_rows, uint8_t *group) {
    const pipit_form_info *form = pipit_form(type);
    const uint32_t n_blocks = n_cols / form->block_cols;
    size_t row_bytes = (size_t)n_blocks * form->file_bytes;
    if (n_rows < PIPIT_GROUP_ROWS) {
        memset(group, 0, (size_t)n_blocks * form->block_bytes);
    } else if (type == PIPIT_TYPE_Q4_0 || type == PIPIT_TYPE_Q4_1 ||
               type == PIPIT_TYPE_Q8_0 || type == PIPIT_TYPE_IQ4_NL) {
        pack_plain(form->has_min ? 4 : 2, form->bits, rows, n_blocks, group);
        return;
    }
    for (uint32_t r = 0; r < n_rows; r++, rows += row_bytes)
        if (type == PIPIT_TYPE_F32)
            pack_f32(rows, n_cols, r, group);
        else if (form->kind == PIPIT_FORM_FLOAT)
            pack_16(rows, n_cols, r, group);
        else
            pack_quants(type, form, rows, n_cols, r, group);
}

/* ---- and back ------------------------------------------------------------ */

static void row_of_floats(const pipit_matrix *w, const uint8_t *group,
                          uint32_t r, uint32_t c0, uint32_t n, float *out) {
    for (uint32_t c = 0; c < n; c++) {
        size_t at = 4 * ((size_t)c0 + c) + r;
        if (w->type == PIPIT_TYPE_F32) {
            out[c] = pipit_load_f32(group + 4 * at);
            continue;
        }
        uint16_t h = pipit_load_u16(group + 2 * at);
        out[c] = w->type == PIPIT_TYPE_F16 ? pipit_f16_to_f32(h)
                                           : pipit_bf16_to_f32(h);
    }
}

/* One formula gives every type's bits: to multiply by 1 changes none. */
static void row_of_block(const pipit_form_info *form, const uint8_t *block,
                         uint32_t sub, uint32_t r, float *out) {
    int8_t q[32];
    pipit_form_quants(form, block, sub, r, q);
    pipit_form_factors f =
        pipit_form_factors_of(form, block, sub, r, pipit_f16_to_f32);
    for (uint32_t c = 0; c < 32; c++) {
        out[c] = f.d * f.scale[c / 16] * (float)q[c];
        if (form->has_min) out[c] += f.m * f.min[c / 16];
    }
}

void pipit_layout_row(const pipit_matrix *w, uint32_t row, float *out) {
    const pipit_form_info *form = pipit_form(w->type);
    const uint8_t *group =
        w->groups + (size_t)(row / PIPIT_GROUP_ROWS) * w->group_bytes;
    uint32_t r = row % PIPIT_GROUP_ROWS;
    if (form->kind == PIPIT_FORM_FLOAT) {
        row_of_floats(w, group, r, 0, w->n_cols, out);
        return;
    }
    for (uint32_t b = 0; b < w->n_cols / 32; b++)
        row_of_block(form,
                     group + (size_t)(b / form->n_subs) * form->block_bytes,
                     b % form->n_subs, r, out + (size_t)b * 32);
}

void pipit_layout_columns(const pipit_matrix *w, uint32_t group, uint32_t c0,
                          float out[PIPIT_GROUP_ROWS][32]) {
    const pipit_form_info *form = pipit_form(w->type);
    const uint8_t *at = w->groups + (size_t)group * w->group_bytes;
    uint32_t b = c0 / 32;
    for (uint32_t r = 0; r < PIPIT_GROUP_ROWS; r++)
        if (form->kind == PIPIT_FORM_FLOAT)
            row_of_floats(w, at, r, c0, w->n_cols - c0 < 32 ? w->n_cols - c0 : 32,
                          out[r]);
        else
            row_of_block(form,
                         at + (size_t)(b / form->n_subs) * form->block_bytes,
                         b % form->n_subs, r, out[r]);
}

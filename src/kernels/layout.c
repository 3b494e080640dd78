/* layout.c — moving bits from file blocks to row groups and back. Everything is
 * done on words of four quants, as they lie in both. */
#include "layout.h"

#include "forms.h"

bool pipit_layout_supports(uint32_t type) {
    return pipit_form(type)->block_cols > 0;
}

bool pipit_layout_group_bytes(uint32_t type, uint32_t n_cols, size_t *out) {
    const pipit_form_info *form = pipit_form(type);
    if (form->block_cols == 0 || n_cols % form->block_cols != 0) return false;
    return pipit_mul_size(n_cols / form->block_cols, form->block_bytes, out);
}

static void store_u32(uint8_t *p, uint32_t v) {
    memcpy(p, &v, 4);
}

/* Low bit of each byte from four bits. */
static uint32_t spread_bits(uint32_t four) {
    return (four * 0x00204081u) & 0x01010101u;
}

/* ---- floats: (column, row) --------------------------------------------- */

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

/* ---- blocks of 32 ------------------------------------------------------- */

/* Nibbles of a simple type lie in the file as they do in the layout. */
static void pack_nibbles(const uint8_t *qs, uint32_t r, uint8_t *vectors) {
    for (uint32_t j = 0; j < 4; j++)
        memcpy(vectors + 16 * j + 4 * r, qs + 4 * j, 4);
}

/* Bit i of the file's word to the plane: vector j has bit j of its bytes. */
static void pack_high_bits(uint32_t bits, uint32_t r, uint8_t *plane) {
    uint32_t word = 0;
    for (uint32_t j = 0; j < 8; j++)
        word |= spread_bits((bits >> (4 * j)) & 15) << j;
    store_u32(plane + 4 * r, word);
}

static void pack_simple(const pipit_form_info *form, const uint8_t *row,
                        uint32_t n_cols, uint32_t r, uint8_t *group) {
    for (uint32_t b = 0; b < n_cols / 32; b++) {
        const uint8_t *in = row + (size_t)b * form->file_bytes;
        uint8_t *out = group + (size_t)b * form->block_bytes;
        memcpy(out + 2 * r, in, 2);
        in += 2;
        if (form->has_min) {
            memcpy(out + 8 + 2 * r, in, 2);
            in += 2;
        }
        out += form->quants_at;
        if (form->bits == 8) {
            for (uint32_t j = 0; j < 8; j++)
                memcpy(out + 16 * j + 4 * r, in + 4 * j, 4);
            continue;
        }
        if (form->bits == 5) {
            pack_high_bits(pipit_load_u32(in), r, out + 64);
            in += 4;
        }
        pack_nibbles(in, r, out);
    }
}

/* ---- super-blocks of 256 ------------------------------------------------ */

/* Scale and minimum of sub-block s from the twelve packed bytes. */
static void k_scales(const uint8_t *packed, uint32_t s, uint8_t *scale,
                     uint8_t *min) {
    if (s < 4) {
        *scale = packed[s] & 63;
        *min = packed[s + 4] & 63;
    } else {
        *scale = (uint8_t)((packed[s + 4] & 15) | ((packed[s - 4] >> 6) << 4));
        *min = (uint8_t)((packed[s + 4] >> 4) | ((packed[s] >> 6) << 4));
    }
}

/* Nibbles from 32 bytes that hold one quant each at `shift`. */
static void pack_shifted(const uint8_t *bytes, uint32_t shift, uint32_t r,
                         uint8_t *vectors) {
    for (uint32_t j = 0; j < 4; j++) {
        uint32_t low = pipit_load_u32(bytes + 4 * j) >> shift;
        uint32_t high = pipit_load_u32(bytes + 16 + 4 * j) >> shift;
        store_u32(vectors + 16 * j + 4 * r,
                  (low & 0x0f0f0f0fu) | (high & 0x0f0f0f0fu) << 4);
    }
}

static void pack_k45(const pipit_form_info *form, const uint8_t *row,
                     uint32_t n_cols, uint32_t r, uint8_t *group) {
    bool five = form->bits == 5;
    for (uint32_t b = 0; b < n_cols / 256; b++) {
        const uint8_t *in = row + (size_t)b * form->file_bytes;
        const uint8_t *high = in + 16, *qs = in + (five ? 48 : 16);
        uint8_t *out = group + (size_t)b * form->block_bytes;
        memcpy(out + 2 * r, in, 2);
        memcpy(out + 8 + 2 * r, in + 2, 2);
        for (uint32_t s = 0; s < 8; s++) {
            uint8_t *vectors = out + form->quants_at + s * form->sub_bytes;
            k_scales(in + 4, s, out + 16 + 4 * s + r, out + 48 + 4 * s + r);
            pack_shifted(qs + s / 2 * 32, 4 * (s % 2), r, vectors);
            if (!five) continue;
            uint32_t word = 0;
            for (uint32_t j = 0; j < 8; j++)
                word |= (pipit_load_u32(high + 4 * j) >> s & 0x01010101u) << j;
            store_u32(vectors + 64 + 4 * r, word);
        }
    }
}

static void pack_k6(const pipit_form_info *form, const uint8_t *row,
                    uint32_t n_cols, uint32_t r, uint8_t *group) {
    for (uint32_t b = 0; b < n_cols / 256; b++) {
        const uint8_t *in = row + (size_t)b * form->file_bytes;
        uint8_t *out = group + (size_t)b * form->block_bytes;
        memcpy(out + 2 * r, in + 208, 2);
        for (uint32_t s = 0; s < 16; s++) out[8 + 4 * s + r] = in[192 + s];
        for (uint32_t s = 0; s < 8; s++) {
            uint32_t half = s / 4, g = s % 4;
            const uint8_t *high = in + 128 + half * 32;
            uint8_t *vectors = out + form->quants_at + s * form->sub_bytes;
            pack_shifted(in + half * 64 + g % 2 * 32, g < 2 ? 0 : 4, r,
                         vectors);
            for (uint32_t plane = 0; plane < 2; plane++) {
                uint32_t word = 0;
                for (uint32_t j = 0; j < 4; j++)
                    word |= (pipit_load_u32(high + 16 * plane + 4 * j) >>
                                 (2 * g) & 0x03030303u) << (2 * j);
                store_u32(vectors + 64 + 16 * plane + 4 * r, word);
            }
        }
    }
}

void pipit_layout_pack(uint32_t type, uint32_t n_cols, const uint8_t *rows,
                       uint32_t n_rows, uint8_t *group) {
    const pipit_form_info *form = pipit_form(type);
    size_t row_bytes = (size_t)n_cols / form->block_cols * form->file_bytes;
    if (n_rows < PIPIT_GROUP_ROWS)
        memset(group, 0, (size_t)n_cols / form->block_cols * form->block_bytes);
    for (uint32_t r = 0; r < n_rows; r++, rows += row_bytes)
        switch (form->kind) {
            case PIPIT_FORM_F32: pack_f32(rows, n_cols, r, group); break;
            case PIPIT_FORM_16: pack_16(rows, n_cols, r, group); break;
            case PIPIT_FORM_SIMPLE:
                pack_simple(form, rows, n_cols, r, group);
                break;
            case PIPIT_FORM_K:
                if (form->bits == 6)
                    pack_k6(form, rows, n_cols, r, group);
                else
                    pack_k45(form, rows, n_cols, r, group);
                break;
        }
}

/* ---- and back ----------------------------------------------------------- */

static void row_of_floats(const pipit_matrix *w, const uint8_t *group,
                          uint32_t r, float *out) {
    for (uint32_t c = 0; c < w->n_cols; c++) {
        if (w->type == PIPIT_TYPE_F32) {
            out[c] = pipit_load_f32(group + 16 * (size_t)c + 4 * r);
            continue;
        }
        uint16_t h = pipit_load_u16(group + 8 * (size_t)c + 2 * r);
        out[c] = w->type == PIPIT_TYPE_F16 ? pipit_f16_to_f32(h)
                                           : pipit_bf16_to_f32(h);
    }
}

void pipit_form_quants(const pipit_form_info *form, const uint8_t *vectors,
                       uint32_t r, uint8_t *q) {
    for (uint32_t c = 0; c < 32; c++) {
        uint32_t j = c / 4, at = 4 * r + c % 4;
        if (form->bits == 8) {
            q[c] = vectors[16 * j + at];
            continue;
        }
        uint32_t nibble = vectors[16 * (j % 4) + at];
        uint32_t v = j < 4 ? nibble & 15 : nibble >> 4;
        if (form->bits == 5) v |= (vectors[64 + at] >> j & 1u) << 4;
        if (form->bits == 6)
            v |= (vectors[64 + 16 * (j / 4) + at] >> (2 * (j % 4)) & 3u) << 4;
        q[c] = (uint8_t)v;
    }
}

/* The formulas are those of quant.c, operation by operation. */
static void row_of_block(const pipit_form_info *form, const uint8_t *block,
                         uint32_t s, uint32_t r, float *out) {
    uint8_t q[32];
    float d = pipit_f16_to_f32(pipit_load_u16(block + 2 * r));
    pipit_form_quants(form, block + form->quants_at + s * form->sub_bytes, r,
                      q);
    for (uint32_t c = 0; c < 32; c++) {
        if (form->kind == PIPIT_FORM_SIMPLE) {
            int32_t v = form->bits == 8 ? (int8_t)q[c] : (int32_t)q[c] - form->offset;
            out[c] = (float)v * d;
            if (form->has_min)
                out[c] += pipit_f16_to_f32(pipit_load_u16(block + 8 + 2 * r));
        } else if (form->bits == 6) {
            int8_t scale = (int8_t)block[8 + 4 * (2 * s + c / 16) + r];
            out[c] = d * (float)scale * (float)(q[c] - form->offset);
        } else {
            float dmin = pipit_f16_to_f32(pipit_load_u16(block + 8 + 2 * r));
            float scale = d * (float)block[16 + 4 * s + r];
            out[c] = scale * (float)q[c] - dmin * (float)block[48 + 4 * s + r];
        }
    }
}

void pipit_layout_row(const pipit_matrix *w, uint32_t row, float *out) {
    const pipit_form_info *form = pipit_form(w->type);
    const uint8_t *group =
        w->groups + (size_t)(row / PIPIT_GROUP_ROWS) * w->group_bytes;
    uint32_t r = row % PIPIT_GROUP_ROWS, subs = form->block_cols / 32;
    if (form->kind == PIPIT_FORM_F32 || form->kind == PIPIT_FORM_16) {
        row_of_floats(w, group, r, out);
        return;
    }
    for (uint32_t b = 0; b < w->n_cols / 32; b++)
        row_of_block(form, group + (size_t)(b / subs) * form->block_bytes,
                     b % subs, r, out + (size_t)b * 32);
}

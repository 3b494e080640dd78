/* forms.h — the layout of each tensor type as numbers. A block of the layout
 * holds block_cols columns of four rows:
 *
 *   simple   d[4] f16 | m[4] f16 (has_min) | quants
 *   K 4, 5   d[4] f16 | dmin[4] f16 | scale[8][4] u8 | min[8][4] u8 | 8 x quants
 *   K 6      d[4] f16 | scale[16][4] i8 | 8 x quants
 *
 * and the quants of 32 columns (sub_bytes) are 64 bytes of nibbles, then for
 * 5 bits one plane of 16 bytes (bit j: vector j), for 6 bits two (bits 2j, 2j+1:
 * vector j, and j + 4 in the second); 8 bits are 128 bytes, signed. */
#ifndef PIPIT_FORMS_H
#define PIPIT_FORMS_H

#include "layout.h"

typedef enum pipit_form_kind {
    PIPIT_FORM_F32,
    PIPIT_FORM_16,
    PIPIT_FORM_SIMPLE,
    PIPIT_FORM_K
} pipit_form_kind;

typedef struct pipit_form_info {
    pipit_form_kind kind;
    uint32_t block_cols;  /* 0: the kernels can't compute with the type */
    uint32_t file_bytes;  /* of one row's block in the file */
    uint32_t block_bytes; /* of four rows' block here */
    uint32_t quants_at, sub_bytes;
    uint32_t bits;
    int32_t offset; /* taken from each quant */
    bool has_min;
} pipit_form_info;

/* Never NULL. */
const pipit_form_info *pipit_form(uint32_t type);
/* 32 quants of row r of the group, as stored (8 bits: as bytes). */
void pipit_form_quants(const pipit_form_info *form, const uint8_t *vectors,
                       uint32_t r, uint8_t *q);

#endif

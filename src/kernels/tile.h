/* tile.h — two row groups unpacked: what a matrix product of many tokens sweeps
 * over, and the way by which types without a matrix-vector kernel of their own
 * go. Out of a type's bits come always the same few things, so that the sweeps
 * know nothing of types. */
#ifndef PIPIT_TILE_H
#define PIPIT_TILE_H

#include "forms.h"
#include "simd.h"

#define PIPIT_TILE_GROUPS 2
#define PIPIT_TILE_TOKENS 4 /* that are swept together */

/* One block of 32 columns, both groups:
 *
 *     q[n_q][2]    bytes of vector j; if wide, as i16: vector 2j of its columns
 *                  0 and 2, vector 2j + 1 of 1 and 3
 *     scale[2][2]  of the 16-column halves: i16, twice per row
 *     d[2]         f32; stands in a super-block's last block
 */
typedef struct pipit_tile {
    v128_t *blocks; /* (n_blocks, n_q + 3, 2) */
    v128_t *mins;   /* (n_blocks * mins_per_block, 2) f32 */
    v128_t *m;      /* (n_blocks / min_subs, 2) f32 */
    uint32_t n_blocks;
    uint32_t n_q;      /* 8 or 16 */
    uint32_t n_subs;   /* blocks that share a d */
    uint32_t min_subs; /* and those that share an m; 0: no minimums */
    uint32_t mins_per_block; /* 1 or 2 */
    int32_t offset;    /* to be taken from each quant */
    bool is_signed;    /* 8-bit quants */
    bool two_scales;   /* of the halves of a block */
    bool two_sums;     /* 32 columns may not fit an i16 sum, 16 do */
} pipit_tile;

static inline uint32_t pipit_tile_stride(const pipit_tile *t) {
    return 2 * (t->n_q + 3);
}

size_t pipit_tile_bytes(uint32_t n_cols);
/* Groups [g0, g0 + n_groups), 1 or 2, into scratch; one group stands for both.
 * Not for NVFP4, whose scales are no integers. */
void pipit_tile_unpack(const pipit_matrix *w, uint32_t g0, uint32_t n_groups,
                       bool wide, uint8_t *scratch, pipit_tile *tile);
/* The end of a sweep: out plus the minimums' part to y[t][4 g .. 4 g + 3].
 * sums: of the first block's activations, times d: of all columns of each token,
 * then of both halves; the next block's after `stride` bytes; NULL: out has the
 * minimums. */
void pipit_tile_finish(const pipit_tile *tile, const float *sums, size_t stride,
                       v128_t (*out)[PIPIT_TILE_GROUPS], uint32_t n_tokens,
                       uint32_t n_groups, float *y, size_t y_stride);

#endif

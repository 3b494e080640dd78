#include "train_product.h"

#define GROUP PIPIT_GROUP_ROWS
#define TILE_GROUPS (PIPIT_TRAIN_TILE / PIPIT_GROUP_ROWS)

static pipit_matrix matrix_of(const float *groups, uint32_t n_rows,
                              uint32_t n_cols) {
    return (pipit_matrix){.type = PIPIT_TYPE_F32,
                          .n_rows = n_rows,
                          .n_cols = n_cols,
                          .group_bytes = (size_t)n_cols * 16,
                          .groups = (const uint8_t *)groups};
}

pipit_matrix pipit_train_pack(const float *x, size_t stride, uint32_t n_rows,
                              uint32_t n_cols, float *to) {
    uint32_t n_groups = (n_rows + 3) / 4;
    for (uint32_t r = 0; r < n_groups * 4; r++) {
        float *out = to + (size_t)(r / 4) * n_cols * 4 + r % 4;
        const float *row = x + r * stride;
        for (uint32_t c = 0; c < n_cols; c++)
            out[4 * (size_t)c] = r < n_rows ? row[c] : 0;
    }
    return matrix_of(to, n_rows, n_cols);
}

pipit_matrix pipit_train_pack_turned(const float *x, size_t stride,
                                     uint32_t n_rows, uint32_t n_cols,
                                     float *to) {
    uint32_t n_groups = (n_cols + 3) / 4;
    for (uint32_t g = 0; g < n_groups; g++) {
        float *out = to + (size_t)g * n_rows * 4;
        uint32_t left = pipit_min_u32(4, n_cols - 4 * g);
        for (uint32_t r = 0; r < n_rows; r++, out += 4) {
            const float *from = x + r * stride + 4 * g;
            if (left == 4) {
                memcpy(out, from, 4 * sizeof *out);
                continue;
            }
            for (uint32_t i = 0; i < 4; i++) out[i] = i < left ? from[i] : 0;
        }
    }
    return matrix_of(to, n_cols, n_rows);
}

void pipit_train_multiply(const pipit_train *t, const pipit_matrix *w,
                          uint32_t g0, uint32_t g1, uint32_t n_cols,
                          const float *x, size_t x_stride, uint32_t n,
                          float *y, size_t y_stride) {
    pipit_acts acts = {.x = x, .x_stride = x_stride};
    pipit_matrix some = *w;
    some.n_cols = n_cols;
    if (n > 0 && g1 > g0)
        t->kernels->matmul(&some, g0, g1, &acts, n, y, y_stride, NULL);
}

bool pipit_train_quantizes(const pipit_train *t, const pipit_matrix *w) {
    return !t->precise && w->type != PIPIT_TYPE_F32 &&
           w->type != PIPIT_TYPE_F16 && w->type != PIPIT_TYPE_BF16;
}

/* ---- frozen weights ------------------------------------------------------ */

/* Weights of 4 n_groups rows, all columns, as floats. */
static pipit_matrix unpack_rows(const pipit_train_part *part,
                                const pipit_matrix *w, uint32_t g0,
                                uint32_t n_groups) {
    float *tile = part->own->tile, *row = part->own->row;
    for (uint32_t g = 0; g < n_groups; g++)
        for (uint32_t i = 0; i < GROUP; i++) {
            float *out = tile + (size_t)g * w->n_cols * 4 + i;
            pipit_layout_row(w, (g0 + g) * GROUP + i, row);
            for (uint32_t c = 0; c < w->n_cols; c++) out[4 * (size_t)c] = row[c];
        }
    return matrix_of(tile, n_groups * GROUP, w->n_cols);
}

static void product_precise(const pipit_train_part *part,
                            const pipit_matrix *w, uint32_t g0, uint32_t g1,
                            pipit_train_floats x, uint32_t n,
                            pipit_train_floats y) {
    for (uint32_t g = g0; g < g1; g += TILE_GROUPS) {
        uint32_t n_groups = pipit_min_u32(TILE_GROUPS, g1 - g);
        pipit_matrix tile = unpack_rows(part, w, g, n_groups);
        pipit_train_multiply(part->train, &tile, 0, n_groups, w->n_cols, x.x,
                             x.stride, n, y.x + (size_t)g * GROUP, y.stride);
    }
}

static void scale_outputs(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                          uint32_t n, pipit_train_floats y) {
    if (!w->scale) return;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t r = g0 * GROUP; r < g1 * GROUP; r++)
            y.x[i * y.stride + r] *= *w->scale;
}

void pipit_train_product(const pipit_train_part *part, const pipit_matrix *w,
                         pipit_train_floats x, uint32_t n,
                         pipit_train_floats y) {
    const pipit_train *t = part->train;
    uint32_t g0, g1;
    pipit_split(pipit_matrix_n_groups(w), part->thread, part->n_threads, &g0,
                &g1);
    if (g0 == g1 || n == 0) return;
    if (pipit_train_quantizes(t, w)) {
        pipit_acts acts = {.blocks = t->blocks,
                           .block_stride = t->block_stride};
        t->kernels->matmul(w, g0, g1, &acts, n, y.x, y.stride,
                           part->own->scratch);
    } else {
        product_precise(part, w, g0, g1, x, n, y);
    }
    scale_outputs(w, g0, g1, n, y);
}

/* Rows [r0, r0 + n_rows) of columns [c0, c0 + n_cols) as the transpose's
 * groups. r0 is a multiple of 4. */
static pipit_matrix unpack_columns(const pipit_train_part *part,
                                   const pipit_matrix *w, uint32_t c0,
                                   uint32_t n_cols, uint32_t r0,
                                   uint32_t n_rows) {
    float *tile = part->own->tile;
    float four[GROUP][PIPIT_TRAIN_TILE];
    if (n_cols < PIPIT_TRAIN_TILE) memset(four, 0, sizeof four);
    for (uint32_t r = 0; r < n_rows; r += GROUP) {
        pipit_layout_columns(w, (r0 + r) / GROUP, c0, four);
        uint32_t n = pipit_min_u32(GROUP, n_rows - r);
        for (uint32_t c = 0; c < n_cols; c += 4)
            for (uint32_t i = 0; i < n; i++)
                memcpy(tile + ((size_t)(c / 4) * n_rows + r + i) * 4,
                       &four[i][c], 16);
    }
    return matrix_of(tile, n_cols, n_rows);
}

/* to += scale * from, or to = it. */
static void put_rows(float *to, size_t to_stride, const float *from,
                     size_t from_stride, uint32_t n, uint32_t n_cols, bool add,
                     float scale) {
    for (uint32_t i = 0; i < n; i++) {
        float *out = to + i * to_stride;
        const float *in = from + i * from_stride;
        if (add)
            for (uint32_t c = 0; c < n_cols; c++) out[c] += scale * in[c];
        else
            for (uint32_t c = 0; c < n_cols; c++) out[c] = scale * in[c];
    }
}

void pipit_train_product_back(const pipit_train_part *part,
                              const pipit_matrix *w, pipit_train_floats dy,
                              uint32_t n, pipit_train_floats dx, bool add) {
    const uint32_t size = PIPIT_TRAIN_TILE, chunk = PIPIT_TRAIN_CHUNK;
    uint32_t begin, end;
    pipit_split((w->n_cols + size - 1) / size, part->thread, part->n_threads,
                &begin, &end);
    float *sums = part->own->sums;
    for (uint32_t i = begin; i < end && n > 0; i++) {
        uint32_t c0 = i * size, n_cols = pipit_min_u32(size, w->n_cols - c0);
        for (uint32_t r0 = 0; r0 < w->n_rows; r0 += chunk) {
            uint32_t n_rows = pipit_min_u32(chunk, w->n_rows - r0);
            pipit_matrix tile =
                unpack_columns(part, w, c0, n_cols, r0, n_rows);
            pipit_train_multiply(part->train, &tile, 0, (n_cols + 3) / 4,
                                 n_rows, dy.x + r0, dy.stride, n, sums, size);
            put_rows(dx.x + c0, dx.stride, sums, size, n, n_cols,
                     add || r0 > 0, w->scale ? *w->scale : 1.0f);
        }
    }
}

/* ---- pairs --------------------------------------------------------------- */

static pipit_lora *pair_of(const pipit_train *t, pipit_target target) {
    pipit_lora *lora = &t->pairs[t->layer][target];
    return lora->rank > 0 ? lora : NULL;
}

void pipit_train_pack_pairs(const pipit_train_part *part) {
    pipit_train *t = part->train;
    for (uint32_t i = part->thread; i < 4 * PIPIT_N_TARGETS;
         i += part->n_threads) {
        const pipit_lora *l = pair_of(t, (pipit_target)(i / 4));
        pipit_train_pair *work = &t->work[i / 4];
        if (!l) continue;
        switch (i % 4) {
            case 0:
                work->a = pipit_train_pack(l->a, l->n_in, l->rank, l->n_in,
                                           (float *)(uintptr_t)work->a.groups);
                break;
            case 1:
                work->a_turned = pipit_train_pack_turned(
                    l->a, l->n_in, l->rank, l->n_in,
                    (float *)(uintptr_t)work->a_turned.groups);
                break;
            case 2:
                work->b = pipit_train_pack(l->b, l->rank, l->n_out, l->rank,
                                           (float *)(uintptr_t)work->b.groups);
                break;
            default:
                work->b_turned = pipit_train_pack_turned(
                    l->b, l->rank, l->n_out, l->rank,
                    (float *)(uintptr_t)work->b_turned.groups);
        }
    }
}

/* The rows [begin, end) of z, also turned. */
static void turn_rows(const pipit_train *t, const float *z, uint32_t begin,
                      uint32_t end, float *turned) {
    for (uint32_t k = 0; k < t->rank; k++)
        for (uint32_t i = begin; i < end; i++)
            turned[k * t->rows_stride + i] = z[i * t->rank_stride + k];
}

void pipit_train_pair_in(const pipit_train_part *part, pipit_target target,
                         pipit_train_floats x) {
    const pipit_train *t = part->train;
    const pipit_train_pair *work = &t->work[target];
    uint32_t begin, end;
    if (!pair_of(t, target)) return;
    pipit_train_rows(part, &begin, &end);
    float *z = work->z + begin * t->rank_stride;
    pipit_train_multiply(t, &work->a, 0, pipit_matrix_n_groups(&work->a),
                         work->a.n_cols, x.x + begin * x.stride, x.stride,
                         end - begin, z, t->rank_stride);
    turn_rows(t, work->z, begin, end, work->z_turned);
}

void pipit_train_pair_out(const pipit_train_part *part, pipit_target target,
                          pipit_train_floats y) {
    const pipit_train *t = part->train;
    const pipit_train_pair *work = &t->work[target];
    float *sums = part->own->sums;
    uint32_t g0, g1;
    if (!pair_of(t, target)) return;
    pipit_split(pipit_matrix_n_groups(&work->b), part->thread, part->n_threads,
                &g0, &g1);
    for (uint32_t g = g0; g < g1; g += TILE_GROUPS) {
        uint32_t last = pipit_min_u32(g + TILE_GROUPS, g1);
        pipit_matrix some = work->b;
        some.groups += g * some.group_bytes;
        pipit_train_multiply(t, &some, 0, last - g, some.n_cols, work->z,
                             t->rank_stride, t->n, sums, PIPIT_TRAIN_TILE);
        put_rows(y.x + (size_t)g * GROUP, y.stride, sums, PIPIT_TRAIN_TILE,
                 t->n, pipit_min_u32((last - g) * GROUP,
                                     work->b.n_rows - g * GROUP),
                 true, t->scale);
    }
}

void pipit_train_pair_out_back(const pipit_train_part *part,
                               pipit_target target, pipit_train_floats dy) {
    const pipit_train *t = part->train;
    const pipit_train_pair *work = &t->work[target];
    uint32_t begin, end;
    if (!pair_of(t, target)) return;
    pipit_train_rows(part, &begin, &end);
    float *dz = work->dz + begin * t->rank_stride;
    pipit_train_multiply(t, &work->b_turned, 0,
                         pipit_matrix_n_groups(&work->b_turned),
                         work->b_turned.n_cols, dy.x + begin * dy.stride,
                         dy.stride, end - begin, dz, t->rank_stride);
    for (size_t i = 0; i < (end - begin) * t->rank_stride; i++)
        dz[i] *= t->scale;
    turn_rows(t, work->dz, begin, end, work->dz_turned);
}

void pipit_train_pair_in_back(const pipit_train_part *part,
                              pipit_target target, pipit_train_floats dx) {
    const pipit_train *t = part->train;
    const pipit_train_pair *work = &t->work[target];
    const uint32_t size = PIPIT_TRAIN_TILE;
    float *sums = part->own->sums;
    uint32_t begin, end, n_in = work->a.n_cols;
    if (!pair_of(t, target)) return;
    pipit_split((n_in + size - 1) / size, part->thread, part->n_threads,
                &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        uint32_t n_cols = pipit_min_u32(size, n_in - i * size);
        pipit_matrix some = work->a_turned;
        some.groups += (size_t)i * TILE_GROUPS * some.group_bytes;
        pipit_train_multiply(t, &some, 0, (n_cols + 3) / 4, some.n_cols,
                             work->dz, t->rank_stride, t->n, sums, size);
        put_rows(dx.x + (size_t)i * size, dx.stride, sums, size, t->n, n_cols,
                 true, 1.0f);
    }
}

/* sums (rank, n_cols) = left^T x, of columns [c0, c0 + n_cols) of x; left is
 * given turned. */
static const float *outer(const pipit_train_part *part, const float *left,
                          pipit_train_floats x, uint32_t c0, uint32_t n_cols) {
    const pipit_train *t = part->train;
    pipit_matrix w = pipit_train_pack_turned(x.x + c0, x.stride, t->n, n_cols,
                                             part->own->tile);
    pipit_train_multiply(t, &w, 0, pipit_matrix_n_groups(&w), t->n, left,
                         t->rows_stride, t->rank, part->own->sums,
                         PIPIT_TRAIN_TILE);
    return part->own->sums;
}

void pipit_train_pair_gradients(const pipit_train_part *part,
                                pipit_target target, pipit_train_floats x,
                                pipit_train_floats dy) {
    const pipit_train *t = part->train;
    const pipit_train_pair *work = &t->work[target];
    const pipit_lora *l = pair_of(t, target);
    const uint32_t size = PIPIT_TRAIN_TILE;
    uint32_t begin, end;
    if (!l) return;
    float *da = t->gradients + (l->a - t->parameters);
    float *db = t->gradients + (l->b - t->parameters);
    pipit_split((l->n_in + size - 1) / size, part->thread, part->n_threads,
                &begin, &end);
    for (uint32_t c0 = begin * size; begin < end; begin++, c0 += size) {
        uint32_t n = pipit_min_u32(size, l->n_in - c0);
        const float *sums = outer(part, work->dz_turned, x, c0, n);
        put_rows(da + c0, l->n_in, sums, size, l->rank, n, true, 1.0f);
    }
    pipit_split((l->n_out + size - 1) / size, part->thread, part->n_threads,
                &begin, &end);
    for (uint32_t c0 = begin * size; begin < end; begin++, c0 += size) {
        uint32_t n = pipit_min_u32(size, l->n_out - c0);
        const float *sums = outer(part, work->z_turned, dy, c0, n);
        for (uint32_t c = 0; c < n; c++)
            for (uint32_t k = 0; k < l->rank; k++)
                db[(size_t)(c0 + c) * l->rank + k] +=
                    t->scale * sums[k * size + c];
    }
}

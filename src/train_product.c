#include "train_product.h"

#define GROUP PIPIT_GROUP_ROWS
#define TILE PIPIT_TRAIN_TILE

bool pipit_train_quantizes(const pipit_train *t, const pipit_matrix *w) {
    return !t->precise && w->type != PIPIT_TYPE_F32 &&
           w->type != PIPIT_TYPE_F16 && w->type != PIPIT_TYPE_BF16;
}

#define A PIPIT_STRIP_A
#define B PIPIT_STRIP_B

/* Strips of that width, of n columns each. */
static pipit_strips dense(const float *x, size_t width, size_t n) {
    return (pipit_strips){x, width, width * n};
}

/* As many columns at a time as there is room for, about equal shares. */
static uint32_t chunk_of(uint32_t n_cols) {
    uint32_t n = (n_cols + PIPIT_TRAIN_CHUNK - 1) / PIPIT_TRAIN_CHUNK;
    return ((n_cols + n - 1) / n + 31) & ~31u;
}

/* ---- frozen weights ------------------------------------------------------ */

static void scale_floats(float *x, size_t n, const float *scale) {
    for (size_t i = 0; scale && i < n; i++) x[i] *= *scale;
}

static void split_groups(const pipit_train_part *part, const pipit_matrix *w,
                         uint32_t *g0, uint32_t *g1) {
    pipit_split(pipit_matrix_n_groups(w), part->thread, part->n_threads, g0,
                g1);
}

/* Columns [c0, c0 + n_cols) of x, packed, with those of W. */
static void multiply_chunk(const pipit_train_part *part,
                           const pipit_train_output *out, uint32_t c0,
                           uint32_t n_cols, uint32_t n) {
    const pipit_train_kernels *k = part->train->train_kernels;
    const pipit_matrix *w = out->w;
    float *tile = part->own->tile;
    pipit_strips a = dense(tile, A, n_cols);
    pipit_strips b = dense(part->own->strips, B, n_cols);
    uint32_t g0, g1;
    split_groups(part, w, &g0, &g1);
    for (uint32_t g = g0; g < g1; g += 2) {
        uint32_t n_groups = pipit_min_u32(2, g1 - g);
        for (uint32_t i = 0; i < n_groups; i++)
            k->unpack(w, g + i, c0, n_cols, tile + i * GROUP, A);
        k->multiply(&a, n_groups, &b, n, n_cols, c0 > 0,
                    out->y.x + (size_t)g * GROUP, out->y.stride);
    }
}

static void product_precise(const pipit_train_part *part,
                            const pipit_train_output *outputs,
                            uint32_t n_outputs, pipit_train_floats x,
                            uint32_t n) {
    uint32_t n_cols = outputs->w->n_cols, chunk = chunk_of(n_cols);
    for (uint32_t c0 = 0; c0 < n_cols; c0 += chunk) {
        uint32_t some = pipit_min_u32(chunk, n_cols - c0);
        part->train->train_kernels->pack(x.x + c0, x.stride, n, some, B,
                                         part->own->strips);
        for (uint32_t i = 0; i < n_outputs; i++)
            multiply_chunk(part, &outputs[i], c0, some, n);
    }
}

static void product_quantized(const pipit_train_part *part,
                              const pipit_train_output *out, uint32_t n) {
    const pipit_train *t = part->train;
    pipit_acts acts = {.blocks = t->blocks, .block_stride = t->block_stride};
    uint32_t g0, g1;
    split_groups(part, out->w, &g0, &g1);
    if (g0 < g1)
        t->kernels->matmul(out->w, g0, g1, &acts, n, out->y.x, out->y.stride,
                           part->own->scratch);
}

void pipit_train_product(const pipit_train_part *part,
                         const pipit_train_output *outputs, uint32_t n_outputs,
                         pipit_train_floats x, uint32_t n) {
    if (n == 0) return;
    bool together = part->train->precise;
    if (together) product_precise(part, outputs, n_outputs, x, n);
    for (const pipit_train_output *out = outputs; out < outputs + n_outputs;
         out++) {
        uint32_t g0, g1;
        if (pipit_train_quantizes(part->train, out->w))
            product_quantized(part, out, n);
        else if (!together)
            product_precise(part, out, 1, x, n);
        split_groups(part, out->w, &g0, &g1);
        for (uint32_t i = 0; i < n && out->w->scale; i++)
            scale_floats(out->y.x + i * out->y.stride + g0 * GROUP,
                         (size_t)(g1 - g0) * GROUP, out->w->scale);
    }
}

/* dx of 32 columns from c0, out of rows [r0, r0 + n_rows) of W: of dy's columns
 * packed. r0 is a multiple of 4. */
static void multiply_columns(const pipit_train_part *part,
                             const pipit_matrix *w, uint32_t r0,
                             uint32_t n_rows, uint32_t c0, uint32_t n,
                             pipit_train_floats dx, bool add) {
    const pipit_train_kernels *k = part->train->train_kernels;
    float *tile = part->own->tile;
    uint32_t n_groups = (n_rows + GROUP - 1) / GROUP;
    pipit_strips a = dense(tile, A, (size_t)n_groups * GROUP);
    pipit_strips b = dense(part->own->strips, B, n_rows);
    for (uint32_t g = 0; g < n_groups; g++)
        k->unpack_turned(w, r0 / GROUP + g, c0, tile + (size_t)g * GROUP * A,
                         a.strip);
    scale_floats(tile, TILE / A * a.strip, w->scale);
    k->multiply(&a, (pipit_min_u32(TILE, w->n_cols - c0) + 3) / 4, &b, n,
                n_rows, add, dx.x + c0, dx.stride);
}

/* This thread's columns of a row of n, whole tiles of them. */
static void split_columns(const pipit_train_part *part, uint32_t n,
                          uint32_t *begin, uint32_t *end) {
    pipit_split((n + TILE - 1) / TILE, part->thread, part->n_threads, begin,
                end);
    *begin *= TILE;
    *end = pipit_min_u32(*end * TILE, n);
}

void pipit_train_product_back(const pipit_train_part *part,
                              const pipit_matrix *w, pipit_train_floats dy,
                              uint32_t n, pipit_train_floats dx, bool add) {
    uint32_t begin, end, chunk = chunk_of(w->n_rows);
    split_columns(part, w->n_cols, &begin, &end);
    if (n == 0 || begin >= end) return;
    for (uint32_t r0 = 0; r0 < w->n_rows; r0 += chunk) {
        uint32_t n_rows = pipit_min_u32(chunk, w->n_rows - r0);
        part->train->train_kernels->pack(dy.x + r0, dy.stride, n, n_rows, B,
                                         part->own->strips);
        for (uint32_t c0 = begin; c0 < end; c0 += TILE)
            multiply_columns(part, w, r0, n_rows, c0, n, dx, add || r0 > 0);
    }
}

/* ---- pairs --------------------------------------------------------------- */

static pipit_lora *pair_of(const pipit_train *t, pipit_target target) {
    pipit_lora *lora = &t->pairs[t->layer][target];
    return lora->rank > 0 ? lora : NULL;
}

/* The transpose of x (n_rows, n_cols), times scale, as n_cols rows in strips. */
static void pack_turned(pipit_train_floats x, uint32_t n_rows, uint32_t n_cols,
                        float scale, uint32_t width, float *strips) {
    for (uint32_t c = 0; c < n_cols; c += width) {
        uint32_t n = pipit_min_u32(width, n_cols - c);
        const float *from = x.x + c;
        for (uint32_t r = 0; r < n_rows; r++, from += x.stride, strips += width)
            for (uint32_t i = 0; i < width; i++)
                strips[i] = i < n ? scale * from[i] : 0;
    }
}

/* The same of whole strips, as they are. */
static void copy_turned(pipit_train_floats x, uint32_t n_rows, uint32_t n_cols,
                        uint32_t width, float *strips) {
    for (uint32_t c = 0; c < n_cols; c += width) {
        const float *from = x.x + c;
        for (uint32_t r = 0; r < n_rows; r++, from += x.stride, strips += width)
            for (uint32_t i = 0; i < width; i += 4)
                memcpy(strips + i, from + i, 4 * sizeof *strips);
    }
}

void pipit_train_pack_pairs(const pipit_train_part *part) {
    pipit_train *t = part->train;
    for (uint32_t i = part->thread; i < 4 * PIPIT_N_TARGETS;
         i += part->n_threads) {
        const pipit_lora *l = pair_of(t, (pipit_target)(i / 4));
        pipit_train_pair *work = &t->work[i / 4];
        if (!l) continue;
        pipit_train_floats a = {l->a, l->n_in}, b = {l->b, l->rank};
        switch (i % 4) {
            case 0:
                t->train_kernels->pack(a.x, a.stride, l->rank, l->n_in, A,
                                       work->a);
                break;
            case 1:
                pack_turned(a, l->rank, l->n_in, 1, A, work->a_turned);
                break;
            case 2:
                t->train_kernels->pack(b.x, b.stride, l->n_out, l->rank, A,
                                       work->b);
                scale_floats(work->b,
                             ((size_t)l->n_out + A - 1) / A * A * l->rank,
                             &t->scale);
                break;
            default:
                pack_turned(b, l->n_out, l->rank, t->scale, A, work->b_turned);
        }
    }
}

/* Four rows of x, packed, times the rank rows of m; also packed. */
static void put_low_rank(const pipit_train_part *part, const float *m,
                         uint32_t n_cols, uint32_t row, uint32_t n, float *z,
                         float *z_strips) {
    const pipit_train *t = part->train;
    pipit_strips a = dense(m, A, n_cols);
    pipit_strips b = dense(part->own->strips, B, n_cols);
    z += row * t->rank_stride;
    t->train_kernels->multiply(&a, (t->rank + 3) / 4, &b, n, n_cols, false, z,
                               t->rank_stride);
    t->train_kernels->pack(z, t->rank_stride, n, t->rank, B,
                           z_strips + (size_t)row * t->rank);
}

void pipit_train_pair_in(const pipit_train_part *part, pipit_target first,
                         uint32_t n_targets, pipit_train_floats x) {
    const pipit_train *t = part->train;
    uint32_t begin, end, n_in = t->pairs[t->layer][first].n_in;
    pipit_train_rows(part, &begin, &end);
    for (uint32_t i = begin; i < end; i += 4) {
        uint32_t n = pipit_min_u32(4, end - i);
        t->train_kernels->pack(x.x + i * x.stride, x.stride, n, n_in, B,
                               part->own->strips);
        for (uint32_t j = 0; j < n_targets; j++) {
            const pipit_train_pair *work = &t->work[first + j];
            if (pair_of(t, (pipit_target)(first + j)))
                put_low_rank(part, work->a, n_in, i, n, work->z,
                             work->z_strips);
        }
    }
}

void pipit_train_pair_out(const pipit_train_part *part, pipit_target target,
                          pipit_train_floats y) {
    const pipit_train *t = part->train;
    const pipit_lora *l = pair_of(t, target);
    uint32_t g0, g1;
    if (!l) return;
    pipit_split((l->n_out + 3) / 4, part->thread, part->n_threads, &g0, &g1);
    pipit_strips a = dense(t->work[target].b, A, l->rank);
    pipit_strips b = dense(t->work[target].z_strips, B, l->rank);
    a.x += g0 / 2 * a.strip;
    y.x += (size_t)g0 * GROUP;
    if (g0 % 2 > 0 && g0 < g1) { /* the second half of a strip */
        pipit_strips half = {a.x + GROUP, a.step, a.strip};
        t->train_kernels->multiply(&half, 1, &b, t->n, l->rank, true, y.x,
                                   y.stride);
        a.x += a.strip;
        y.x += GROUP;
        g0++;
    }
    t->train_kernels->multiply(&a, g1 - g0, &b, t->n, l->rank, true, y.x,
                               y.stride);
}

void pipit_train_pair_out_back(const pipit_train_part *part,
                               pipit_target target, pipit_train_floats dy) {
    const pipit_train *t = part->train;
    const pipit_train_pair *work = &t->work[target];
    const pipit_lora *l = pair_of(t, target);
    uint32_t begin, end;
    if (!l) return;
    pipit_train_rows(part, &begin, &end);
    for (uint32_t i = begin; i < end; i += 4) {
        uint32_t n = pipit_min_u32(4, end - i);
        t->train_kernels->pack(dy.x + i * dy.stride, dy.stride, n, l->n_out, B,
                               part->own->strips);
        put_low_rank(part, work->b_turned, l->n_out, i, n, work->dz,
                     work->dz_strips);
    }
}

void pipit_train_pair_in_back(const pipit_train_part *part,
                              pipit_target target, pipit_train_floats dx) {
    const pipit_train *t = part->train;
    const pipit_lora *l = pair_of(t, target);
    uint32_t begin, end;
    if (!l) return;
    split_columns(part, l->n_in, &begin, &end);
    if (begin >= end) return;
    pipit_strips a = dense(t->work[target].a_turned, A, l->rank);
    pipit_strips b = dense(t->work[target].dz_strips, B, l->rank);
    a.x += begin / A * a.strip;
    t->train_kernels->multiply(&a, (end - begin + 3) / 4, &b, t->n, l->rank,
                               true, dx.x + begin, dx.stride);
}

/* da (rank, n_in) += dz^T x. */
static void add_gradient_a(const pipit_train_part *part, const pipit_lora *l,
                           const float *dz, pipit_train_floats x, float *da) {
    const pipit_train *t = part->train;
    float *sums = part->own->sums;
    pipit_strips a = dense(part->own->tile, A, t->n);
    pipit_strips b = {dz, t->rank_stride, B};
    uint32_t begin, end;
    split_columns(part, l->n_in, &begin, &end);
    for (uint32_t c0 = begin; c0 < end; c0 += TILE) {
        uint32_t n = pipit_min_u32(TILE, end - c0);
        copy_turned((pipit_train_floats){x.x + c0, x.stride}, t->n, n, A,
                    part->own->tile);
        t->train_kernels->multiply(&a, (n + 3) / 4, &b, l->rank, t->n, false,
                                   sums, TILE);
        for (uint32_t k = 0; k < l->rank; k++)
            for (uint32_t c = 0; c < n; c++)
                da[(size_t)k * l->n_in + c0 + c] += sums[k * TILE + c];
    }
}

/* db (n_out, rank) += scale * dy^T z. */
static void add_gradient_b(const pipit_train_part *part, const pipit_lora *l,
                           const float *z, pipit_train_floats dy, float *db) {
    const pipit_train *t = part->train;
    float *sums = part->own->sums;
    pipit_strips a = {z, t->rank_stride, A};
    pipit_strips b = dense(part->own->tile, B, t->n);
    uint32_t begin, end;
    split_columns(part, l->n_out, &begin, &end);
    for (uint32_t c0 = begin; c0 < end; c0 += TILE) {
        uint32_t n = pipit_min_u32(TILE, end - c0);
        copy_turned((pipit_train_floats){dy.x + c0, dy.stride}, t->n, n, B,
                    part->own->tile);
        t->train_kernels->multiply(&a, (l->rank + 3) / 4, &b, n, t->n, false,
                                   sums, t->rank_stride);
        for (uint32_t c = 0; c < n; c++)
            for (uint32_t k = 0; k < l->rank; k++)
                db[(size_t)(c0 + c) * l->rank + k] +=
                    t->scale * sums[c * t->rank_stride + k];
    }
}

void pipit_train_pair_gradients(const pipit_train_part *part,
                                pipit_target target, pipit_train_floats x,
                                pipit_train_floats dy) {
    const pipit_train *t = part->train;
    const pipit_train_pair *work = &t->work[target];
    const pipit_lora *l = pair_of(t, target);
    if (!l) return;
    add_gradient_a(part, l, work->dz, x,
                   t->gradients + (l->a - t->parameters));
    add_gradient_b(part, l, work->z, dy,
                   t->gradients + (l->b - t->parameters));
}

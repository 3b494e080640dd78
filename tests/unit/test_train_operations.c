/* Training's products, low-rank pairs and attention: what they compute and their
 * gradients, against a float64 reference of each and its finite differences. */
#include "tiny_model.h"
#include "train_carve.h"
#include "train_product.h"

#include <math.h>

enum { N_ROWS = 75, LONG = 70, DIM = 8, HEADS = 4, KV_HEADS = 2 };

typedef struct bench {
    tiny model;
    pipit_train train;
    void *block;
    pipit_train_part part;
} bench;

static void fill(float *x, size_t n, uint64_t seed) {
    pipit_rng rng;
    pipit_rng_seed(&rng, seed);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(2 * pipit_rng_unit(&rng) - 1);
}

/* Two sequences, the second longer than queries are taken at a time. */
static void bench_open(bench *b, const tiny_options *o) {
    pipit_training_options options;
    pipit_arena arena = {0};
    pipit_training_defaults(&options);
    options.rank = 3;
    options.max_length = options.max_rows = 96;
    *b = (bench){.model = tiny_open(o)};
    pipit_train_carve(b->model.model, &options, &arena, &b->train);
    size_t bytes = (arena.used + 63) / 64 * 64;
    b->block = aligned_alloc(64, bytes);
    memset(b->block, 0, bytes);
    arena = (pipit_arena){.base = b->block, .capacity = bytes};
    b->train = (pipit_train){0};
    size_t n = pipit_train_carve(b->model.model, &options, &arena, &b->train);
    fill(b->train.parameters, n, 1);
    b->train.n = N_ROWS;
    b->train.n_sequences = 2;
    b->train.sequences[0] = (pipit_train_sequence){0, N_ROWS - LONG};
    b->train.sequences[1] = (pipit_train_sequence){N_ROWS - LONG, LONG};
    b->part = (pipit_train_part){&b->train, &b->train.threads[0], 0, 1};
}

static void bench_close(bench *b) {
    tiny_close(&b->model);
    free(b->block);
}

/* A loss of x, that some operation and the gradient of its result make. */
typedef double (*loss_of)(const void *about, const double *x);

/* Every `step`th of n. */
static void check_gradient(loss_of loss, const void *about, const float *x,
                           size_t n, size_t step, const float *gradient) {
    double *at = malloc(n * sizeof *at);
    for (size_t i = 0; i < n; i++) at[i] = (double)x[i];
    for (size_t i = 0; i < n; i += step) {
        const double h = 1e-5;
        at[i] = (double)x[i] + h;
        double up = loss(about, at);
        at[i] = (double)x[i] - h;
        double down = loss(about, at);
        at[i] = (double)x[i];
        CHECK_CLOSE((double)gradient[i], (up - down) / (2 * h),
                    2e-5 + 1e-6 * fabs((double)gradient[i]));
    }
    free(at);
}

/* ---- attention ----------------------------------------------------------- */

enum { QKV = (HEADS + 2 * KV_HEADS) * DIM };

typedef struct attention_case {
    uint32_t window;
    double cap, scale;
    const float *dheads; /* (N_ROWS, HEADS * DIM) */
    double heads[N_ROWS * HEADS * DIM];
} attention_case;

static void attend(attention_case *c, const double *qkv, uint32_t first,
                   uint32_t i, uint32_t head) {
    const double *q = qkv + (first + i) * QKV + head * DIM;
    size_t kv = (HEADS + head / (HEADS / KV_HEADS)) * (size_t)DIM;
    double p[LONG], sum = 0;
    uint32_t from = c->window && i >= c->window ? i - c->window + 1 : 0;
    for (uint32_t j = from; j <= i; j++) {
        double score = 0;
        for (int d = 0; d < DIM; d++)
            score += q[d] * qkv[(first + j) * QKV + kv + (size_t)d];
        score *= c->scale;
        if (c->cap > 0) score = c->cap * tanh(score / c->cap);
        sum += p[j] = exp(score);
    }
    for (size_t d = 0; d < DIM; d++) {
        double *out = &c->heads[((first + i) * HEADS + head) * DIM + d];
        *out = 0;
        for (uint32_t j = from; j <= i; j++)
            *out += p[j] / sum *
                    qkv[(first + j) * QKV + kv + KV_HEADS * DIM + d];
    }
}

static double attention_loss(const void *about, const double *qkv) {
    attention_case *c = (attention_case *)(uintptr_t)about;
    double sum = 0;
    for (uint32_t i = 0; i < N_ROWS; i++)
        for (uint32_t head = 0; head < HEADS; head++) {
            uint32_t first = i < N_ROWS - LONG ? 0 : N_ROWS - LONG;
            attend(c, qkv, first, i - first, head);
        }
    for (size_t i = 0; i < N_ROWS * HEADS * DIM; i++)
        sum += c->heads[i] * (double)c->dheads[i];
    return sum;
}

static void check_attention(const tiny_options *o) {
    static attention_case c;
    bench b;
    bench_open(&b, o);
    pipit_train *t = &b.train;
    const pipit_hparams *h = &b.model.model->h;
    size_t n = (size_t)N_ROWS * QKV;
    CHECK_EQ_U64(t->qkv_stride, QKV);
    fill(t->qkv, n, 2);
    for (size_t i = 0; i < n; i++) t->qkv[i] *= 3;
    fill(t->dheads, (size_t)N_ROWS * HEADS * DIM, 3);
    for (t->layer = 0; t->layer < 2; t->layer++) {
        c = (attention_case){pipit_train_layer(t)->params.window,
                             (double)h->attn_softcap, (double)h->attn_scale,
                             t->dheads, {0}};
        pipit_train_attend(&b.part);
        double *at = malloc(n * sizeof *at);
        for (size_t i = 0; i < n; i++) at[i] = (double)t->qkv[i];
        attention_loss(&c, at);
        for (size_t i = 0; i < N_ROWS * HEADS * DIM; i++)
            CHECK_CLOSE((double)t->heads[i], c.heads[i], 2e-6);
        free(at);
        pipit_train_attend_back(&b.part);
        check_gradient(attention_loss, &c, t->qkv, n, 41, t->dqkv);
    }
    bench_close(&b);
}

static void attention_has_the_gradients_of_finite_differences(void) {
    tiny_options o = tiny_defaults();
    check_attention(&o);
    o.arch = "gemma2"; /* a window in every second layer */
    o.window = 9;
    o.softcap = 4.0f;
    check_attention(&o);
}

/* ---- products and pairs -------------------------------------------------- */

/* Of one matrix (n_out, n_in) with its pair: y = W x + scale B A x. */
typedef struct product_case {
    const pipit_matrix *w;
    const pipit_lora *pair;
    double scale;
    const float *weights;     /* (n_out, n_in) */
    const float *x, *dy, *a, *b;
    size_t x_stride, dy_stride;
    int which; /* 0: the loss is of x, 1: of a, 2: of b */
} product_case;

static double product_loss(const void *about, const double *at) {
    const product_case *c = about;
    uint32_t n_in = c->w->n_cols, n_out = c->w->n_rows, rank = c->pair->rank;
    double sum = 0;
    for (uint32_t row = 0; row < N_ROWS; row++) {
        double x[64], z[4];
        for (uint32_t i = 0; i < n_in; i++)
            x[i] = c->which == 0 ? at[row * c->x_stride + i]
                                 : (double)c->x[row * c->x_stride + i];
        for (uint32_t k = 0; k < rank; k++) {
            z[k] = 0;
            for (uint32_t i = 0; i < n_in; i++)
                z[k] += x[i] * (c->which == 1 ? at[k * n_in + i]
                                              : (double)c->a[k * n_in + i]);
        }
        for (uint32_t o = 0; o < n_out; o++) {
            double y = 0;
            for (uint32_t i = 0; i < n_in; i++)
                y += (double)c->weights[o * n_in + i] * x[i];
            for (uint32_t k = 0; k < rank; k++)
                y += c->scale * z[k] *
                     (c->which == 2 ? at[o * rank + k]
                                    : (double)c->b[o * rank + k]);
            sum += y * (double)c->dy[row * c->dy_stride + o];
        }
    }
    return sum;
}

static void check_product(bench *b, pipit_target target, pipit_train_floats x,
                          pipit_train_floats y, pipit_train_floats dy,
                          pipit_train_floats dx) {
    pipit_train *t = &b->train;
    const pipit_matrix *w =
        pipit_target_matrix(b->model.model, t->layer, target);
    const pipit_lora *l = &t->pairs[t->layer][target];
    uint32_t n_in = w->n_cols, n_out = w->n_rows;
    float *weights = malloc((size_t)n_in * n_out * sizeof *weights);
    for (uint32_t r = 0; r < n_out; r++)
        pipit_layout_row(w, r, weights + (size_t)r * n_in);
    fill(x.x, (N_ROWS - 1) * x.stride + n_in, 4);
    fill(dy.x, (N_ROWS - 1) * dy.stride + n_out, 5);
    pipit_train_pack_pairs(&b->part);
    pipit_train_pair_in(&b->part, target, 1, x);
    pipit_train_product(&b->part, &(pipit_train_output){w, y}, 1, x, N_ROWS);
    pipit_train_pair_out(&b->part, target, y);
    pipit_train_pair_out_back(&b->part, target, dy);
    pipit_train_product_back(&b->part, w, dy, N_ROWS, dx, false);
    pipit_train_pair_in_back(&b->part, target, dx);
    pipit_train_pair_gradients(&b->part, target, x, dy);
    product_case c = {w, l, (double)t->scale, weights, x.x, dy.x, l->a, l->b,
                      x.stride, dy.stride, 0};
    double forward = 0, *at = malloc(N_ROWS * x.stride * sizeof *at);
    for (size_t i = 0; i < N_ROWS * x.stride; i++) at[i] = (double)x.x[i];
    for (uint32_t r = 0; r < N_ROWS; r++)
        for (uint32_t o = 0; o < n_out; o++)
            forward += (double)y.x[r * y.stride + o] *
                       (double)dy.x[r * dy.stride + o];
    CHECK_CLOSE(forward, product_loss(&c, at), 2e-4);
    check_gradient(product_loss, &c, x.x, (N_ROWS - 1) * x.stride + n_in, 97,
                   dx.x);
    /* Those of the parameters are sums over all rows. */
    const float *found = t->gradients + (l->a - t->parameters);
    c.which = 1;
    check_gradient(product_loss, &c, l->a, (size_t)l->rank * n_in, 11, found);
    c.which = 2;
    check_gradient(product_loss, &c, l->b, (size_t)l->rank * n_out, 11,
                   found + (size_t)l->rank * n_in);
    free(at);
    free(weights);
}

static void products_have_the_gradients_of_finite_differences(void) {
    tiny_options o = tiny_defaults();
    bench b;
    bench_open(&b, &o);
    pipit_train *t = &b.train;
    t->layer = 1;
    t->precise = true;
    pipit_train_floats h1 = {t->h1, t->embd_stride};
    pipit_train_floats act = {t->act, t->ffn_stride};
    pipit_train_floats gate = {t->gate, t->ffn_stride};
    pipit_train_floats k = {t->qkv + HEADS * DIM, t->qkv_stride};
    check_product(&b, PIPIT_TARGET_K, h1, k,
                  (pipit_train_floats){t->dqkv + HEADS * DIM, t->qkv_stride},
                  (pipit_train_floats){t->dh, t->embd_stride});
    check_product(&b, PIPIT_TARGET_GATE, h1, gate, act,
                  (pipit_train_floats){t->dh, t->embd_stride});
    check_product(&b, PIPIT_TARGET_DOWN, act,
                  (pipit_train_floats){t->middle, t->embd_stride}, h1,
                  (pipit_train_floats){t->dact, t->ffn_stride});
    bench_close(&b);
}

int main(void) {
    CASE(attention_has_the_gradients_of_finite_differences);
    CASE(products_have_the_gradients_of_finite_differences);
    return check_done();
}

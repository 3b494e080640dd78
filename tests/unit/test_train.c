/* Training: gradients against finite differences, a row's in double arithmetic
 * and a whole model's through its own loss; the same bits however it is run. */
#include "adamw.h"
#include "tiny_model.h"
#include "train_row.h"

#include "kernels/scalar.h"
#include "kernels/train_kernels.h"

#include <math.h>

enum { N = 23 };

static void fill(float *x, size_t n, uint64_t seed) {
    pipit_rng rng;
    pipit_rng_seed(&rng, seed);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(2 * pipit_rng_unit(&rng) - 1);
}

/* ---- one row ------------------------------------------------------------- */

typedef double (*row_loss)(const double *x, const float *w, const float *dy);

static double norm_loss(const double *x, const float *w, const float *dy) {
    double square = 0, sum = 0;
    for (int i = 0; i < N; i++) square += x[i] * x[i];
    double scale = 1 / sqrt(square / N + 1e-5);
    for (int i = 0; i < N; i++) sum += dy[i] * (x[i] * scale * w[i]);
    return sum;
}

/* x: gates, then ups. */
static double silu_loss(const double *x, const float *w, const float *dy) {
    double sum = 0;
    (void)w;
    for (int i = 0; i < N; i++)
        sum += dy[i] * (x[i] / (1 + exp(-x[i])) * x[N + i]);
    return sum;
}

static double gelu_loss(const double *x, const float *w, const float *dy) {
    double sum = 0;
    (void)w;
    for (int i = 0; i < N; i++) {
        double g = x[i], t = tanh(sqrt(2 / 3.14159265358979323846) *
                                  (g + 0.044715 * g * g * g));
        sum += dy[i] * (0.5 * g * (1 + t) * x[N + i]);
    }
    return sum;
}

static double answer_loss(const double *x, const float *w, const float *dy) {
    double sum = 0;
    (void)w, (void)dy;
    for (int i = 0; i < N; i++) sum += exp(x[i]);
    return 0.25 * (log(sum) - x[7]);
}

static void check_gradient(row_loss loss, const float *x, size_t n,
                           const float *w, const float *dy,
                           const float *gradient) {
    double at[2 * N];
    for (size_t i = 0; i < n; i++) at[i] = (double)x[i];
    for (size_t i = 0; i < n; i++) {
        const double step = 1e-5;
        at[i] = (double)x[i] + step;
        double up = loss(at, w, dy);
        at[i] = (double)x[i] - step;
        double down = loss(at, w, dy);
        at[i] = (double)x[i];
        CHECK_CLOSE((double)gradient[i], (up - down) / (2 * step), 2e-6);
    }
}

static void rows_have_the_gradients_of_finite_differences(void) {
    float x[2 * N], w[N], dy[N], out[2 * N] = {0};
    fill(x, 2 * N, 1);
    fill(w, N, 2);
    fill(dy, N, 3);
    pipit_train_norm_back(x, w, dy, N, 1e-5f, out);
    check_gradient(norm_loss, x, N, w, dy, out);
    memcpy(out, x, sizeof x);
    pipit_train_kernels_scalar.silu_back(out, out + N, dy, N);
    check_gradient(silu_loss, x, 2 * N, w, dy, out);
    memcpy(out, x, sizeof x);
    pipit_train_kernels_scalar.gelu_back(out, out + N, dy, N);
    check_gradient(gelu_loss, x, 2 * N, w, dy, out);
    memcpy(out, x, sizeof x);
    double loss =
        pipit_train_loss_back(out, N, 7, 0.25f, pipit_scalar_softmax);
    check_gradient(answer_loss, x, N, w, dy, out);
    double at[N];
    for (int i = 0; i < N; i++) at[i] = (double)x[i];
    CHECK_CLOSE(0.25 * loss, answer_loss(at, w, dy), 1e-6);
}

/* ---- a whole model ------------------------------------------------------- */

/* Three sequences, the answers not always at the end; more rows than are
 * evaluated together. */
static const uint32_t tokens[] = {3, 7, 1, 9, 30, 2,  8,  40, 11, 5, 5, 6,
                                  7, 8, 4, 4, 9,  22, 21, 13, 1,  2, 0};
static const uint8_t is_answer[] = {0, 0, 0, 1, 1, 1, 0, 1, 1, 0, 0, 0,
                                    1, 0, 0, 1, 0, 1, 1, 1, 0, 1, 1};
static const uint32_t lengths[] = {6, 3, 14};
static const pipit_training_batch batch = {tokens, is_answer, lengths, 3};

static pipit_training_options options(void) {
    pipit_training_options o;
    pipit_training_defaults(&o);
    o.rank = 3;
    o.alpha = 6;
    o.max_length = 14;
    o.max_rows = 16;
    o.seed = 5;
    o.precise = false;
    return o;
}

static pipit_trainer *trainer_of(tiny *t, const pipit_training_options *o) {
    pipit_trainer *trainer = NULL;
    pipit_error error = {0};
    size_t n;
    if (!CHECK(pipit_trainer_open(t->model, o, NULL, &trainer, &error) ==
               PIPIT_OK))
        printf("  %s\n", error.message);
    /* B is not 0 halfway. */
    float *state = pipit_trainer_state(trainer, &n);
    fill(state, n, 9);
    for (size_t i = 0; i < n; i++) state[i] *= 0.2f;
    return trainer;
}

static void run(pipit_trainer *trainer, pipit_training_kind kind) {
    pipit_status s;
    CHECK(pipit_trainer_begin(trainer, &batch, kind, 0.01f, NULL) ==
          PIPIT_OK);
    while ((s = pipit_trainer_step(trainer)) == PIPIT_PENDING) {}
    CHECK(s == PIPIT_OK);
}

/* The mean loss of the batch's answers, as sessions have them. */
static double session_loss(tiny *t) {
    pipit_session_options o = {.n_context = 16, .kv_type = PIPIT_KV_F32};
    double sum = 0;
    uint32_t n_answers = 0, first = 0;
    for (int s = 0; s < 3; first += lengths[s++]) {
        pipit_session *session = NULL;
        CHECK(pipit_session_open(t->model, &o, NULL, &session, NULL) ==
              PIPIT_OK);
        for (uint32_t i = first; i + 1 < first + lengths[s]; i++) {
            double exps = 0;
            CHECK(pipit_session_eval(session, &tokens[i], 1, 0, NULL, NULL,
                                     NULL) == PIPIT_OK);
            if (!is_answer[i + 1]) continue;
            const float *logits = pipit_session_logits(session, 0);
            for (int j = 0; j < TINY_VOCAB; j++) exps += exp((double)logits[j]);
            sum += log(exps) - (double)logits[tokens[i + 1]];
            n_answers++;
        }
        pipit_session_close(session);
    }
    return sum / n_answers;
}

/* Without its pairs the loss is the sessions'. */
static void check_forward(tiny *t, pipit_trainer *trainer) {
    size_t n;
    float *x = pipit_trainer_state(trainer, &n);
    float *kept = malloc(n * sizeof *kept);
    memcpy(kept, x, n * sizeof *x);
    memset(x, 0, n * sizeof *x);
    run(trainer, PIPIT_TRAIN_LOSS);
    CHECK_CLOSE(pipit_trainer_loss(trainer), session_loss(t), 2e-5);
    memcpy(x, kept, n * sizeof *x);
    free(kept);
}

static void check_model(const char *arch) {
    tiny_options small = tiny_defaults();
    small.arch = arch;
    small.window = 4;
    if (strcmp(arch, "gemma2") == 0) small.softcap = 0.7f;
    tiny t = tiny_open(&small);
    pipit_training_options o = options();
    pipit_trainer *trainer = trainer_of(&t, &o);
    size_t n;
    check_forward(&t, trainer);
    float *x = pipit_trainer_state(trainer, &n);
    run(trainer, PIPIT_TRAIN_GRADIENTS);
    double norm = 0;
    float *gradient = malloc(n * sizeof *gradient);
    memcpy(gradient, pipit_trainer_gradients(trainer), n * sizeof *gradient);
    for (size_t i = 0; i < n; i++)
        norm += (double)gradient[i] * (double)gradient[i];
    CHECK_CLOSE(pipit_trainer_norm(trainer), sqrt(norm), 1e-9);
    for (size_t i = 0; i < n; i += 53) { /* every matrix, both halves */
        const float was = x[i], step = 0.01f;
        x[i] = was + step;
        run(trainer, PIPIT_TRAIN_LOSS);
        double up = pipit_trainer_loss(trainer);
        x[i] = was - step;
        run(trainer, PIPIT_TRAIN_LOSS);
        double down = pipit_trainer_loss(trainer);
        x[i] = was;
        CHECK_CLOSE((double)gradient[i], (up - down) / (2 * (double)step),
                    2e-4 + 0.01 * fabs((double)gradient[i]));
    }
    free(gradient);
    pipit_trainer_close(trainer);
    tiny_close(&t);
}

static void models_have_the_gradients_of_finite_differences(void) {
    const char *families[] = {"llama",   "qwen2",  "qwen3", "gemma",
                              "gemma2",  "gemma3", "olmo2", "exaone4",
                              "minicpm", "bitnet", "phi3",  "hunyuan-dense"};
    for (int i = 0; i < 12; i++) check_model(families[i]);
}

/* The state after three updates. */
static float *trained(uint32_t n_threads, const char *kernels, size_t *n) {
    tiny t;
    tiny_options small = tiny_defaults();
    pipit_training_options o = options();
    tiny_write(&small);
    CHECK(tiny_load(n_threads, kernels, SIZE_MAX / 2, NULL, &t, NULL) ==
          PIPIT_OK);
    pipit_trainer *trainer = trainer_of(&t, &o);
    float *state = pipit_trainer_state(trainer, n);
    memset(state + *n, 0, 2 * *n * sizeof *state);
    double first = 0;
    for (int i = 0; i < 3; i++) {
        run(trainer, PIPIT_TRAIN_UPDATE);
        if (i == 0) first = pipit_trainer_loss(trainer);
    }
    CHECK(pipit_trainer_loss(trainer) < first);
    CHECK_EQ_U64(pipit_trainer_n_updates(trainer), 3);
    *n *= 3;
    float *copy = malloc(*n * sizeof *copy);
    memcpy(copy, state, *n * sizeof *copy);
    pipit_trainer_close(trainer);
    tiny_close(&t);
    return copy;
}

static void all_threads_and_kernels_give_the_same_bits(void) {
    size_t n;
    float *one = trained(1, "scalar", &n);
    for (uint32_t i = 0; pipit_kernels_list(i); i++)
        for (uint32_t n_threads = 1; n_threads <= 3; n_threads++) {
            float *other = trained(n_threads, pipit_kernels_list(i), &n);
            CHECK_BITS(one, other, n);
            free(other);
        }
    free(one);
}

static void a_dropped_step_leaves_no_trace(void) {
    tiny_options small = tiny_defaults();
    tiny t = tiny_open(&small);
    pipit_training_options o = options();
    pipit_trainer *trainer = trainer_of(&t, &o);
    run(trainer, PIPIT_TRAIN_GRADIENTS);
    double loss = pipit_trainer_loss(trainer);
    double norm = pipit_trainer_norm(trainer);
    CHECK(pipit_trainer_step(trainer) == PIPIT_E_STATE);
    pipit_trainer_begin(trainer, &batch, PIPIT_TRAIN_UPDATE, 1, NULL);
    run(trainer, PIPIT_TRAIN_GRADIENTS);
    CHECK(pipit_trainer_loss(trainer) == loss);
    CHECK(pipit_trainer_norm(trainer) == norm);
    pipit_trainer_close(trainer);
    tiny_close(&t);
}

/* ---- what is refused ----------------------------------------------------- */

static void impossible_options_are_named(void) {
    tiny_options small = tiny_defaults();
    tiny t = tiny_open(&small);
    pipit_training_options good = options(), o;
    pipit_error error;
    uint64_t bytes;
    o = good, o.rank = 0;
    CHECK(pipit_training_measure(t.model, &o, &bytes, &error) ==
          PIPIT_E_ARGUMENT);
    CHECK_HOLDS(error.message, "rank");
    o = good, o.targets = 1u << 7;
    CHECK(pipit_training_measure(t.model, &o, &bytes, &error) ==
          PIPIT_E_ARGUMENT);
    CHECK_HOLDS(error.message, "targets");
    o = good, o.max_length = TINY_CONTEXT + 1;
    CHECK(pipit_training_measure(t.model, &o, &bytes, &error) ==
          PIPIT_E_ARGUMENT);
    CHECK_HOLDS(error.message, "max_length");
    tiny_close(&t);
}

static void impossible_batches_name_the_sequence(void) {
    tiny_options small = tiny_defaults();
    tiny t = tiny_open(&small);
    pipit_training_options o = options();
    pipit_trainer *trainer = trainer_of(&t, &o);
    pipit_error error;
    const uint32_t wild[] = {1, 2, 3, TINY_VOCAB}, two[] = {2, 2};
    const uint8_t none[4] = {1, 0, 1, 0}, all[4] = {1, 1, 1, 1};
    const uint32_t long_one[] = {15};
    pipit_training_batch b = {wild, all, two, 2};
    CHECK(pipit_trainer_begin(trainer, &b, PIPIT_TRAIN_LOSS, 0, &error) ==
          PIPIT_E_TOKEN);
    CHECK_EQ_U64(error.offset, 1);
    b = (pipit_training_batch){tokens, none, two, 2};
    CHECK(pipit_trainer_begin(trainer, &b, PIPIT_TRAIN_LOSS, 0, &error) ==
          PIPIT_E_ARGUMENT);
    b = (pipit_training_batch){tokens, is_answer, long_one, 1};
    CHECK(pipit_trainer_begin(trainer, &b, PIPIT_TRAIN_LOSS, 0, &error) ==
          PIPIT_E_CONTEXT);
    pipit_trainer_close(trainer);
    tiny_close(&t);
}

static void nothing_is_allocated_but_what_was_measured(void) {
    tiny_options small = tiny_defaults();
    tiny t = tiny_open(&small);
    pipit_training_options o = options();
    check_memory memory = {0};
    pipit_allocator a = check_allocator(&memory);
    pipit_trainer *trainer = NULL;
    uint64_t bytes = 0;
    CHECK(pipit_training_measure(t.model, &o, &bytes, NULL) == PIPIT_OK);
    CHECK(pipit_trainer_open(t.model, &o, &a, &trainer, NULL) == PIPIT_OK);
    run(trainer, PIPIT_TRAIN_UPDATE);
    CHECK_EQ_U64(memory.n_calls, 1);
    CHECK_EQ_U64(memory.peak_bytes, bytes);
    pipit_trainer_close(trainer);
    CHECK_EQ_U64(memory.live_bytes, 0);
    memory.fail_at = 2;
    CHECK(pipit_trainer_open(t.model, &o, &a, &trainer, NULL) ==
          PIPIT_E_MEMORY);
    tiny_close(&t);
}

static void gradients_are_clipped_and_decay(void) {
    pipit_adamw adam = {0.9f, 0.999f, 1e-8f, 0.1f, 0.01f, 1, 1, 0.5f};
    float x = 2, g = 3, m = 0, v = 0;
    pipit_adamw_at(&adam, 1);
    pipit_adamw_update(&adam, &x, &g, &m, &v, 1);
    CHECK_CLOSE((double)m, 0.15, 1e-7);
    CHECK_CLOSE((double)v, 0.00225, 1e-7);
    CHECK_CLOSE((double)x, 2 - 0.01 * (1 + 0.1 * 2), 1e-6);
}

int main(void) {
    CASE(rows_have_the_gradients_of_finite_differences);
    CASE(models_have_the_gradients_of_finite_differences);
    CASE(all_threads_and_kernels_give_the_same_bits);
    CASE(a_dropped_step_leaves_no_trace);
    CASE(impossible_options_are_named);
    CASE(impossible_batches_name_the_sequence);
    CASE(nothing_is_allocated_but_what_was_measured);
    CASE(gradients_are_clipped_and_decay);
    return check_done();
}

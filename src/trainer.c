/* The plan of a step: for each part of the batch that fits the rows there are,
 * embed, layers forward, the head some answers at a time, layers back; then, of
 * the whole batch, the gradients' norm and the update. */
#include "adamw.h"
#include "adapter.h"
#include "mathf.h"
#include "rng.h"
#include "rope.h"
#include "train_carve.h"

#include <math.h>

/* Multiply-adds per call, those of floats counting for four. */
#define STEP_COST ((uint64_t)1 << 28)
#define MAX_RANK 1024u

typedef enum phase {
    IDLE, EMBED, FORWARD, HEAD, AGAIN, BACK, NORM, UPDATE
} phase;

struct pipit_trainer {
    pipit_model *model;
    const pipit_allocator *allocator;
    size_t block_bytes;
    pipit_training_options options;
    pipit_train train;
    size_t n; /* parameters */
    uint64_t n_updates;
    double *sums; /* (n_layers * PIPIT_N_TARGETS) squares of gradients */
    pipit_adamw adam;

    pipit_training_batch batch;
    pipit_training_kind kind;
    size_t next_sequence, next_token; /* of the batch */
    size_t n_tokens, n_answers;
    phase phase;
    uint32_t stage;
    double loss_sum, loss, norm;
};

void pipit_training_defaults(pipit_training_options *out) {
    *out = (pipit_training_options){
        .rank = 8, .alpha = 16, .targets = (1u << PIPIT_N_TARGETS) - 1,
        .max_length = 512, .max_rows = 512, .precise = true, .beta1 = 0.9f, .beta2 = 0.999f,
        .epsilon = 1e-8f};
}

/* ---- what can be trained ------------------------------------------------- */

static pipit_status check_family(const pipit_model *m, pipit_error *error) {
    const pipit_hparams *h = &m->h;
    const pipit_arch *a = h->arch;
    if (!a->convolutions && h->n_experts == 0) return PIPIT_OK;
    return pipit_fail(error, PIPIT_E_UNSUPPORTED, PIPIT_NO_OFFSET,
                      "models of the family %s can't be trained: it has %s",
                      a->name,
                      a->convolutions ? "short convolutions" : "experts");
}

static pipit_status check_options(const pipit_model *m,
                                  const pipit_training_options *o,
                                  pipit_error *error) {
    const char *wrong = NULL;
    uint32_t smallest = m->h.n_embd;
    for (uint32_t l = 0; l < m->h.n_layers; l++)
        smallest = pipit_min_u32(smallest, m->layers[l].attn_k.n_rows);
    if (o->rank == 0 || o->rank > MAX_RANK || o->rank > smallest)
        wrong = "rank";
    else if (!(o->alpha > 0 && o->alpha < INFINITY))
        wrong = "alpha";
    else if (o->targets == 0 || o->targets >> PIPIT_N_TARGETS)
        wrong = "targets";
    else if (o->max_length < 2 || o->max_length > m->h.n_context)
        wrong = "max_length";
    else if (o->max_rows < o->max_length)
        wrong = "max_rows";
    else if (!(o->beta1 >= 0 && o->beta1 < 1 && o->beta2 >= 0 && o->beta2 < 1))
        wrong = "beta";
    else if (!(o->epsilon > 0) || !(o->decay >= 0) || !(o->clip >= 0))
        wrong = "epsilon, decay or clip";
    if (!wrong) return PIPIT_OK;
    return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                      "training can't have such a value of %s", wrong);
}

static pipit_trainer *carve(const pipit_model *m,
                            const pipit_training_options *o,
                            pipit_arena *arena, pipit_trainer *measured) {
    pipit_trainer *t = pipit_arena_take(arena, 1, sizeof *t);
    if (!t)
        t = measured;
    else
        *t = (pipit_trainer){0};
    t->sums = pipit_arena_take(arena, (size_t)m->h.n_layers * PIPIT_N_TARGETS,
                               sizeof *t->sums);
    t->n = pipit_train_carve(m, o, arena, &t->train);
    return t;
}

pipit_status pipit_training_measure(const pipit_model *model,
                                    const pipit_training_options *options,
                                    uint64_t *bytes, pipit_error *error) {
    pipit_arena arena = {0};
    pipit_trainer measured = {0};
    if (!model || !options || !bytes || !pipit_model_is_loaded(model))
        return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                          "no loaded model, or no options");
    pipit_status s = check_family(model, error);
    if (s == PIPIT_OK) s = check_options(model, options, error);
    if (s != PIPIT_OK) return s;
    carve(model, options, &arena, &measured);
    *bytes = arena.wanted;
    return PIPIT_OK;
}

/* ---- life ---------------------------------------------------------------- */

/* Normal draws by Box and Muller, A's scaled to 1 / sqrt(columns). */
static void fill_parameters(pipit_trainer *t) {
    pipit_rng rng;
    pipit_rng_seed(&rng, t->options.seed);
    memset(t->train.parameters, 0, 3 * t->n * sizeof(float));
    for (uint32_t l = 0; l < t->model->h.n_layers; l++)
        for (uint32_t i = 0; i < PIPIT_N_TARGETS; i++) {
            const pipit_lora *pair = &t->train.pairs[l][i];
            double scale = 1.0 / pipit_sqrt(pair->n_in);
            for (size_t j = 0; j < (size_t)pair->rank * pair->n_in; j++) {
                double sine, cosine, u = 1.0 - pipit_rng_unit(&rng);
                double angle = 6.283185307179586 * pipit_rng_unit(&rng);
                pipit_sincos(angle, &sine, &cosine);
                pair->a[j] = (float)(pipit_sqrt(-2.0 * pipit_log(u)) *
                                     cosine * scale);
            }
        }
}

pipit_status pipit_trainer_open(pipit_model *model,
                                const pipit_training_options *options,
                                const pipit_allocator *a, pipit_trainer **out,
                                pipit_error *error) {
    uint64_t bytes = 0;
    pipit_trainer measured = {0};
    pipit_arena arena = {0};
    if (!out) return PIPIT_E_ARGUMENT;
    pipit_status s = pipit_training_measure(model, options, &bytes, error);
    if (s != PIPIT_OK) return s;
    carve(model, options, &arena, &measured);
    a = pipit_allocator_or_platform(a);
    size_t size = arena.used;
    void *block = arena.overflow ? NULL : pipit_take(a, size);
    if (!block)
        return pipit_fail(error,
                          arena.overflow ? PIPIT_E_TOO_LARGE : PIPIT_E_MEMORY,
                          PIPIT_NO_OFFSET, "no memory for training: %u bytes",
                          bytes);
    arena = (pipit_arena){.base = block, .capacity = size};
    pipit_trainer *t = carve(model, options, &arena, NULL);
    t->model = model;
    t->allocator = a;
    t->block_bytes = size;
    t->options = *options;
    t->adam = (pipit_adamw){options->beta1, options->beta2, options->epsilon,
                            options->decay, 0, 1, 1, 1};
    for (int i = 0; i < 2; i++)
        pipit_rope_freqs(model, i == 1, options->max_length,
                         t->train.rope_freqs[i], &t->train.rope_magnitude[i]);
    memset(t->train.gradients, 0, t->n * sizeof(float));
    fill_parameters(t);
    *out = t;
    return PIPIT_OK;
}

void pipit_trainer_close(pipit_trainer *t) {
    if (t) pipit_give(t->allocator, t, t->block_bytes);
}

/* ---- batches ------------------------------------------------------------- */

static pipit_status check_batch(const pipit_trainer *t,
                                const pipit_training_batch *b,
                                pipit_error *error, size_t *n_tokens,
                                size_t *n_answers) {
    uint32_t n_vocab = t->model->h.n_vocab;
    *n_tokens = *n_answers = 0;
    for (size_t s = 0; s < b->n_sequences; s++) {
        uint32_t n = b->lengths[s];
        if (n < 2 || n > t->options.max_length)
            return pipit_fail(error, PIPIT_E_CONTEXT, s,
                              "sequence %u has %u tokens, not 2 to %u",
                              (uint64_t)s, (uint64_t)n,
                              (uint64_t)t->options.max_length);
        for (uint32_t i = 0; i < n; i++, ++*n_tokens) {
            uint32_t token = b->tokens[*n_tokens];
            if (token >= n_vocab)
                return pipit_fail(error, PIPIT_E_TOKEN, s,
                                  "token %u of sequence %u is out of range",
                                  (uint64_t)token, (uint64_t)s);
            if (i > 0 && b->is_answer[*n_tokens]) ++*n_answers;
        }
    }
    if (*n_answers == 0)
        return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                          "no sequence has an answer token");
    return PIPIT_OK;
}

pipit_status pipit_trainer_begin(pipit_trainer *t,
                                 const pipit_training_batch *batch,
                                 pipit_training_kind kind, float rate,
                                 pipit_error *error) {
    size_t n_tokens, n_answers;
    if (!t || !batch || !batch->tokens || !batch->is_answer ||
        !batch->lengths || !(rate >= 0 && rate < INFINITY))
        return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                          "no trainer, no batch, or no such learning rate");
    pipit_status s = check_batch(t, batch, error, &n_tokens, &n_answers);
    if (s != PIPIT_OK) return s;
    t->batch = *batch;
    t->kind = kind;
    t->adam.rate = rate;
    t->n_tokens = n_tokens;
    t->n_answers = n_answers;
    t->next_sequence = t->next_token = 0;
    t->loss_sum = 0;
    t->train.weight = 1.0f / (float)n_answers;
    t->phase = EMBED;
    t->train.keeps = kind != PIPIT_TRAIN_LOSS;
    t->train.is_again = false;
    if (kind != PIPIT_TRAIN_LOSS)
        memset(t->train.gradients, 0, t->n * sizeof(float));
    return PIPIT_OK;
}

/* The next sequences that fit, as rows: without the last token of each, which
 * nothing follows. */
static void gather(pipit_trainer *t) {
    pipit_train *w = &t->train;
    const pipit_training_batch *b = &t->batch;
    w->n = w->n_sequences = w->n_answers = 0;
    while (t->next_sequence < b->n_sequences) {
        uint32_t n = b->lengths[t->next_sequence];
        if (w->n + n - 1 > w->n_rows) break;
        w->sequences[w->n_sequences++] =
            (pipit_train_sequence){w->n, n - 1};
        for (uint32_t i = 0; i + 1 < n; i++) {
            size_t at = t->next_token + i;
            if (b->is_answer[at + 1]) {
                w->answer_rows[w->n_answers] = w->n;
                w->answers[w->n_answers++] = b->tokens[at + 1];
            }
            w->tokens[w->n] = b->tokens[at];
            w->positions[w->n++] = i;
        }
        t->next_token += n;
        t->next_sequence++;
    }
    if (t->kind == PIPIT_TRAIN_LOSS) return;
    memset(w->dx, 0, w->n * w->embd_stride * sizeof *w->dx);
}

/* ---- the plan ------------------------------------------------------------ */

static void norm_pairs(const pipit_train_part *part);
static void update_parameters(const pipit_train_part *part);

typedef struct job {
    pipit_trainer *trainer;
    pipit_train_op run;
} job;

static void run_job(void *context, uint32_t thread, uint32_t n_threads) {
    job *j = context;
    pipit_train_part part = {&j->trainer->train,
                             &j->trainer->train.threads[thread], thread,
                             n_threads};
    j->run(&part);
}

/* train is the trainer's: what is behind it is found from it. */
static pipit_trainer *trainer_of(const pipit_train_part *part) {
    uint8_t *at = (uint8_t *)part->train;
    return (pipit_trainer *)(void *)(at - offsetof(pipit_trainer, train));
}

static void norm_pairs(const pipit_train_part *part) {
    pipit_trainer *t = trainer_of(part);
    uint32_t n = t->model->h.n_layers * PIPIT_N_TARGETS;
    for (uint32_t i = part->thread; i < n; i += part->n_threads) {
        const pipit_lora *l =
            &t->train.pairs[i / PIPIT_N_TARGETS][i % PIPIT_N_TARGETS];
        t->sums[i] = pipit_sum_of_squares(
            t->train.gradients + (l->a - t->train.parameters),
            (size_t)l->rank * ((size_t)l->n_in + l->n_out));
    }
}

static void update_parameters(const pipit_train_part *part) {
    pipit_trainer *t = trainer_of(part);
    size_t begin = t->n * part->thread / part->n_threads;
    size_t end = t->n * (part->thread + 1) / part->n_threads;
    float *x = t->train.parameters + begin;
    pipit_adamw_update(&t->adam, x, t->train.gradients + begin, x + t->n,
                       x + 2 * t->n, end - begin);
}

static uint64_t run(pipit_trainer *t, const pipit_train_stage *stage) {
    job j = {t, stage->run};
    uint64_t cost = 1000; /* of starting */
    for (uint32_t i = 0; i < PIPIT_N_TARGETS; i++) {
        const pipit_matrix *w = pipit_target_matrix(t->model, t->train.layer,
                                                    (pipit_target)i);
        if (stage->weights >> i & 1) cost += (uint64_t)w->n_rows * w->n_cols;
    }
    pipit_pool_run(t->model->engine->pool, run_job, &j);
    return cost * t->train.n *
           (stage->is_float || t->train.precise ? 4 : 1);
}

static uint64_t run_head(pipit_trainer *t) {
    const pipit_matrix *w = &t->model->output;
    const pipit_train_stage *stage = &pipit_train_head[t->stage];
    job j = {t, stage->run};
    pipit_pool_run(t->model->engine->pool, run_job, &j);
    return (stage->weights ? (uint64_t)w->n_rows * w->n_cols : 1000) *
           t->train.head_n * (stage->is_float ? 4 : 1);
}

static void begin_head(pipit_trainer *t, uint32_t first) {
    t->train.head_first = first;
    t->train.head_n =
        pipit_min_u32(PIPIT_TRAIN_HEAD_ROWS, t->train.n_answers - first);
    t->stage = 0;
    t->phase = HEAD;
}

/* A part of the batch is done: its losses; what comes next. */
static void end_part(pipit_trainer *t) {
    for (uint32_t i = 0; i < t->train.n_answers; i++)
        t->loss_sum += t->train.losses[i];
    t->phase = t->next_sequence < t->batch.n_sequences ? EMBED : NORM;
}

static void begin_layer_back(pipit_trainer *t, uint32_t layer) {
    t->train.layer = layer;
    t->stage = 0;
    /* The last layer's rows are still there. */
    t->train.is_again = layer + 1 < t->model->h.n_layers;
    t->phase = t->train.is_again ? AGAIN : BACK;
}

static void end_head(pipit_trainer *t) {
    uint32_t next = t->train.head_first + t->train.head_n;
    if (next < t->train.n_answers)
        begin_head(t, next);
    else if (t->kind == PIPIT_TRAIN_LOSS || t->train.n_answers == 0)
        end_part(t);
    else
        begin_layer_back(t, t->model->h.n_layers - 1);
}

static uint64_t step_head(pipit_trainer *t) {
    uint32_t n = t->kind == PIPIT_TRAIN_LOSS ? 3 : PIPIT_TRAIN_HEAD_STAGES;
    uint64_t cost = 0;
    if (t->train.head_n > 0) cost = run_head(t);
    if (t->train.head_n == 0 || ++t->stage == n) end_head(t);
    return cost;
}

static uint64_t step_forward(pipit_trainer *t) {
    uint64_t cost = run(t, &pipit_train_forward[t->stage]);
    if (++t->stage < PIPIT_TRAIN_FORWARD_STAGES) return cost;
    t->stage = 0;
    if (t->train.layer + 1 < t->model->h.n_layers)
        t->train.layer++;
    else
        begin_head(t, 0);
    return cost;
}

static uint64_t step_again(pipit_trainer *t) {
    uint64_t cost = run(t, &pipit_train_forward[t->stage]);
    if (++t->stage == PIPIT_TRAIN_AGAIN_STAGES) {
        t->stage = 0;
        t->phase = BACK;
    }
    return cost;
}

static uint64_t step_back(pipit_trainer *t) {
    uint64_t cost = run(t, &pipit_train_backward[t->stage]);
    if (++t->stage < PIPIT_TRAIN_BACKWARD_STAGES) return cost;
    if (t->train.layer > 0)
        begin_layer_back(t, t->train.layer - 1);
    else
        end_part(t);
    return cost;
}

/* Loss and norm of the whole batch; whether the adapter may be updated. */
static pipit_status finish(pipit_trainer *t) {
    double sum = 0;
    t->phase = IDLE;
    t->loss = t->loss_sum / (double)t->n_answers;
    t->norm = 0;
    if (t->kind != PIPIT_TRAIN_LOSS) {
        run(t, &(pipit_train_stage){norm_pairs, 0, false});
        for (uint32_t i = 0; i < t->model->h.n_layers * PIPIT_N_TARGETS; i++)
            sum += t->sums[i];
        t->norm = pipit_sqrt(sum);
    }
    if (!(t->loss < (double)INFINITY && t->norm < (double)INFINITY))
        return PIPIT_E_STATE;
    if (t->kind != PIPIT_TRAIN_UPDATE) return PIPIT_OK;
    t->phase = UPDATE;
    return PIPIT_PENDING;
}

static void update(pipit_trainer *t) {
    double clip = t->options.clip;
    t->adam.clip =
        clip > 0 && t->norm > clip ? (float)(clip / t->norm) : 1.0f;
    pipit_adamw_at(&t->adam, ++t->n_updates);
    run(t, &(pipit_train_stage){update_parameters, 0, false});
    t->phase = IDLE;
}

pipit_status pipit_trainer_step(pipit_trainer *t) {
    if (!t || t->phase == IDLE) return PIPIT_E_STATE;
    for (uint64_t cost = 0; cost < STEP_COST;) {
        switch (t->phase) {
            case EMBED:
                gather(t);
                t->train.layer = t->stage = 0;
                t->train.is_again = false;
                t->phase = FORWARD;
                cost += run(t, &(pipit_train_stage){pipit_train_embed, 0,
                                                    false});
                break;
            case FORWARD: cost += step_forward(t); break;
            case HEAD: cost += step_head(t); break;
            case AGAIN: cost += step_again(t); break;
            case BACK: cost += step_back(t); break;
            case NORM: {
                pipit_status s = finish(t);
                if (s != PIPIT_PENDING) return s;
                break;
            }
            default: update(t); return PIPIT_OK;
        }
    }
    return PIPIT_PENDING;
}

/* ---- results ------------------------------------------------------------- */

double pipit_trainer_loss(const pipit_trainer *t) {
    return t ? t->loss : 0;
}

double pipit_trainer_norm(const pipit_trainer *t) {
    return t ? t->norm : 0;
}

/* Of one part of the batch, a layer forward counting 1 and back 4. */
static double part_progress(const pipit_trainer *t) {
    double n = t->model->h.n_layers, layer = t->train.layer;
    double all = t->kind == PIPIT_TRAIN_LOSS ? n : 5 * n;
    switch (t->phase) {
        case EMBED: return 0;
        case FORWARD: return layer / all;
        case HEAD: return n / all;
        case AGAIN:
        case BACK: return (n + 4 * (n - 1 - layer)) / all;
        default: return 1;
    }
}

double pipit_trainer_progress(const pipit_trainer *t) {
    if (!t || t->phase == IDLE || t->phase >= NORM) return 1;
    double part = t->phase == EMBED ? 0 : (double)t->train.n;
    double before = (double)t->next_token - part;
    return (before + part * part_progress(t)) / (double)t->n_tokens;
}

float *pipit_trainer_state(pipit_trainer *t, size_t *n) {
    if (!t) return NULL;
    if (n) *n = t->n;
    return t->train.parameters;
}

uint64_t pipit_trainer_n_updates(const pipit_trainer *t) {
    return t ? t->n_updates : 0;
}

void pipit_trainer_set_n_updates(pipit_trainer *t, uint64_t n) {
    if (t) t->n_updates = n;
}

const float *pipit_trainer_gradients(const pipit_trainer *t) {
    return t ? t->train.gradients : NULL;
}

uint64_t pipit_trainer_bytes(const pipit_trainer *t) {
    return t ? t->block_bytes : 0;
}

pipit_status pipit_trainer_adapter(const pipit_trainer *t,
                                   const pipit_allocator *a,
                                   pipit_adapter **out, pipit_error *error) {
    uint32_t ranks[PIPIT_MAX_LAYERS * PIPIT_N_TARGETS] = {0};
    pipit_adapter *adapter = NULL;
    if (!t || !out) return PIPIT_E_ARGUMENT;
    uint32_t n = t->model->h.n_layers * PIPIT_N_TARGETS;
    for (uint32_t i = 0; i < n; i++)
        ranks[i] = t->train.pairs[i / PIPIT_N_TARGETS][i % PIPIT_N_TARGETS].rank;
    pipit_status s = pipit_adapter_make(t->model, t->options.alpha, ranks, a,
                                        &adapter, error);
    if (s != PIPIT_OK) return s;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t l = i / PIPIT_N_TARGETS, target = i % PIPIT_N_TARGETS;
        const pipit_lora *from = &t->train.pairs[l][target];
        const pipit_lora *to = &adapter->layers[l][target];
        size_t rank = from->rank;
        if (rank == 0) continue;
        memcpy(to->a, from->a, rank * from->n_in * sizeof *to->a);
        memcpy(to->b, from->b, rank * from->n_out * sizeof *to->b);
    }
    pipit_adapter_freeze(adapter);
    *out = adapter;
    return PIPIT_OK;
}

#include "session.h"

#define DEFAULT_CONTEXT 4096u
/* Tokens from which on a copy is quicker than evaluating them. */
#define WORTH_COPYING 8u

struct pipit_session {
    pipit_model *model;
    pipit_session *next; /* of the model's */
    const pipit_allocator *allocator;
    size_t block_bytes;
    uint32_t n_context;
    uint32_t *tokens; /* (n_context) */
    pipit_kvcache kv;
    pipit_pass pass;
    uint32_t n_cached, length, target;
    uint32_t high_water;  /* positions ever written since the cache was empty */
    uint32_t batch_begin; /* length when the evaluation began */
    /* Whose pass, between two steps of a batch, has tokens of this session;
     * NULL: none. All that are in it leave together. */
    pipit_session *lead;
    uint32_t batch_end; /* n_cached after it */
    pipit_progress progress; /* of the own pass */
    float *last_logits; /* (vocab_stride) */
    float *all_logits;  /* (n, vocab_stride) or NULL, a block of its own */
    size_t all_logits_bytes; /* 0: they are somebody else's */
    uint32_t n_logits; /* rows there are */
};

uint32_t pipit_session_context(const pipit_hparams *h,
                               const pipit_session_options *options) {
    if (options && options->n_context > 0) return options->n_context;
    return pipit_min_u32(h->n_context, DEFAULT_CONTEXT);
}

typedef struct parts {
    pipit_session *session;
    uint32_t *tokens;
    float *last_logits;
    pipit_pass pass;
    pipit_kvcache kv;
    uint64_t scratch_bytes; /* all but the cache */
} parts;

static parts carve(const pipit_hparams *h, const pipit_layer_params *layers,
                   const pipit_kernels *kernels, uint32_t n_threads,
                   uint32_t n_context, pipit_kv_type kv_type,
                   pipit_arena *arena) {
    parts p;
    p.session = pipit_arena_take(arena, 1, sizeof *p.session);
    p.tokens = pipit_arena_take(arena, n_context, sizeof *p.tokens);
    p.last_logits =
        pipit_arena_take(arena, pipit_vocab_stride(h), sizeof(float));
    pipit_pass_carve(h, layers, kernels, n_context, n_threads, arena, &p.pass);
    p.scratch_bytes = arena->wanted;
    pipit_kvcache_carve(h, layers, n_context, p.pass.n_batch, kv_type, arena,
                        &p.kv);
    return p;
}

void pipit_session_measure(const pipit_hparams *h,
                           const pipit_layer_params *layers,
                           const pipit_kernels *kernels, uint32_t n_threads,
                           const pipit_session_options *options,
                           uint64_t *kv_bytes, uint64_t *scratch_bytes) {
    pipit_arena arena = {0};
    parts p = carve(h, layers, kernels, n_threads,
                    pipit_session_context(h, options),
                    pipit_kv_type_for(h, options ? options->kv_type
                                                 : PIPIT_KV_AUTO),
                    &arena);
    *scratch_bytes = p.scratch_bytes;
    *kv_bytes = arena.wanted - p.scratch_bytes;
}

static pipit_status check_options(const pipit_model *model,
                                  const pipit_session_options *options,
                                  pipit_error *error) {
    uint32_t n = pipit_session_context(&model->h, options);
    if (!pipit_model_is_loaded(model))
        return pipit_fail(error, PIPIT_E_STATE, PIPIT_NO_OFFSET,
                          "the model's weights are not complete");
    if (n > model->h.n_context)
        return pipit_fail(error, PIPIT_E_CONTEXT, PIPIT_NO_OFFSET,
                          "a context of %u tokens was asked for, the model was "
                          "made for %u",
                          (uint64_t)n, (uint64_t)model->h.n_context);
    if (options && (uint32_t)options->kv_type > PIPIT_KV_Q8)
        return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                          "unknown type of keys and values");
    if (options && options->kv_type == PIPIT_KV_Q8 &&
        model->h.head_dim % PIPIT_KV8_BLOCK != 0)
        return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                          "8-bit keys and values need heads of a multiple of "
                          "%u elements, the model's have %u",
                          (uint64_t)PIPIT_KV8_BLOCK,
                          (uint64_t)model->h.head_dim);
    return PIPIT_OK;
}

pipit_status pipit_session_open(pipit_model *model,
                                const pipit_session_options *options,
                                const pipit_allocator *a, pipit_session **out,
                                pipit_error *error) {
    if (!model || !out) return PIPIT_E_ARGUMENT;
    pipit_status status = check_options(model, options, error);
    if (status != PIPIT_OK) return status;
    const pipit_kernels *kernels = model->engine->kernels;
    uint32_t n_threads = pipit_pool_size(model->engine->pool);
    uint32_t n_context = pipit_session_context(&model->h, options);
    pipit_kv_type type = pipit_kv_type_for(
        &model->h, options ? options->kv_type : PIPIT_KV_AUTO);
    pipit_layer_params layers[PIPIT_MAX_LAYERS];
    for (uint32_t l = 0; l < model->h.n_layers; l++)
        layers[l] = model->layers[l].params;
    pipit_arena arena = {0};
    carve(&model->h, layers, kernels, n_threads, n_context, type, &arena);
    size_t bytes = arena.used;
    a = pipit_allocator_or_platform(a);
    void *block = arena.overflow ? NULL : pipit_take(a, bytes);
    if (!block)
        return pipit_fail(error, PIPIT_E_MEMORY, PIPIT_NO_OFFSET,
                          "a session of %u tokens needs %u bytes of memory and "
                          "can't get them",
                          (uint64_t)n_context, arena.wanted);
    arena = (pipit_arena){.base = block, .capacity = bytes};
    parts p =
        carve(&model->h, layers, kernels, n_threads, n_context, type, &arena);
    *p.session = (pipit_session){.model = model, .allocator = a,
                                 .block_bytes = bytes, .n_context = n_context,
                                 .tokens = p.tokens, .kv = p.kv,
                                 .pass = p.pass,
                                 .last_logits = p.last_logits};
    pipit_forward_init(&p.session->pass, model, &p.session->kv, n_context);
    p.session->next = model->sessions;
    model->sessions = p.session;
    *out = p.session;
    return PIPIT_OK;
}

static void drop_all_logits(pipit_session *s) {
    if (s->all_logits_bytes > 0)
        pipit_give(s->allocator, s->all_logits, s->all_logits_bytes);
    s->all_logits = NULL;
    s->all_logits_bytes = 0;
    s->n_logits = 0;
}

/* Others who share the batch begin it anew: it has changed nothing that they
 * hold. */
static void drop_pending(pipit_session *s) {
    const pipit_session *lead = s->lead;
    s->target = s->length;
    if (!lead) return;
    for (pipit_session *o = s->model->sessions; o; o = o->next)
        if (o->lead == lead) o->lead = NULL;
}

void pipit_session_close(pipit_session *session) {
    if (!session) return;
    drop_pending(session);
    pipit_session **at = &session->model->sessions;
    while (*at != session) at = &(*at)->next;
    *at = session->next;
    drop_all_logits(session);
    pipit_give(session->allocator, session->pass.adaptation.block,
               session->pass.adaptation.block_bytes);
    pipit_give(session->allocator, session, session->block_bytes);
}

/* Whether `n` tokens can follow the first `length`. */
static pipit_status check_tokens(const pipit_session *s, uint32_t length,
                                 const uint32_t *tokens, size_t n,
                                 pipit_error *error) {
    if (!tokens || n == 0)
        return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                          "there are no tokens to evaluate");
    if (n > s->n_context - length)
        return pipit_fail(error, PIPIT_E_CONTEXT, PIPIT_NO_OFFSET,
                          "%u tokens after %u do not fit the context of %u",
                          (uint64_t)n, (uint64_t)length,
                          (uint64_t)s->n_context);
    for (size_t i = 0; i < n; i++)
        if (tokens[i] >= s->model->h.n_vocab)
            return pipit_fail(error, PIPIT_E_TOKEN, PIPIT_NO_OFFSET,
                              "token %u at index %u is out of range, the "
                              "vocabulary has %u",
                              (uint64_t)tokens[i], (uint64_t)i,
                              (uint64_t)s->model->h.n_vocab);
    return PIPIT_OK;
}

/* Room for the logits of n positions. */
static pipit_status take_all_logits(pipit_session *s, size_t n,
                                    pipit_error *error) {
    size_t bytes;
    if (!pipit_mul_size(s->pass.vocab_stride * sizeof(float), n, &bytes))
        bytes = SIZE_MAX;
    else
        s->all_logits = pipit_take(s->allocator, bytes);
    if (!s->all_logits)
        return pipit_fail(error, PIPIT_E_MEMORY, PIPIT_NO_OFFSET,
                          "the logits of %u positions need %u bytes of memory "
                          "and can't get them",
                          (uint64_t)n, (uint64_t)bytes);
    s->all_logits_bytes = bytes;
    return PIPIT_OK;
}

static void begin(pipit_session *s, const uint32_t *tokens, size_t n) {
    memmove(s->tokens + s->length, tokens, n * sizeof *tokens);
    s->target = s->length + (uint32_t)n;
    s->batch_begin = s->length;
}

pipit_status pipit_session_begin(pipit_session *session, const uint32_t *tokens,
                                 size_t n_tokens, uint32_t flags,
                                 pipit_error *error) {
    if (!session || flags & ~PIPIT_ALL_LOGITS) return PIPIT_E_ARGUMENT;
    pipit_status status =
        check_tokens(session, session->length, tokens, n_tokens, error);
    if (status != PIPIT_OK) return status;
    drop_pending(session);
    drop_all_logits(session);
    if (flags & PIPIT_ALL_LOGITS &&
        (status = take_all_logits(session, n_tokens, error)) != PIPIT_OK)
        return status;
    begin(session, tokens, n_tokens);
    return PIPIT_OK;
}

pipit_status pipit_session_begin_rows(pipit_session *session,
                                      const uint32_t *tokens, size_t n_tokens,
                                      float *rows, pipit_error *error) {
    pipit_status status =
        check_tokens(session, session->length, tokens, n_tokens, error);
    if (status != PIPIT_OK) return status;
    drop_pending(session);
    drop_all_logits(session);
    session->all_logits = rows;
    begin(session, tokens, n_tokens);
    return PIPIT_OK;
}

void pipit_session_put(pipit_session *session, uint32_t token) {
    PIPIT_ASSERT(session->length < session->n_context);
    session->tokens[session->length] = token;
}

void pipit_session_settle(pipit_session *session, uint32_t n) {
    pipit_session *s = session;
    if (s->target != s->length || s->n_logits == 0) {
        if (s->length > s->batch_begin)
            pipit_session_rewind(s, s->batch_begin);
        else
            drop_pending(s);
        return;
    }
    uint32_t end = s->batch_begin + n;
    memcpy(s->last_logits, s->all_logits + (n - 1) * s->pass.vocab_stride,
           s->pass.vocab_stride * sizeof(float));
    if (end < s->length)
        pipit_session_rewind(s, end);
    else
        drop_all_logits(s);
    s->n_logits = 1;
}

/* The logits that the evaluation is to leave of a position, NULL: none. */
static float *logits_of(const pipit_session *s, uint32_t pos) {
    if (s->all_logits)
        return pos < s->batch_begin ? NULL
                                    : s->all_logits + (pos - s->batch_begin) *
                                                          s->pass.vocab_stride;
    return pos + 1 == s->target ? s->last_logits : NULL;
}

/* The next of what is pending, as rows of lead's pass. */
static void add_rows(pipit_session *lead, pipit_session *s) {
    pipit_pass *p = &lead->pass;
    uint32_t pos = s->n_cached;
    for (; pos < s->target && p->n_tokens < p->n_batch; pos++) {
        float *logits = logits_of(s, pos);
        if (!logits && p->n_plain == p->n_tokens) p->n_plain++;
        p->rows[p->n_tokens++] =
            (pipit_pass_row){&s->pass, s->tokens[pos], pos, logits};
    }
    s->lead = lead;
    s->batch_end = pos;
    if (pos > s->high_water) s->high_water = pos;
}

static void begin_batch(pipit_session *s) {
    s->pass.n_plain = s->pass.n_tokens = 0;
    s->progress = (pipit_progress){0};
    add_rows(s, s);
}

static void end_batch(pipit_session *s) {
    s->lead = NULL;
    s->n_cached = s->batch_end;
    if (s->n_cached > s->length) s->length = s->n_cached;
    if (s->n_cached == s->target)
        s->n_logits = s->all_logits ? s->target - s->batch_begin : 1;
}

bool pipit_session_is_pending(const pipit_session *session) {
    return session->target != session->length;
}

bool pipit_session_in_batch(const pipit_session *session) {
    return session->lead != NULL;
}

static bool same_adapters(const pipit_adaptation *a,
                          const pipit_adaptation *b) {
    if (a->n != b->n) return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (a->active[i].adapter != b->active[i].adapter ||
            a->active[i].scale != b->active[i].scale)
            return false;
    return true;
}

void pipit_session_join(pipit_session *session, pipit_session *other) {
    if (!session->lead) begin_batch(session);
    const pipit_session *lead = session->lead;
    const pipit_pass *p = &lead->pass;
    if (!other->lead && pipit_session_is_pending(other) &&
        pipit_progress_is_new(&lead->progress) && p->n_tokens < p->n_batch &&
        other->model == lead->model &&
        same_adapters(&other->pass.adaptation, &p->adaptation))
        add_rows(session->lead, other);
}

pipit_status pipit_session_step(pipit_session *session) {
    if (!session) return PIPIT_E_ARGUMENT;
    if (session->target == session->length)
        return session->n_logits > 0 ? PIPIT_OK : PIPIT_E_STATE;
    if (!session->lead) begin_batch(session);
    pipit_session *lead = session->lead;
    if (!pipit_forward_step(&lead->pass, &lead->progress)) return PIPIT_PENDING;
    for (pipit_session *o = session->model->sessions; o; o = o->next)
        if (o->lead == lead) end_batch(o);
    return session->n_cached == session->target ? PIPIT_OK : PIPIT_PENDING;
}

pipit_status pipit_session_eval(pipit_session *session, const uint32_t *tokens,
                                size_t n_tokens, uint32_t flags,
                                bool (*stop)(void *), void *stop_context,
                                pipit_error *error) {
    pipit_status s =
        pipit_session_begin(session, tokens, n_tokens, flags, error);
    if (s != PIPIT_OK) return s;
    while ((s = pipit_session_step(session)) == PIPIT_PENDING)
        if (stop && stop(stop_context)) {
            drop_pending(session);
            return pipit_fail(error, PIPIT_E_CANCELLED, PIPIT_NO_OFFSET,
                              "stopped after %u tokens",
                              (uint64_t)session->length);
        }
    return s;
}

pipit_status pipit_session_rewind(pipit_session *session, size_t n) {
    if (!session || n > session->length) return PIPIT_E_ARGUMENT;
    pipit_session *s = session;
    drop_pending(s);
    drop_all_logits(s);
    s->length = s->target = (uint32_t)n;
    if (s->n_cached <= n) return PIPIT_OK;
    s->n_cached = (uint32_t)n;
    uint32_t n_layers = s->model->h.n_layers;
    if (n < pipit_kv_oldest_rewind(&s->kv, n_layers, s->high_water))
        s->n_cached = s->high_water =
            pipit_kv_restore(&s->kv, n_layers, (uint32_t)n);
    return PIPIT_OK;
}

/* ---- adapters ----------------------------------------------------------- */

static pipit_status check_adapter(const pipit_session *s,
                                  pipit_adapter *const *adapters,
                                  const float *scales, size_t i,
                                  pipit_error *error) {
    const pipit_adapter *a = adapters[i];
    const char *why = NULL;
    if (!a || a->model != s->model) why = "is not one of this model";
    for (size_t j = 0; j < i; j++)
        if (adapters[j] == a) why = "is there twice";
    if (!(scales[i] - scales[i] == 0)) why = "has a scale that is not finite";
    if (why)
        return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                          "adapter %u %s", (uint64_t)i, why);
    if (!a->frozen)
        return pipit_fail(error, PIPIT_E_STATE, PIPIT_NO_OFFSET,
                          "adapter %u is not complete", (uint64_t)i);
    return PIPIT_OK;
}

/* The tokens stay. */
static void drop_cache(pipit_session *s) {
    drop_pending(s);
    drop_all_logits(s);
    s->n_cached = s->high_water =
        pipit_kv_restore(&s->kv, s->model->h.n_layers, 0);
}

/* Rows of A that a layer's adapters have before one input, at most. */
static uint32_t widest(const pipit_model *m, const pipit_adaptation *all) {
    uint32_t most = 0;
    for (uint32_t l = 0; l < m->h.n_layers; l++)
        for (uint32_t input = 0; input < PIPIT_N_INPUTS; input++) {
            uint32_t n = 0;
            for (uint32_t i = 0; i < all->n; i++)
                n += pipit_matrix_n_groups(
                         &all->active[i].adapter->packed[l].a[input]) *
                     PIPIT_GROUP_ROWS;
            if (n > most) most = n;
        }
    return most;
}

/* Room for what the A of an adaptation give. */
static pipit_status take_rows(const pipit_session *s, pipit_adaptation *all,
                              pipit_error *error) {
    uint32_t n_threads = pipit_pool_size(s->model->engine->pool);
    size_t row;
    pipit_arena arena = {0};
    all->stride = widest(s->model, all);
    row = all->stride * sizeof(float);
    pipit_arena_take(&arena, s->pass.n_batch, row);
    pipit_arena_take(&arena, n_threads, row);
    size_t bytes = arena.used;
    if (bytes == 0) return PIPIT_OK;
    all->block = arena.overflow ? NULL : pipit_take(s->allocator, bytes);
    if (!all->block)
        return pipit_fail(error, PIPIT_E_MEMORY, PIPIT_NO_OFFSET,
                          "the adapters need %u bytes of memory and can't get "
                          "them",
                          arena.wanted);
    all->block_bytes = bytes;
    arena = (pipit_arena){.base = all->block, .capacity = bytes};
    all->rows = pipit_arena_take(&arena, s->pass.n_batch, row);
    all->own_rows = pipit_arena_take(&arena, n_threads, row);
    return PIPIT_OK;
}

pipit_status pipit_session_set_adapters(pipit_session *session,
                                        pipit_adapter *const *adapters,
                                        const float *scales, size_t n,
                                        pipit_error *error) {
    pipit_session *s = session;
    pipit_adaptation all = {0};
    if (!s || (n > 0 && (!adapters || !scales))) return PIPIT_E_ARGUMENT;
    if (n > PIPIT_MAX_ADAPTERS)
        return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                          "%u adapters, at most %u", (uint64_t)n,
                          (uint64_t)PIPIT_MAX_ADAPTERS);
    for (size_t i = 0; i < n; i++) {
        pipit_status status = check_adapter(s, adapters, scales, i, error);
        if (status != PIPIT_OK) return status;
        if (scales[i] != 0)
            all.active[all.n++] = (pipit_active){adapters[i], scales[i]};
    }
    if (same_adapters(&all, &s->pass.adaptation)) return PIPIT_OK;
    pipit_status status = take_rows(s, &all, error);
    if (status != PIPIT_OK) return status;
    pipit_give(s->allocator, s->pass.adaptation.block,
               s->pass.adaptation.block_bytes);
    s->pass.adaptation = all;
    drop_cache(s);
    return PIPIT_OK;
}

/* Fewer adapters fit where more did. */
static void take_off(pipit_session *s, const pipit_adapter *adapter) {
    pipit_adaptation *all = &s->pass.adaptation;
    uint32_t n = 0;
    for (uint32_t i = 0; i < all->n; i++)
        if (all->active[i].adapter != adapter)
            all->active[n++] = all->active[i];
    if (n == all->n) return;
    all->n = n;
    drop_cache(s);
}

void pipit_adapter_close(pipit_adapter *adapter) {
    if (!adapter) return;
    for (pipit_session *s = adapter->model->sessions; s; s = s->next)
        take_off(s, adapter);
    pipit_adapter_free(adapter);
}

/* ---- the whole timeline ------------------------------------------------- */

static size_t common_length(const pipit_session *s, const uint32_t *tokens,
                            size_t n_tokens) {
    size_t n = 0, most = pipit_min_size(s->length, n_tokens);
    while (n < most && tokens[n] == s->tokens[n]) n++;
    return n;
}

/* Where another session of the model begins with clearly more of the tokens, its
 * keys and values are copied. Returns how many tokens the session then begins
 * with. */
static size_t adopt(pipit_session *s, const uint32_t *tokens, size_t n_tokens,
                    size_t keep) {
    const pipit_session *best = NULL;
    size_t most = pipit_min_size(keep, s->n_cached) + WORTH_COPYING;
    for (pipit_session *o = s->model->sessions; o; o = o->next) {
        size_t n = common_length(o, tokens, n_tokens);
        n = pipit_min_size(n, o->n_cached);
        if (o == s || o->kv.type != s->kv.type || n <= most ||
            !same_adapters(&o->pass.adaptation, &s->pass.adaptation))
            continue;
        best = o;
        most = n;
    }
    if (!best || !pipit_kv_copy(&s->kv, &best->kv, s->model, (uint32_t)most))
        return keep;
    drop_pending(s);
    drop_all_logits(s);
    memcpy(s->tokens, tokens, most * sizeof *tokens);
    s->length = s->target = (uint32_t)most;
    s->n_cached = best->n_cached;
    s->high_water = best->high_water;
    return most;
}

pipit_status pipit_session_sync(pipit_session *session, const uint32_t *tokens,
                                size_t n_tokens, size_t *n_kept,
                                pipit_error *error) {
    if (!session) return PIPIT_E_ARGUMENT;
    pipit_session *s = session;
    pipit_status status = check_tokens(s, 0, tokens, n_tokens, error);
    if (status != PIPIT_OK) return status;
    size_t keep = adopt(s, tokens, n_tokens,
                        common_length(s, tokens, n_tokens));
    bool is_there = keep == n_tokens && keep == s->length &&
                    s->n_logits == 1 && s->target == s->length;
    if (!is_there) {
        if (keep == n_tokens) keep--;
        status = pipit_session_rewind(s, keep);
        if (status != PIPIT_OK) return status;
        begin(s, tokens + keep, n_tokens - keep);
    }
    if (n_kept) *n_kept = pipit_min_size(keep, s->n_cached);
    return PIPIT_OK;
}

size_t pipit_session_length(const pipit_session *session) {
    return session ? session->length : 0;
}

size_t pipit_session_capacity(const pipit_session *session) {
    return session ? session->n_context : 0;
}

void pipit_session_progress(const pipit_session *session, size_t *n_done,
                            size_t *n_total) {
    if (!session) return;
    uint32_t begin_at = session->target > session->length
                            ? pipit_min_u32(session->batch_begin,
                                            session->n_cached)
                            : session->batch_begin;
    *n_total = session->target - begin_at;
    *n_done = session->n_cached - begin_at;
}

const uint32_t *pipit_session_tokens(const pipit_session *session) {
    return session ? session->tokens : NULL;
}

const float *pipit_session_logits(const pipit_session *session, size_t i) {
    if (!session || i >= session->n_logits ||
        session->target != session->length)
        return NULL;
    if (!session->all_logits) return session->last_logits;
    return session->all_logits + i * session->pass.vocab_stride;
}

size_t pipit_session_n_logits(const pipit_session *session) {
    return session ? session->n_logits : 0;
}

uint64_t pipit_session_bytes(const pipit_session *session) {
    if (!session) return 0;
    return session->block_bytes + session->all_logits_bytes +
           session->pass.adaptation.block_bytes;
}

const pipit_model *pipit_session_model(const pipit_session *session) {
    return session->model;
}

const pipit_kernels *pipit_session_kernels(const pipit_session *session) {
    return session->model->engine->kernels;
}

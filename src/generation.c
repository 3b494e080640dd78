/* generation.c — sample, append, repeat. One step makes one token; the token is
 * appended by the step after it, so that the last one never costs a pass. Where
 * several generations step together, what they append is one pass.
 *
 * With a draft, the token goes to the session together with what may follow it,
 * and `rows` hold the logits after each: as long as the sampler picks what the
 * draft says, the next row is already there. */
#include "lookup.h"
#include "sampler.h"
#include "session.h"
#include "text.h"
#include "tokenizer.h"

struct pipit_generation {
    pipit_session *session;
    const pipit_tokenizer *tokenizer;
    const pipit_allocator *allocator;
    size_t block_bytes;
    uint32_t max_tokens, n_logprobs, n_done;
    bool logprobs, ignore_end, finished;
    bool has_next; /* `next` is sampled but not yet in the session */
    uint32_t next;
    uint32_t n_waited; /* common steps since it was last in the pass */
    pipit_lookup lookup;
    float *rows;     /* (max_draft + 1, vocab_stride) */
    size_t stride;
    uint32_t max_draft;
    size_t base;     /* tokens before those of the rows */
    uint32_t n_rows; /* 0: no draft is under way */
    uint32_t row;    /* whose logits are the next to sample from */
    pipit_sampler sampler;
    pipit_text text;
    uint8_t *piece; /* (max_piece) */
    size_t max_piece;
    pipit_logprob *best; /* (n_logprobs) */
};

static pipit_generation *carve(const pipit_generation_options *o,
                               uint32_t n_vocab, size_t max_piece,
                               pipit_arena *arena, pipit_generation *g) {
    pipit_generation *place = pipit_arena_take(arena, 1, sizeof *place);
    pipit_sampler_carve(&o->sampling, n_vocab,
                        pipit_session_kernels(g->session), arena, &g->sampler);
    pipit_text_carve(o->stop, o->n_stop, max_piece, arena, &g->text);
    g->piece = pipit_arena_take(arena, max_piece, 1);
    g->best = pipit_arena_take(arena, o->n_logprobs, sizeof *g->best);
    if (g->max_draft > 0)
        g->rows = pipit_arena_take(arena, g->max_draft + 1,
                                   g->stride * sizeof(float));
    return place;
}

/* The rows of a draft may take some memory, but not much. */
static uint32_t max_draft(size_t stride) {
    size_t fit = ((size_t)8 << 20) / (stride * sizeof(float));
    return fit > PIPIT_MAX_DRAFT ? PIPIT_MAX_DRAFT : fit > 3 ? (uint32_t)fit - 1
                                                             : 0;
}

static pipit_status check_options(const pipit_generation_options *o,
                                  uint32_t n_vocab, pipit_error *error) {
    pipit_status s = pipit_sampling_check(&o->sampling, n_vocab, error);
    if (s != PIPIT_OK) return s;
    if (o->n_logprobs > PIPIT_MAX_LOGPROBS)
        return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                          "at most %u log-probabilities are possible",
                          (uint64_t)PIPIT_MAX_LOGPROBS);
    return pipit_text_check(o->stop, o->n_stop, error);
}

static const float *last_logits(const pipit_session *session) {
    size_t n = pipit_session_n_logits(session);
    return n > 0 ? pipit_session_logits(session, n - 1) : NULL;
}

pipit_status pipit_generation_open(pipit_session *session,
                                   const pipit_tokenizer *tokenizer,
                                   const pipit_generation_options *options,
                                   const pipit_allocator *a,
                                   pipit_generation **out, pipit_error *error) {
    if (!session || !tokenizer || !options || !out) return PIPIT_E_ARGUMENT;
    uint32_t n_vocab = pipit_session_model(session)->h.n_vocab;
    size_t max_piece = pipit_tokenizer_max_piece(tokenizer);
    pipit_status s = check_options(options, n_vocab, error);
    if (s != PIPIT_OK) return s;
    if (!last_logits(session))
        return pipit_fail(error, PIPIT_E_STATE, PIPIT_NO_OFFSET,
                          "the session has no logits: evaluate a prompt first");
    pipit_arena arena = {0};
    pipit_generation g = {.session = session, .tokenizer = tokenizer,
                          .max_tokens = options->max_tokens,
                          .n_logprobs = options->n_logprobs,
                          .logprobs = options->logprobs,
                          .ignore_end = options->ignore_end,
                          .max_piece = max_piece};
    g.stride = pipit_vocab_stride(&pipit_session_model(session)->h);
    g.max_draft = options->lookup ? max_draft(g.stride) : 0;
    pipit_lookup_init(&g.lookup);
    carve(options, n_vocab, max_piece, &arena, &g);
    size_t bytes = arena.used;
    g.allocator = pipit_allocator_or_platform(a);
    g.block_bytes = bytes;
    void *block = arena.overflow ? NULL : pipit_take(g.allocator, bytes);
    arena = (pipit_arena){.base = block, .capacity = bytes};
    if (!arena.base)
        return pipit_fail(error, PIPIT_E_MEMORY, PIPIT_NO_OFFSET,
                          "a generation needs %u bytes of memory and can't get "
                          "them",
                          (uint64_t)bytes);
    pipit_generation *place = carve(options, n_vocab, max_piece, &arena, &g);
    pipit_sampler_reset(&g.sampler);
    for (size_t i = 1; i <= pipit_session_length(session); i++)
        pipit_sampler_accept(&g.sampler, pipit_session_tokens(session), i);
    *place = g;
    *out = place;
    return PIPIT_OK;
}

/* Tokens that have been given out and appended. */
static size_t length_of(const pipit_generation *g) {
    size_t n = pipit_session_length(g->session);
    return g->n_rows > 0 ? g->base + g->row + 1 : n;
}

/* The end of a draft: what was not picked leaves the session. */
static void settle(pipit_generation *g) {
    if (g->n_rows == 0) return;
    pipit_lookup_learn(&g->lookup, g->n_rows - 1, g->row);
    pipit_session_settle(g->session, g->row + 1);
    g->n_rows = 0;
}

void pipit_generation_close(pipit_generation *generation) {
    if (!generation) return;
    settle(generation);
    /* Nobody else is to go on with it. */
    if (pipit_session_is_pending(generation->session))
        pipit_session_rewind(generation->session,
                             pipit_session_length(generation->session));
    pipit_give(generation->allocator, generation, generation->block_bytes);
}

/* The token sampled last and what may follow it, at most `most` tokens. */
static pipit_status begin(pipit_generation *g, uint32_t most) {
    const uint32_t *draft, *history = pipit_session_tokens(g->session);
    size_t n = pipit_session_length(g->session);
    uint32_t tokens[PIPIT_MAX_DRAFT + 1] = {g->next};
    uint32_t n_draft = 0;
    pipit_session_put(g->session, g->next);
    if (most > 0)
        n_draft = pipit_lookup_draft(&g->lookup, history, n + 1, most, &draft);
    if (n_draft == 0)
        return pipit_session_begin(g->session, &g->next, 1, 0, NULL);
    memcpy(tokens + 1, draft, n_draft * sizeof *draft);
    g->base = n;
    g->n_rows = n_draft + 1;
    g->row = 0;
    return pipit_session_begin_rows(g->session, tokens, n_draft + 1, g->rows,
                                    NULL);
}

/* Gives the session the token sampled last, to be evaluated if no draft had
 * it. */
static pipit_status append_next(pipit_generation *g) {
    const uint32_t *tokens = pipit_session_tokens(g->session);
    if (g->finished) return PIPIT_E_STATE;
    if (!g->has_next) return PIPIT_OK;
    size_t n = length_of(g);
    if (g->n_rows > 0 && g->row + 1 < g->n_rows && tokens[n] == g->next) {
        g->row++;
    } else {
        size_t room = pipit_session_capacity(g->session) - n - 1;
        uint32_t left =
            g->max_tokens > 0 ? g->max_tokens - g->n_done - 1 : g->max_draft;
        settle(g);
        left = pipit_min_u32(left, g->max_draft);
        pipit_status s = begin(g, room < left ? (uint32_t)room : left);
        if (s != PIPIT_OK) return s;
    }
    pipit_sampler_accept(&g->sampler, tokens, n + 1);
    g->has_next = false;
    return PIPIT_OK;
}

static const float *next_logits(const pipit_generation *g) {
    const float *last = last_logits(g->session);
    return last && g->n_rows > 0 ? g->rows + g->row * g->stride : last;
}

static pipit_finish finish_of(const pipit_generation *g, uint32_t token) {
    if (!g->ignore_end && pipit_tokenizer_is_end(g->tokenizer, token))
        return PIPIT_FINISH_END;
    if (g->max_tokens > 0 && g->n_done == g->max_tokens)
        return PIPIT_FINISH_LENGTH;
    if (length_of(g) == pipit_session_capacity(g->session))
        return PIPIT_FINISH_CONTEXT;
    return PIPIT_FINISH_NONE;
}

static void take_text(pipit_generation *g, pipit_sampled *out) {
    size_t n = 0;
    if (out->finish != PIPIT_FINISH_END)
        pipit_detokenize(g->tokenizer, &out->token, 1, 0, g->piece,
                         g->max_piece, &n, NULL);
    PIPIT_ASSERT(n <= g->max_piece);
    out->text = pipit_text_push(&g->text, g->piece, n,
                                out->finish != PIPIT_FINISH_NONE);
    if (g->text.stopped) out->finish = PIPIT_FINISH_STOP;
}

/* The next token from the logits that are there. */
static pipit_status pick(pipit_generation *g, pipit_sampled *out) {
    const float *logits = next_logits(g);
    uint32_t n_vocab = g->sampler.n_vocab;
    pipit_sampled sampled = {0};
    pipit_status s;
    if (!logits || g->has_next || g->finished) return PIPIT_E_STATE;
    if ((s = pipit_sampler_pick(&g->sampler, logits, &sampled.token))) return s;
    if (g->logprobs) {
        sampled.logprob = pipit_logprob_of(logits, n_vocab, sampled.token);
        pipit_logprob_best(logits, n_vocab, g->n_logprobs, g->best);
        sampled.best = g->best;
        sampled.n_best = g->n_logprobs;
    }
    g->n_done++;
    sampled.finish = finish_of(g, sampled.token);
    take_text(g, &sampled);
    g->finished = sampled.finish != PIPIT_FINISH_NONE;
    g->has_next = !g->finished;
    g->next = sampled.token;
    if (g->finished) settle(g);
    *out = sampled;
    return PIPIT_OK;
}

pipit_status pipit_generation_step(pipit_generation *generation,
                                   pipit_sampled *out) {
    pipit_status s = PIPIT_E_ARGUMENT;
    if (!generation || !out) return s;
    pipit_generations_step(&generation, 1, out, &s);
    return s;
}

/* Whose pass is next: one under way, else that of who waited longest; n: none
 * is pending. */
static size_t first_of(pipit_generation *const *all, size_t n,
                       const pipit_status *statuses) {
    size_t first = n;
    for (size_t i = 0; i < n; i++) {
        if (statuses[i] != PIPIT_PENDING) continue;
        if (pipit_session_in_batch(all[i]->session)) return i;
        if (first == n || all[i]->n_waited > all[first]->n_waited) first = i;
    }
    return first;
}

/* One step of one pass, for as many of the pending as can share it, in turn. */
static void evaluate(pipit_generation *const *all, size_t n,
                     const pipit_status *statuses) {
    size_t first = first_of(all, n, statuses);
    if (first == n) return;
    for (size_t i = 0; i < n; i++) {
        size_t at = (first + i) % n;
        if (statuses[at] != PIPIT_PENDING) continue;
        pipit_session *session = all[at]->session;
        pipit_session_join(all[first]->session, session);
        all[at]->n_waited =
            pipit_session_in_batch(session) ? 0 : all[at]->n_waited + 1;
    }
    pipit_session_step(all[first]->session);
}

pipit_status pipit_generations_step(pipit_generation *const *generations,
                                    size_t n, pipit_sampled *out,
                                    pipit_status *statuses) {
    if (n > 0 && (!generations || !out || !statuses)) return PIPIT_E_ARGUMENT;
    for (size_t i = 0; i < n; i++) {
        pipit_generation *g = generations[i];
        statuses[i] = g ? append_next(g) : PIPIT_E_ARGUMENT;
        if (statuses[i] == PIPIT_OK && pipit_session_is_pending(g->session))
            statuses[i] = PIPIT_PENDING;
    }
    evaluate(generations, n, statuses);
    for (size_t i = 0; i < n; i++)
        if (statuses[i] >= 0 &&
            !pipit_session_is_pending(generations[i]->session))
            statuses[i] = pick(generations[i], &out[i]);
    return PIPIT_OK;
}

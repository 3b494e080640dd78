/* session.h — one mutable timeline over a model.
 *
 * tokens [0 .. n_cached) have their keys and values in the cache,
 * [0 .. length) is the timeline, [length .. target) is being evaluated.
 * n_cached < length only after a rewind further back than a windowed layer or a
 * convolution remembers: the next evaluation then starts further back. */
#ifndef PIPIT_SESSION_H
#define PIPIT_SESSION_H

#include "forward.h"

/* Bytes of the cache and of all the rest of a session's block, for
 * n_context > 0; they may be more than the address space has. */
void pipit_session_measure(const pipit_hparams *h,
                           const pipit_layer_params *layers,
                           const pipit_kernels *kernels, uint32_t n_threads,
                           const pipit_session_options *options,
                           uint64_t *kv_bytes, uint64_t *scratch_bytes);

/* Like pipit_session_begin with PIPIT_ALL_LOGITS, into rows of the caller's:
 * (n_tokens, pipit_vocab_stride), which must live until the next change. */
pipit_status pipit_session_begin_rows(pipit_session *session,
                                      const uint32_t *tokens, size_t n_tokens,
                                      float *rows, pipit_error *error);
/* A token behind the timeline, where pipit_session_tokens shows it; it is not
 * part of it. There must be room. */
void pipit_session_put(pipit_session *session, uint32_t token);
/* Cuts what the rows were made for after its first n tokens, n > 0, and keeps
 * the logits of the last of them; an evaluation under way is dropped whole. */
void pipit_session_settle(pipit_session *session, uint32_t n);

/* Whether an evaluation is under way, and whether a pass is between two steps of
 * it. */
bool pipit_session_is_pending(const pipit_session *session);
bool pipit_session_in_batch(const pipit_session *session);
/* The pass that is about to do what is pending in `session` takes what is pending
 * in `other` along: then a step of either is one of both. Not where that can't
 * be: the pass is under way or full, or other is in one, of another model or with
 * other adapters. */
void pipit_session_join(pipit_session *session, pipit_session *other);

/* The context an option of 0 stands for, else what was asked. */
uint32_t pipit_session_context(const pipit_hparams *h,
                               const pipit_session_options *options);

/* The model and the arithmetic a session runs on. */
const pipit_model *pipit_session_model(const pipit_session *session);
const pipit_kernels *pipit_session_kernels(const pipit_session *session);

#endif

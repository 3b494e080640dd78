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

/* The context an option of 0 stands for, else what was asked. */
uint32_t pipit_session_context(const pipit_hparams *h,
                               const pipit_session_options *options);

/* The model a session runs on. */
const pipit_model *pipit_session_model(const pipit_session *session);

#endif

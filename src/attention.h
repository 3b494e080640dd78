/* attention.h — the two middle stages of attention, run by every thread of the
 * pool; barriers between stages are the caller's. */
#ifndef PIPIT_ATTENTION_H
#define PIPIT_ATTENTION_H

#include "pass.h"

/* Where norms of queries and keys go over all heads at once: those first. */
void pipit_attention_norm_wide(pipit_pass *pass, uint32_t layer,
                               uint32_t thread, uint32_t n_threads);
/* Queries and keys of the batch get bias, norm and position; keys and values go
 * to the cache. */
void pipit_attention_place(pipit_pass *pass, uint32_t layer, uint32_t thread,
                           uint32_t n_threads);
/* heads = softmax(scale * q . k) v for every query row, causal and windowed. */
void pipit_attention_attend(pipit_pass *pass, uint32_t layer, uint32_t thread,
                            uint32_t n_threads);

#endif

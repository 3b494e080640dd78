/* attention.h — the two middle stages of attention, run by every thread of the
 * pool; barriers between stages are the caller's. */
#ifndef PIPIT_ATTENTION_H
#define PIPIT_ATTENTION_H

#include "stage.h"

/* Where norms of queries and keys go over all heads at once: those first. */
void pipit_attention_norm_wide(const pipit_stage *s);
/* Queries and keys of the batch get bias, norm and position; keys and values go
 * to the cache. */
void pipit_attention_place(const pipit_stage *s);
/* heads = softmax(scale * q . k) v for every query row, causal and windowed; in
 * slices where there is more than one row. */
void pipit_attention_attend(const pipit_stage *s);

#endif

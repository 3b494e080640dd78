/* logits.h — what is asked of a row of logits: the largest, and the shares that
 * pipit_logprob_of and pipit_logprob_best (pipit.h) tell. */
#ifndef PIPIT_LOGITS_H
#define PIPIT_LOGITS_H

#include "base.h"

/* NaN left out; -infinity where there is nothing else. */
float pipit_max_logit(const float *logits, uint32_t n_vocab);

#endif

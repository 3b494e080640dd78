/* mixture.h — a feed-forward network chosen per token from many experts: a
 * router's softmax, its n_experts_used best, weighted by their share among
 * themselves. Only the chosen experts' rows are computed; in a batch the tokens
 * of one expert are multiplied together. */
#ifndef PIPIT_MIXTURE_H
#define PIPIT_MIXTURE_H

#include "stage.h"

void pipit_mixture_feed_forward(const pipit_stage *s, uint32_t layer);

#endif

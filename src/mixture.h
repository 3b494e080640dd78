/* mixture.h — a feed-forward network chosen per token from many experts: a
 * router's softmax, its n_experts_used best, weighted by their share among
 * themselves. Only the chosen experts' rows are computed; in a batch the tokens
 * of one expert are multiplied together. */
#ifndef PIPIT_MIXTURE_H
#define PIPIT_MIXTURE_H

#include "stage.h"

/* The choice of experts, gate and up, in slices of these; down. */
void pipit_mixture_in(const pipit_stage *s);
void pipit_mixture_out(const pipit_stage *s);

#endif

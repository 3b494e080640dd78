/* adamw.h — AdamW (Loshchilov and Hutter, 2019), bias-corrected. */
#ifndef PIPIT_ADAMW_H
#define PIPIT_ADAMW_H

#include "base.h"

typedef struct pipit_adamw {
    float beta1, beta2, epsilon, decay;
    float rate;
    float correction1, correction2; /* 1 / (1 - beta^t) */
    float clip; /* gradients are multiplied by it first */
} pipit_adamw;

/* Corrections of step t, counted from 1. */
void pipit_adamw_at(pipit_adamw *adam, uint64_t step);
/* One update of n parameters x with gradients g and moments m, v. */
void pipit_adamw_update(const pipit_adamw *adam, float *x, const float *g,
                        float *m, float *v, size_t n);
/* Sum of squares, in an order of its own. */
double pipit_sum_of_squares(const float *x, size_t n);

#endif

/* train_row.h — gradients of what is done to one row. */
#ifndef PIPIT_TRAIN_ROW_H
#define PIPIT_TRAIN_ROW_H

#include "base.h"

/* dx += the gradient of x where y = x / sqrt(mean x^2 + eps) * w, given dy. */
void pipit_train_norm_back(const float *x, const float *w, const float *dy,
                           uint32_t n, float eps, float *dx);
/* logits become weight * (softmax - 1 at the answer); returns the answer's loss,
 * -log softmax. softmax: the kernels'. */
double pipit_train_loss_back(float *logits, uint32_t n, uint32_t answer,
                             float weight, float (*softmax)(float *, size_t));

#endif

/* shortconv.h — a gated short convolution in attention's place (LFM2):
 *
 *     b, c, v = conv_in . norm(x)      each (n_embd)
 *     u_t     = b * v
 *     y_t     = sum over j of conv[., j] * u_(t - n_taps + 1 + j)
 *     x      += conv_out . (c * y)
 *
 * channel by channel; u is 0 before the first position. */
#ifndef PIPIT_SHORTCONV_H
#define PIPIT_SHORTCONV_H

#include "stage.h"

void pipit_short_convolution(const pipit_stage *s, uint32_t layer);

#endif

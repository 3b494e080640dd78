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

/* conv_in and the convolution, in slices of conv_in; conv_out. */
void pipit_short_convolution_in(const pipit_stage *s);
void pipit_short_convolution_out(const pipit_stage *s);

#endif

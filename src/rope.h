/* rope.h — rotary position embedding: the angles, and turning a head by them.
 * Su et al., RoFormer (2021); yarn after Peng et al. (2023). Angles are
 * evaluated in double and rounded once. */
#ifndef PIPIT_ROPE_H
#define PIPIT_ROPE_H

#include "model.h"

/* Angle per position of each pair: freqs[n_rot / 2]; *magnitude multiplies cos
 * and sin. windowed: the RoPE of windowed layers. n_context chooses longrope's
 * factors. */
void pipit_rope_freqs(const pipit_model *model, bool windowed,
                      uint32_t n_context, double *freqs, float *magnitude);

/* table[n_rot]: cos, sin of each pair at pos. */
void pipit_rope_table(const double *freqs, float magnitude, uint32_t n_rot,
                      uint32_t pos, float *table);

/* Turns the first n_rot dimensions of one head. */
void pipit_rope_turn(pipit_rope_style style, const float *table, uint32_t n_rot,
                     float *head);

#endif

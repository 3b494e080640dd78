/* train_carve.h — room for a training workspace. */
#ifndef PIPIT_TRAIN_CARVE_H
#define PIPIT_TRAIN_CARVE_H

#include "train.h"

/* The matrix of a layer that a target stands for. */
static inline const pipit_matrix *pipit_train_matrix(const pipit_layer *l,
                                                     pipit_target target) {
    switch (target) {
        case PIPIT_TARGET_Q: return &l->attn_q;
        case PIPIT_TARGET_K: return &l->attn_k;
        case PIPIT_TARGET_V: return &l->attn_v;
        case PIPIT_TARGET_OUTPUT: return &l->attn_output;
        case PIPIT_TARGET_GATE: return &l->ffn_gate;
        case PIPIT_TARGET_UP: return &l->ffn_up;
        default: return &l->ffn_down;
    }
}

/* Takes it from the arena, options being sound; returns the number n of
 * parameters: t->parameters has room for them and two moments of each. */
size_t pipit_train_carve(const pipit_model *model,
                         const pipit_training_options *options,
                         pipit_arena *arena, pipit_train *t);

#endif

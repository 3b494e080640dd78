/* train_carve.h — room for a training workspace. */
#ifndef PIPIT_TRAIN_CARVE_H
#define PIPIT_TRAIN_CARVE_H

#include "train.h"

/* Takes it from the arena, options being sound; returns the number n of
 * parameters: t->parameters has room for them and two moments of each. */
size_t pipit_train_carve(const pipit_model *model,
                         const pipit_training_options *options,
                         pipit_arena *arena, pipit_train *t);

#endif

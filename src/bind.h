/* bind.h — from tensor names to fields: one table of what a model may hold. */
#ifndef PIPIT_BIND_H
#define PIPIT_BIND_H

#include "model.h"

/* A tensor of the file and the field it fills. */
typedef struct pipit_slot {
    const pipit_tensor *tensor;
    pipit_matrix *matrix; /* one of the two */
    float *vector;
} pipit_slot;

/* Walks every tensor that the model needs, checks presence, type and shape, and
 * takes its memory from the arena. While measuring (arena base NULL) model is
 * NULL and slots may be; else fields are set and slots filled in the order of
 * the table. *n_slots counts them, *staging_bytes is the largest piece that
 * must be gathered before it can be repacked. */
pipit_status pipit_bind(const pipit_file *file, const pipit_hparams *h,
                        const pipit_layer_params *layers, pipit_arena *arena,
                        pipit_model *model, pipit_slot *slots, size_t *n_slots,
                        size_t *staging_bytes, pipit_error *error);

#endif

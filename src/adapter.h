/* adapter.h — low-rank additions to a model's matrices (LoRA, FORMAT.md §10):
 * y += scale * (alpha / rank) * B (A x). Frozen once made; f32.
 *
 * Kept twice: as rows, which is how files and training have it, and packed for
 * the kernels, where the A of matrices that read the same input are one matrix:
 *
 *     attention's input   A of q | A of k | A of v     each rounded up to four
 *     feed-forward's      A of gate | A of up          rows of zeros; equal ones
 *     output's, down's    A                            are there only once */
#ifndef PIPIT_ADAPTER_H
#define PIPIT_ADAPTER_H

#include "model.h"

typedef enum pipit_target { /* matrices of a layer that may be adapted */
    PIPIT_TARGET_Q, PIPIT_TARGET_K, PIPIT_TARGET_V, PIPIT_TARGET_OUTPUT,
    PIPIT_TARGET_GATE, PIPIT_TARGET_UP, PIPIT_TARGET_DOWN, PIPIT_N_TARGETS
} pipit_target;

typedef enum pipit_input { /* what they read */
    PIPIT_INPUT_ATTN, PIPIT_INPUT_HEADS, PIPIT_INPUT_FFN, PIPIT_INPUT_DOWN,
    PIPIT_N_INPUTS, PIPIT_INPUT_OTHER = PIPIT_N_INPUTS
} pipit_input;

typedef struct pipit_lora {
    uint32_t rank;        /* 0: this matrix is not adapted */
    uint32_t n_in, n_out; /* columns and rows of the matrix */
    float *a;             /* (rank, n_in) row-major */
    float *b;             /* (n_out, rank) row-major */
} pipit_lora;

typedef struct pipit_packed_lora {
    pipit_matrix a[PIPIT_N_INPUTS];  /* n_rows 0: none */
    pipit_matrix b[PIPIT_N_TARGETS]; /* n_cols: the rank; 0: none */
    uint32_t first[PIPIT_N_TARGETS]; /* where its rows of A begin */
} pipit_packed_lora;

struct pipit_adapter {
    const pipit_model *model;
    float alpha;          /* the scale of a pair is alpha / rank; 0: it is 1 */
    pipit_lora (*layers)[PIPIT_N_TARGETS]; /* (n_layers) */
    pipit_packed_lora *packed;             /* (n_layers), once frozen */
    bool frozen;
    const pipit_allocator *allocator;
    size_t block_bytes;
    pipit_loader *loader; /* while a file is being read */
    bool failed;          /* what was read is of no use */
};

pipit_input pipit_input_of(pipit_target target);
/* Its matrix, NULL where the layer has none of its own (experts, short
 * convolutions). */
const pipit_matrix *pipit_target_matrix(const pipit_model *model,
                                        uint32_t layer, pipit_target target);
/* "attn_q" */
const char *pipit_target_name(pipit_target target);

/* An adapter of zeros with the ranks[layer * PIPIT_N_TARGETS + target], each at
 * most the smaller side of a matrix that is there. The b of q, k and v follow
 * one another, and those of gate and up. */
pipit_status pipit_adapter_make(const pipit_model *model, float alpha,
                                const uint32_t *ranks,
                                const pipit_allocator *a, pipit_adapter **out,
                                pipit_error *error);
/* Fills what the kernels read from the rows: before the first use, and again
 * after they were changed. */
void pipit_adapter_freeze(pipit_adapter *adapter);
/* No session may use it. */
void pipit_adapter_free(pipit_adapter *adapter);
/* PIPIT_E_MODEL naming the tensor that holds a NaN or an infinity. */
pipit_status pipit_adapter_check(const pipit_adapter *adapter,
                                 pipit_error *error);

/* The factor of a pair. */
static inline float pipit_lora_scale(const pipit_adapter *adapter,
                                     uint32_t rank, float scale) {
    return adapter->alpha != 0 ? scale * (adapter->alpha / (float)rank) : scale;
}

#endif

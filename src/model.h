/* model.h — tensors bound once to named, shape-checked fields, so that the
 * forward pass never looks a string up. Weights lie in one block in kernel
 * layout; vectors (norms, biases) are f32. */
#ifndef PIPIT_MODEL_H
#define PIPIT_MODEL_H

#include "arch.h"
#include "arena.h"
#include "kernels/kernels.h"

typedef struct pipit_layer {
    pipit_layer_params params;
    const float *attn_norm;   /* (n_embd) or NULL */
    const float *attn_q_norm; /* (head_dim) or, wide, (n_heads * head_dim) or
                                 NULL */
    const float *attn_k_norm;
    const float *attn_sub_norm; /* (n_heads * head_dim) or NULL */
    const float *attn_qkv_bias; /* as loaded, split into the next three */
    const float *attn_q_bias; /* (n_heads * head_dim) or NULL */
    const float *attn_k_bias; /* (n_kv_heads * head_dim) or NULL */
    const float *attn_v_bias;
    const float *attn_output_bias; /* (n_embd) or NULL */
    const float *attn_post_norm;   /* (n_embd) or NULL */
    const float *ffn_norm;         /* (n_embd) or NULL */
    const float *ffn_sub_norm;     /* (n_ff) or NULL */
    const float *ffn_gate_bias;    /* (n_ff) or NULL */
    const float *ffn_up_bias;
    const float *ffn_down_bias; /* (n_embd) or NULL */
    const float *ffn_post_norm; /* (n_embd) or NULL */
    pipit_matrix attn_qkv;      /* as loaded, split into the next three */
    pipit_matrix attn_q, attn_k, attn_v, attn_output;
    pipit_matrix ffn_gate_up; /* as loaded, split into the next two */
    /* Of experts: one after the other, n_experts times as many rows. */
    pipit_matrix ffn_gate, ffn_up, ffn_down;
    pipit_matrix ffn_router; /* (n_experts rows of n_embd) */
    pipit_matrix conv_in;    /* (3 n_embd rows of n_embd): gate, gate, value */
    pipit_matrix conv_out;   /* (n_embd rows of n_embd) */
    const float *conv;       /* (n_embd, n_taps), the oldest tap first */
} pipit_layer;

typedef struct pipit_loader pipit_loader;

struct pipit_model {
    pipit_hparams h;
    pipit_layer *layers;     /* (n_layers) */
    pipit_matrix token_embd; /* (n_vocab rows of n_embd) */
    pipit_matrix output;     /* token_embd when tied */
    const float *output_norm;
    const float *output_bias;       /* (n_vocab) or NULL */
    const float *rope_freqs;        /* (n_rot / 2) divisors or NULL */
    const float *rope_factors_long; /* likewise, of longrope */
    const float *rope_factors_short;
    pipit_engine *engine;
    const pipit_allocator *allocator;
    uint64_t n_parameters;
    size_t block_bytes;
    pipit_loader *loader; /* NULL once the weights are complete */
    struct pipit_session *sessions; /* open ones, the latest first */
};

/* Whether the loader has seen the last tensor. */
static inline bool pipit_model_is_loaded(const pipit_model *model) {
    return model->loader == NULL;
}

/* Bytes the model's block will take, and of the loader beside it while loading;
 * all that pipit_model_open checks is checked. h and layers (room for
 * PIPIT_MAX_LAYERS) are filled. */
pipit_status pipit_model_measure(const pipit_file *file, pipit_hparams *h,
                                 pipit_layer_params *layers,
                                 uint64_t *weights_bytes,
                                 uint64_t *loader_bytes, pipit_error *error);

#endif

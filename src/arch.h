/* arch.h — 3: architectures as data. A family is a row of the table in arch.c:
 * what it calls its tensors, which of the optional steps of the forward pass it
 * takes, and at most one small function for what does not fit a column. */
#ifndef PIPIT_ARCH_H
#define PIPIT_ARCH_H

#include "gguf.h"

typedef enum pipit_rope_style {
    PIPIT_ROPE_NORM, /* pairs (2i, 2i+1) */
    PIPIT_ROPE_NEOX  /* pairs (i, i + n/2) */
} pipit_rope_style;

typedef enum pipit_rope_scaling {
    PIPIT_ROPE_LINEAR, /* angle / factor; factor 1 is plain RoPE */
    PIPIT_ROPE_YARN,
    PIPIT_ROPE_LONG    /* long or short factors by the session's context */
} pipit_rope_scaling;

#define PIPIT_MAX_LAYERS 512u
#define PIPIT_MAX_HEADS 1024u
#define PIPIT_MAX_EXPERTS 1024u
#define PIPIT_MAX_TAPS 64u

/* One RoPE: base, scaling, magnitude. */
typedef struct pipit_rope_params {
    float base;
    float factor;      /* > 0; positions are divided by it */
    pipit_rope_scaling scaling;
    float attn_factor; /* multiplies cos and sin */
    float beta_fast, beta_slow; /* yarn */
    uint32_t original_context;
} pipit_rope_params;

/* What differs from layer to layer. */
typedef struct pipit_layer_params {
    uint32_t n_kv_heads;
    uint32_t n_ff;
    uint32_t window; /* 0: sees every earlier position */
    bool uses_rope;
    bool windowed_rope; /* takes rope_windowed instead of rope */
    bool is_convolution; /* a short convolution stands for attention */
} pipit_layer_params;

typedef struct pipit_hparams {
    const struct pipit_arch *arch;
    uint32_t n_vocab, n_embd, n_layers, n_context;
    uint32_t n_heads, head_dim, n_rot;
    float norm_eps;
    float embed_scale;    /* 1: embeddings as stored */
    float residual_scale; /* of what a block adds; 1: as it is */
    float logit_scale;    /* 1: as they are */
    float attn_scale;
    float attn_softcap;  /* 0: off */
    float logit_softcap; /* 0: off */
    pipit_rope_params rope, rope_windowed;
    uint32_t n_taps;      /* of a short convolution, this position's included */
    uint32_t n_experts, n_experts_used; /* 0: one feed-forward network */
    float expert_scale;   /* of the experts' sum */
} pipit_hparams;

typedef struct pipit_arch {
    const char *name;         /* general.architecture */
    pipit_rope_style rope;
    const char *output_norm;  /* name of the last norm */
    bool gelu;                /* else SiLU */
    bool qk_norm;             /* per-head norm of q and k before RoPE */
    bool qk_norm_wide;        /* over all heads at once instead */
    bool qk_norm_last;        /* after RoPE instead */
    bool no_pre_norms;        /* attention and FFN read the bare stream */
    bool post_norms;          /* norms on attention and FFN outputs */
    bool sub_norms;           /* norms before attn_output and ffn_down */
    bool scales_embeddings;   /* by sqrt(n_embd) */
    bool fused;               /* attn_qkv, and ffn_up holds gate and up */
    bool convolutions;        /* in layers without KV heads */
    bool experts;
    /* What does not fit a column; NULL: nothing. Called last. */
    pipit_status (*adjust)(const pipit_file *file, pipit_hparams *h,
                           pipit_layer_params *layers, pipit_error *error);
} pipit_arch;

/* NULL when unknown. */
const pipit_arch *pipit_arch_find(pipit_string name);

/* Reads and checks the hyper-parameters: everything but tensor shapes.
 * layers has room for PIPIT_MAX_LAYERS. */
pipit_status pipit_arch_read(const pipit_file *file, pipit_hparams *h,
                             pipit_layer_params *layers, pipit_error *error);

#endif

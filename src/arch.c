/* arch.c — the table of families, and hyper-parameters read by it. Whoever adds
 * a family adds a row here, a case in tests, and nothing else (README.md). */
#include "arch.h"

#include "mathf.h"

#define KEY_BYTES 160u

/* "<arch>.<suffix>" */
typedef struct arch_key {
    char text[KEY_BYTES];
} arch_key;

static arch_key key_of(const pipit_arch *arch, const char *suffix) {
    arch_key key;
    size_t a = strlen(arch->name), s = strlen(suffix);
    PIPIT_ASSERT(a + s + 2 <= KEY_BYTES);
    memcpy(key.text, arch->name, a);
    key.text[a] = '.';
    memcpy(key.text + a + 1, suffix, s + 1);
    return key;
}

static pipit_status read_u32(const pipit_file *f, const pipit_arch *arch,
                             const char *suffix, uint32_t *out,
                             pipit_error *e) {
    return pipit_gguf_u32(f, key_of(arch, suffix).text, out, e);
}

static pipit_status read_f32(const pipit_file *f, const pipit_arch *arch,
                             const char *suffix, float *out, pipit_error *e) {
    pipit_status s = pipit_gguf_f32(f, key_of(arch, suffix).text, out, e);
    if (s != PIPIT_OK) return s;
    if (!(*out > -1e30f && *out < 1e30f))
        return pipit_fail(e, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                          "%s.%s is not a finite number", arch->name, suffix);
    return PIPIT_OK;
}

static pipit_status need_positive(const pipit_file *f, const pipit_arch *arch,
                                  const char *suffix, uint32_t max,
                                  uint32_t *out, pipit_error *e) {
    arch_key key = key_of(arch, suffix);
    pipit_status s = pipit_gguf_need_u32(f, key.text, out, e);
    if (s != PIPIT_OK) return s;
    if (*out == 0 || *out > max)
        return pipit_fail(e, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                          "%s is %u, expected 1 to %u", key.text,
                          (uint64_t)*out, (uint64_t)max);
    return PIPIT_OK;
}

/* A key that may be one number or one per layer. */
static pipit_status read_per_layer(const pipit_file *f, const pipit_hparams *h,
                                   const char *suffix, uint32_t max,
                                   uint32_t *values, pipit_error *e) {
    arch_key key = key_of(h->arch, suffix);
    uint64_t i = pipit_gguf_key(f, key.text);
    pipit_value v;
    if (i == UINT64_MAX) return PIPIT_OK;
    if (pipit_file_value(f, i, &v) != PIPIT_OK) return PIPIT_E_STATE;
    if (v.type == PIPIT_ARRAY && v.n_elements != h->n_layers)
        return pipit_fail(e, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                          "%s has %u elements for %u layers", key.text,
                          v.n_elements, (uint64_t)h->n_layers);
    for (uint32_t l = 0; l < h->n_layers; l++) {
        int64_t n;
        uint64_t j = v.type == PIPIT_ARRAY ? l : 0;
        if (pipit_file_integer(f, i, j, &n) != PIPIT_OK || n < 0 ||
            n > (int64_t)max)
            return pipit_fail(e, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                              "%s is not an integer from 0 to %u", key.text,
                              (uint64_t)max);
        values[l] = (uint32_t)n;
    }
    return PIPIT_OK;
}

static pipit_status read_counts(const pipit_file *f, pipit_hparams *h,
                                pipit_error *e) {
    const pipit_arch *a = h->arch;
    pipit_status s;
    if ((s = need_positive(f, a, "context_length", 1u << 30, &h->n_context,
                           e)) ||
        (s = need_positive(f, a, "embedding_length", 1u << 20, &h->n_embd,
                           e)) ||
        (s = need_positive(f, a, "block_count", PIPIT_MAX_LAYERS, &h->n_layers,
                           e)) ||
        (s = need_positive(f, a, "attention.head_count", PIPIT_MAX_HEADS,
                           &h->n_heads, e)))
        return s;
    if ((s = read_f32(f, a, "attention.layer_norm_rms_epsilon", &h->norm_eps,
                      e)))
        return s;
    if (!(h->norm_eps > 0))
        return pipit_fail(e, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                          "%s.attention.layer_norm_rms_epsilon is missing or "
                          "not positive",
                          a->name);
    return PIPIT_OK;
}

/* Keys that change what a model computes in ways no family here knows: a file
 * that sets one would be answered from wrongly. */
static const char *const unknown_ways[] = {
    "nextn_predict_layers", "attention.clamp_kqv", "attention.max_alibi_bias",
    "attention.temperature_scale"};

static pipit_status refuse_unknown_ways(const pipit_file *f,
                                        const pipit_hparams *h,
                                        pipit_error *e) {
    for (size_t i = 0; i < sizeof unknown_ways / sizeof *unknown_ways; i++) {
        arch_key key = key_of(h->arch, unknown_ways[i]);
        uint64_t at = pipit_gguf_key(f, key.text);
        double value = 1; /* of what is no number */
        if (at == UINT64_MAX) continue;
        (void)pipit_file_real(f, at, 0, &value);
        if (value != 0)
            return pipit_fail(e, PIPIT_E_UNSUPPORTED, PIPIT_NO_OFFSET,
                              "%s is set, which is not supported", key.text);
    }
    return PIPIT_OK;
}

/* n_ff becomes that of one expert. */
static pipit_status read_experts(const pipit_file *f, pipit_hparams *h,
                                 pipit_layer_params *layers, pipit_error *e) {
    const pipit_arch *a = h->arch;
    uint32_t n_ff = 0;
    pipit_status s;
    if (!a->experts) {
        if ((s = read_u32(f, a, "expert_count", &h->n_experts, e))) return s;
        if (h->n_experts > 0)
            return pipit_fail(e, PIPIT_E_UNSUPPORTED, PIPIT_NO_OFFSET,
                              "%s.expert_count is %u: mixtures of experts are "
                              "not supported for this architecture",
                              a->name, (uint64_t)h->n_experts);
        return PIPIT_OK;
    }
    if ((s = need_positive(f, a, "expert_count", PIPIT_MAX_EXPERTS,
                           &h->n_experts, e)) ||
        (s = need_positive(f, a, "expert_used_count", h->n_experts,
                           &h->n_experts_used, e)) ||
        (s = need_positive(f, a, "expert_feed_forward_length", 1u << 24, &n_ff,
                           e)) ||
        (s = read_f32(f, a, "expert_weights_scale", &h->expert_scale, e)))
        return s;
    if (h->expert_scale == 0.0f) h->expert_scale = 1.0f;
    if (n_ff % 4 != 0 || h->n_embd % 4 != 0)
        return pipit_fail(e, PIPIT_E_UNSUPPORTED, PIPIT_NO_OFFSET,
                          "%s: experts of %u x %u, no multiples of 4", a->name,
                          (uint64_t)h->n_embd, (uint64_t)n_ff);
    for (uint32_t l = 0; l < h->n_layers; l++) layers[l].n_ff = n_ff;
    return PIPIT_OK;
}

/* Windowed layers may have heads of their own. */
static pipit_status refuse_other_heads(const pipit_file *f,
                                       const pipit_hparams *h,
                                       pipit_error *e) {
    uint32_t keys = h->head_dim, values = h->head_dim, rot = h->n_rot;
    pipit_status s;
    if ((s = read_u32(f, h->arch, "attention.key_length_swa", &keys, e)) ||
        (s = read_u32(f, h->arch, "attention.value_length_swa", &values, e)) ||
        (s = read_u32(f, h->arch, "rope.dimension_count_swa", &rot, e)))
        return s;
    if (keys != h->head_dim || values != h->head_dim || rot != h->n_rot)
        return pipit_fail(e, PIPIT_E_UNSUPPORTED, PIPIT_NO_OFFSET,
                          "%s: heads of another size in windowed layers are "
                          "not supported",
                          h->arch->name);
    return PIPIT_OK;
}

static pipit_status read_heads(const pipit_file *f, pipit_hparams *h,
                               pipit_error *e) {
    const pipit_arch *a = h->arch;
    pipit_status s;
    uint32_t value_length;
    h->head_dim = h->n_embd / h->n_heads;
    if ((s = read_u32(f, a, "attention.key_length", &h->head_dim, e))) return s;
    value_length = h->head_dim;
    if ((s = read_u32(f, a, "attention.value_length", &value_length, e)))
        return s;
    h->n_rot = h->head_dim;
    if ((s = read_u32(f, a, "rope.dimension_count", &h->n_rot, e))) return s;
    if (h->head_dim == 0 || h->head_dim > 4096 || value_length != h->head_dim)
        return pipit_fail(e, PIPIT_E_UNSUPPORTED, PIPIT_NO_OFFSET,
                          "%s: keys of %u and values of %u dimensions are not "
                          "supported",
                          a->name, (uint64_t)h->head_dim,
                          (uint64_t)value_length);
    if (h->head_dim % 4 != 0)
        return pipit_fail(e, PIPIT_E_UNSUPPORTED, PIPIT_NO_OFFSET,
                          "%s: a head dimension of %u is no multiple of 4",
                          a->name, (uint64_t)h->head_dim);
    if (h->n_rot == 0 || h->n_rot > h->head_dim || h->n_rot % 2 != 0)
        return pipit_fail(e, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                          "%s.rope.dimension_count is %u for heads of %u",
                          a->name, (uint64_t)h->n_rot, (uint64_t)h->head_dim);
    return refuse_other_heads(f, h, e);
}

static pipit_status read_rope_scaling(const pipit_file *f, pipit_hparams *h,
                                      pipit_error *e) {
    pipit_string type = {"linear", 6};
    pipit_status s = pipit_gguf_string(
        f, key_of(h->arch, "rope.scaling.type").text, &type, e);
    if (s != PIPIT_OK) return s;
    h->rope.scaling = PIPIT_ROPE_LINEAR;
    if (pipit_string_is(type, "none"))
        h->rope.factor = 1.0f;
    else if (pipit_string_is(type, "yarn"))
        h->rope.scaling = PIPIT_ROPE_YARN;
    else if (pipit_string_is(type, "longrope"))
        h->rope.scaling = PIPIT_ROPE_LONG;
    else if (!pipit_string_is(type, "linear"))
        return pipit_fail(e, PIPIT_E_UNSUPPORTED, PIPIT_NO_OFFSET,
                          "%s.rope.scaling.type \"%S\" is not supported",
                          h->arch->name, &type);
    return PIPIT_OK;
}

static pipit_status read_rope(const pipit_file *f, pipit_hparams *h,
                              pipit_error *e) {
    const pipit_arch *a = h->arch;
    pipit_rope_params *r = &h->rope;
    pipit_status s;
    *r = (pipit_rope_params){.base = 10000.0f, .factor = 1.0f,
                             .attn_factor = 1.0f, .beta_fast = 32.0f,
                             .beta_slow = 1.0f,
                             .original_context = h->n_context};
    if ((s = read_f32(f, a, "rope.freq_base", &r->base, e)) ||
        (s = read_f32(f, a, "rope.scale_linear", &r->factor, e)) ||
        (s = read_f32(f, a, "rope.scaling.factor", &r->factor, e)) ||
        (s = read_f32(f, a, "rope.scaling.attn_factor", &r->attn_factor, e)) ||
        (s = read_f32(f, a, "rope.scaling.yarn_beta_fast", &r->beta_fast,
                      e)) ||
        (s = read_f32(f, a, "rope.scaling.yarn_beta_slow", &r->beta_slow,
                      e)) ||
        (s = read_u32(f, a, "rope.scaling.original_context_length",
                      &r->original_context, e)) ||
        (s = read_rope_scaling(f, h, e)))
        return s;
    if (r->factor == 0.0f) r->factor = 1.0f; /* writers say 0 for "none" */
    if (!(r->base > 1.0f) || !(r->factor > 0.0f))
        return pipit_fail(e, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                          "%s: RoPE base or scaling factor out of range",
                          a->name);
    if (r->scaling == PIPIT_ROPE_YARN &&
        (!(r->beta_fast > 0.0f) || !(r->beta_slow > 0.0f) ||
         r->original_context == 0))
        return pipit_fail(e, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                          "%s: YaRN's bounds or original context are not "
                          "positive",
                          a->name);
    h->rope_windowed = *r;
    return read_f32(f, a, "rope.freq_base_swa", &h->rope_windowed.base, e);
}

static pipit_status read_layers(const pipit_file *f, pipit_hparams *h,
                                pipit_layer_params *layers, pipit_error *e) {
    uint32_t kv[PIPIT_MAX_LAYERS], ff[PIPIT_MAX_LAYERS];
    pipit_status s;
    for (uint32_t l = 0; l < h->n_layers; l++) {
        kv[l] = h->n_heads;
        ff[l] = 0;
    }
    if ((s = read_per_layer(f, h, "attention.head_count_kv", PIPIT_MAX_HEADS,
                            kv, e)) ||
        (s = read_per_layer(f, h, "feed_forward_length", 1u << 24, ff, e)))
        return s;
    for (uint32_t l = 0; l < h->n_layers; l++) {
        bool is_convolution = h->arch->convolutions && kv[l] == 0;
        if (!is_convolution && (kv[l] == 0 || h->n_heads % kv[l] != 0))
            return pipit_fail(e, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                              "%s: %u heads over %u key-value heads in layer "
                              "%u",
                              h->arch->name, (uint64_t)h->n_heads,
                              (uint64_t)kv[l], (uint64_t)l);
        if (ff[l] == 0 && !h->arch->experts)
            return pipit_fail(e, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                              "%s.feed_forward_length is missing or 0",
                              h->arch->name);
        layers[l] = (pipit_layer_params){
            .n_kv_heads = kv[l], .n_ff = ff[l], .uses_rope = true,
            .is_convolution = is_convolution};
    }
    return PIPIT_OK;
}

/* The last layer of each period sees everything, the others `window`
 * positions. */
static void set_windows(const pipit_hparams *h, pipit_layer_params *layers,
                        uint32_t window, uint32_t period) {
    for (uint32_t l = 0; l < h->n_layers; l++)
        if (window > 0 && period > 0 && l % period < period - 1) {
            layers[l].window = window;
            layers[l].windowed_rope = true;
        }
}

static pipit_status read_windows(const pipit_file *f, const pipit_hparams *h,
                                 pipit_layer_params *layers, uint32_t window,
                                 uint32_t period, pipit_error *e) {
    arch_key key = key_of(h->arch, "attention.sliding_window_pattern");
    uint64_t i = pipit_gguf_key(f, key.text);
    pipit_value v;
    pipit_status s = read_u32(f, h->arch, "attention.sliding_window", &window,
                              e);
    if (s != PIPIT_OK) return s;
    bool per_layer = i != UINT64_MAX && pipit_file_value(f, i, &v) == PIPIT_OK &&
                     v.type == PIPIT_ARRAY;
    if (!per_layer) {
        s = pipit_gguf_u32(f, key.text, &period, e);
        if (s == PIPIT_OK) set_windows(h, layers, window, period);
        return s;
    }
    if (v.n_elements != h->n_layers)
        return pipit_fail(e, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                          "%s has %u elements for %u layers", key.text,
                          v.n_elements, (uint64_t)h->n_layers);
    for (uint32_t l = 0; l < h->n_layers; l++) {
        bool local = false;
        int64_t n;
        if (pipit_file_flag(f, i, l, &local) != PIPIT_OK) {
            if (pipit_file_integer(f, i, l, &n) != PIPIT_OK)
                return pipit_fail(e, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                                  "%s holds neither flags nor integers",
                                  key.text);
            local = n != 0;
        }
        layers[l].window = local ? window : 0;
        layers[l].windowed_rope = local && window > 0;
    }
    return PIPIT_OK;
}

static pipit_status adjust_gemma2(const pipit_file *f, pipit_hparams *h,
                                  pipit_layer_params *layers, pipit_error *e) {
    pipit_status s;
    h->attn_softcap = 50.0f;
    h->logit_softcap = 30.0f;
    if ((s = read_f32(f, h->arch, "attn_logit_softcapping", &h->attn_softcap,
                      e)) ||
        (s = read_f32(f, h->arch, "final_logit_softcapping", &h->logit_softcap,
                      e)))
        return s;
    if (h->n_layers == 46) /* the 27B model scales by the width of a head's
                              share of the embedding */
        h->attn_scale = 1.0f / pipit_sqrtf((float)(h->n_embd / h->n_heads));
    return read_windows(f, h, layers, 4096, 2, e);
}

static pipit_status adjust_gemma3(const pipit_file *f, pipit_hparams *h,
                                  pipit_layer_params *layers, pipit_error *e) {
    pipit_status s;
    float base = 10000.0f;
    if ((s = read_f32(f, h->arch, "final_logit_softcapping", &h->logit_softcap,
                      e)) ||
        (s = read_f32(f, h->arch, "rope.freq_base_swa", &base, e)))
        return s;
    /* Windowed layers were trained at short range: no scaling there. */
    h->rope_windowed = (pipit_rope_params){.base = base, .factor = 1.0f,
                                           .attn_factor = 1.0f};
    if (h->n_layers == 62) /* 27B, as above */
        h->attn_scale = 1.0f / pipit_sqrtf((float)(h->n_embd / h->n_heads));
    return read_windows(f, h, layers, 0, 6, e);
}

static pipit_status adjust_smollm3(const pipit_file *f, pipit_hparams *h,
                                   pipit_layer_params *layers,
                                   pipit_error *e) {
    (void)f;
    (void)e;
    for (uint32_t l = 0; l < h->n_layers; l++)
        layers[l].uses_rope = (l + 1) % 4 != 0;
    return PIPIT_OK;
}

/* Scales at every joint; 0: none. logits: what to divide them by. */
static pipit_status read_scales(const pipit_file *f, pipit_hparams *h,
                                float logits, pipit_error *e) {
    pipit_status s;
    if ((s = read_f32(f, h->arch, "embedding_scale", &h->embed_scale, e)) ||
        (s = read_f32(f, h->arch, "residual_scale", &h->residual_scale, e)) ||
        (s = read_f32(f, h->arch, "logit_scale", &logits, e)))
        return s;
    if (h->embed_scale == 0.0f) h->embed_scale = 1.0f;
    if (h->residual_scale == 0.0f) h->residual_scale = 1.0f;
    if (logits != 0.0f) h->logit_scale = 1.0f / logits;
    return PIPIT_OK;
}

static pipit_status adjust_granite(const pipit_file *f, pipit_hparams *h,
                                   pipit_layer_params *layers,
                                   pipit_error *e) {
    bool turns = true;
    pipit_status s;
    if ((s = read_scales(f, h, 0.0f, e)) ||
        (s = pipit_gguf_bool(f, key_of(h->arch, "rope.scaling.finetuned").text,
                             &turns, e)))
        return s;
    for (uint32_t l = 0; l < h->n_layers; l++) layers[l].uses_rope = turns;
    return PIPIT_OK;
}

/* The first files of the family hold no scales, but mean these. */
static pipit_status adjust_minicpm(const pipit_file *f, pipit_hparams *h,
                                   pipit_layer_params *layers,
                                   pipit_error *e) {
    (void)layers;
    h->embed_scale = 12.0f;
    h->residual_scale = 1.4f / pipit_sqrtf((float)h->n_layers);
    return read_scales(f, h, 256.0f / (float)h->n_embd, e);
}

/* Windowed layers (three of four) turn as trained, without scaling. */
static pipit_status adjust_olmo2(const pipit_file *f, pipit_hparams *h,
                                 pipit_layer_params *layers, pipit_error *e) {
    h->rope_windowed = (pipit_rope_params){.base = h->rope_windowed.base,
                                           .factor = 1.0f,
                                           .attn_factor = 1.0f};
    return read_windows(f, h, layers, 0, 4, e);
}

/* The 32B model has windows in three of four layers, and RoPE only there. */
static pipit_status adjust_exaone4(const pipit_file *f, pipit_hparams *h,
                                   pipit_layer_params *layers,
                                   pipit_error *e) {
    pipit_status s;
    if (h->n_layers != 64) return PIPIT_OK;
    if ((s = read_windows(f, h, layers, 4096, 4, e))) return s;
    for (uint32_t l = 0; l < h->n_layers; l++)
        layers[l].uses_rope = layers[l].window > 0;
    return PIPIT_OK;
}

/* A longer context by a larger base (NTK): base * alpha^(dim / (dim - 2)). */
static pipit_status adjust_hunyuan(const pipit_file *f, pipit_hparams *h,
                                   pipit_layer_params *layers,
                                   pipit_error *e) {
    float alpha = 0;
    (void)layers;
    pipit_status s = read_f32(f, h->arch, "rope.scaling.alpha", &alpha, e);
    if (s == PIPIT_OK && alpha > 0.0f && h->head_dim > 2)
        h->rope.base *= (float)pipit_pow(
            alpha, h->head_dim / (h->head_dim - 2.0));
    return s;
}

static pipit_status adjust_lfm2(const pipit_file *f, pipit_hparams *h,
                                pipit_layer_params *layers, pipit_error *e) {
    uint32_t window = 0;
    pipit_status s = need_positive(f, h->arch, "shortconv.l_cache",
                                   PIPIT_MAX_TAPS, &h->n_taps, e);
    if (s == PIPIT_OK)
        s = read_u32(f, h->arch, "attention.sliding_window", &window, e);
    for (uint32_t l = 0; l < h->n_layers; l++)
        if (!layers[l].is_convolution) layers[l].window = window;
    return s;
}

static const pipit_arch families[] = {
    {.name = "llama", .rope = PIPIT_ROPE_NORM, .output_norm = "output_norm"},
    {.name = "qwen2", .rope = PIPIT_ROPE_NEOX, .output_norm = "output_norm"},
    {.name = "qwen3", .rope = PIPIT_ROPE_NEOX, .output_norm = "output_norm",
     .qk_norm = true},
    {.name = "gemma", .rope = PIPIT_ROPE_NEOX, .output_norm = "output_norm",
     .gelu = true, .scales_embeddings = true},
    {.name = "gemma2", .rope = PIPIT_ROPE_NEOX, .output_norm = "output_norm",
     .gelu = true, .post_norms = true, .scales_embeddings = true,
     .adjust = adjust_gemma2},
    {.name = "gemma3", .rope = PIPIT_ROPE_NEOX, .output_norm = "output_norm",
     .gelu = true, .post_norms = true, .scales_embeddings = true,
     .qk_norm = true, .adjust = adjust_gemma3},
    {.name = "phi3", .rope = PIPIT_ROPE_NEOX, .output_norm = "output_norm",
     .fused = true},
    {.name = "smollm3", .rope = PIPIT_ROPE_NORM, .output_norm = "output_norm",
     .adjust = adjust_smollm3},
    {.name = "granite", .rope = PIPIT_ROPE_NORM, .output_norm = "output_norm",
     .adjust = adjust_granite},
    {.name = "minicpm", .rope = PIPIT_ROPE_NORM,
     .output_norm = "output_norm", .adjust = adjust_minicpm},
    {.name = "internlm2", .rope = PIPIT_ROPE_NORM,
     .output_norm = "output_norm"},
    {.name = "olmo2", .rope = PIPIT_ROPE_NEOX, .output_norm = "output_norm",
     .no_pre_norms = true, .post_norms = true, .qk_norm = true,
     .qk_norm_wide = true, .adjust = adjust_olmo2},
    {.name = "ernie4_5", .rope = PIPIT_ROPE_NORM,
     .output_norm = "output_norm"},
    {.name = "hunyuan-dense", .rope = PIPIT_ROPE_NEOX,
     .output_norm = "output_norm", .qk_norm = true, .qk_norm_last = true,
     .adjust = adjust_hunyuan},
    {.name = "exaone", .rope = PIPIT_ROPE_NEOX, .output_norm = "output_norm"},
    {.name = "exaone4", .rope = PIPIT_ROPE_NEOX, .output_norm = "output_norm",
     .no_pre_norms = true, .post_norms = true, .qk_norm = true,
     .adjust = adjust_exaone4},
    {.name = "bitnet", .rope = PIPIT_ROPE_NEOX, .output_norm = "output_norm",
     .sub_norms = true},
    {.name = "lfm2", .rope = PIPIT_ROPE_NEOX, .output_norm = "token_embd_norm",
     .qk_norm = true, .convolutions = true, .adjust = adjust_lfm2},
    {.name = "qwen3moe", .rope = PIPIT_ROPE_NEOX,
     .output_norm = "output_norm", .qk_norm = true, .experts = true},
};

const pipit_arch *pipit_arch_find(pipit_string name) {
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (pipit_string_is(name, families[i].name)) return &families[i];
    return NULL;
}

static pipit_status find_family(const pipit_file *f, pipit_hparams *h,
                                pipit_error *e) {
    pipit_string name = {"", 0}, type = {"model", 5};
    pipit_status s;
    if ((s = pipit_gguf_string(f, "general.type", &type, e)) ||
        (s = pipit_gguf_string(f, "general.architecture", &name, e)))
        return s;
    if (!pipit_string_is(type, "model"))
        return pipit_fail(e, PIPIT_E_UNSUPPORTED, PIPIT_NO_OFFSET,
                          "general.type is \"%S\", not \"model\"", &type);
    if (name.n_bytes == 0)
        return pipit_fail(e, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                          "missing key general.architecture");
    h->arch = pipit_arch_find(name);
    if (!h->arch)
        return pipit_fail(e, PIPIT_E_UNSUPPORTED, PIPIT_NO_OFFSET,
                          "architecture \"%S\" is not supported", &name);
    return PIPIT_OK;
}

static pipit_status read_vocab_size(const pipit_file *f, pipit_hparams *h,
                                    pipit_error *e) {
    pipit_gguf_array tokens;
    pipit_status s =
        pipit_gguf_array_of(f, "tokenizer.ggml.tokens", PIPIT_STRING, &tokens,
                            e);
    if (s != PIPIT_OK) return s;
    h->n_vocab = (uint32_t)tokens.n; /* below 2^30: the parser's limit */
    if (tokens.n == 0 && (s = read_u32(f, h->arch, "vocab_size", &h->n_vocab,
                                       e)))
        return s;
    if (h->n_vocab == 0)
        return pipit_fail(e, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                          "neither tokenizer.ggml.tokens nor %s.vocab_size "
                          "says the size of the vocabulary",
                          h->arch->name);
    return PIPIT_OK;
}

/* After what a family made of them. */
static pipit_status check_bases(const pipit_hparams *h, pipit_error *e) {
    float a = h->rope.base, b = h->rope_windowed.base;
    if (a > 1.0f && b > 1.0f && a < 1e30f && b < 1e30f) return PIPIT_OK;
    return pipit_fail(e, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                      "%s: a RoPE base is out of range", h->arch->name);
}

pipit_status pipit_arch_read(const pipit_file *file, pipit_hparams *h,
                             pipit_layer_params *layers, pipit_error *error) {
    pipit_status s;
    memset(h, 0, sizeof *h);
    if ((s = find_family(file, h, error)) ||
        (s = read_counts(file, h, error)) ||
        (s = read_vocab_size(file, h, error)) ||
        (s = read_heads(file, h, error)) || (s = read_rope(file, h, error)) ||
        (s = read_layers(file, h, layers, error)) ||
        (s = read_experts(file, h, layers, error)) ||
        (s = refuse_unknown_ways(file, h, error)))
        return s;
    h->residual_scale = h->logit_scale = 1.0f;
    h->embed_scale =
        h->arch->scales_embeddings ? pipit_sqrtf((float)h->n_embd) : 1.0f;
    h->attn_scale = 1.0f / pipit_sqrtf((float)h->head_dim);
    if ((s = read_f32(file, h->arch, "attention.scale", &h->attn_scale,
                      error)))
        return s;
    if (h->attn_scale == 0.0f)
        h->attn_scale = 1.0f / pipit_sqrtf((float)h->head_dim);
    if (h->arch->adjust && (s = h->arch->adjust(file, h, layers, error)))
        return s;
    return check_bases(h, error);
}

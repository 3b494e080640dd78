/* arch.c — the table of families, and hyper-parameters read by it. Whoever adds
 * a family adds a row, a case in tests/golden, and nothing else. */
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
    uint32_t n_experts = 0;
    if ((s = read_u32(f, a, "expert_count", &n_experts, e))) return s;
    if (n_experts > 0)
        return pipit_fail(e, PIPIT_E_UNSUPPORTED, PIPIT_NO_OFFSET,
                          "%s.expert_count is %u: mixtures of experts are not "
                          "supported for this architecture",
                          a->name, (uint64_t)n_experts);
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
    return PIPIT_OK;
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
        if (kv[l] == 0 || h->n_heads % kv[l] != 0)
            return pipit_fail(e, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                              "%s: %u heads over %u key-value heads in layer "
                              "%u",
                              h->arch->name, (uint64_t)h->n_heads,
                              (uint64_t)kv[l], (uint64_t)l);
        if (ff[l] == 0)
            return pipit_fail(e, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                              "%s.feed_forward_length is missing or 0",
                              h->arch->name);
        layers[l] = (pipit_layer_params){
            .n_kv_heads = kv[l], .n_ff = ff[l], .uses_rope = true};
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

pipit_status pipit_arch_read(const pipit_file *file, pipit_hparams *h,
                             pipit_layer_params *layers, pipit_error *error) {
    pipit_status s;
    memset(h, 0, sizeof *h);
    if ((s = find_family(file, h, error)) ||
        (s = read_counts(file, h, error)) ||
        (s = read_vocab_size(file, h, error)) ||
        (s = read_heads(file, h, error)) || (s = read_rope(file, h, error)) ||
        (s = read_layers(file, h, layers, error)))
        return s;
    h->embed_scale =
        h->arch->scales_embeddings ? pipit_sqrtf((float)h->n_embd) : 1.0f;
    h->attn_scale = 1.0f / pipit_sqrtf((float)h->head_dim);
    if ((s = read_f32(file, h->arch, "attention.scale", &h->attn_scale,
                      error)))
        return s;
    if (h->attn_scale == 0.0f)
        h->attn_scale = 1.0f / pipit_sqrtf((float)h->head_dim);
    return h->arch->adjust ? h->arch->adjust(file, h, layers, error) : PIPIT_OK;
}

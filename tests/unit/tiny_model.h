/* tiny_model.h — a whole model in memory, written byte by byte: F32 weights from
 * a seed, one token per vocabulary entry, any of the families that the options
 * can say. */
#ifndef PIPIT_TINY_MODEL_H
#define PIPIT_TINY_MODEL_H

#include "gguf_blob.h"
#include "rng.h"

typedef struct tiny_options {
    const char *arch; /* NULL: llama */
    uint32_t n_layers, n_embd, n_heads, n_kv_heads, n_ff, n_vocab, n_context;
    uint32_t window; /* gemma2, gemma3, olmo2: 0 for none */
    float softcap;   /* gemma2: of logits; of scores a fifth */
    const char *without;    /* a tensor left out */
    const char *misshapen;  /* a tensor with a row too many */
    const char *other_type; /* a tensor of type Q8_K's neighbour IQ2_XXS */
    bool backwards;         /* data in the reverse order of the directory */
    uint32_t part, n_parts; /* of a split model; n_parts 0: in one file */
} tiny_options;

enum { TINY_LAYERS = 3, TINY_EMBD = 32, TINY_VOCAB = 50, TINY_CONTEXT = 192 };

static inline tiny_options tiny_defaults(void) {
    return (tiny_options){.n_layers = TINY_LAYERS, .n_embd = TINY_EMBD,
                          .n_heads = 4, .n_kv_heads = 2, .n_ff = 48,
                          .n_vocab = TINY_VOCAB, .n_context = TINY_CONTEXT};
}

typedef struct tiny_tensor {
    char name[64];
    uint64_t cols, rows, offset;
} tiny_tensor;

typedef struct tiny_writer {
    const tiny_options *o;
    tiny_tensor tensors[256];
    size_t n;
} tiny_writer;

static inline void tiny_add(tiny_writer *w, const char *name, uint64_t cols,
                            uint64_t rows) {
    tiny_tensor *t = &w->tensors[w->n];
    if (w->o->without && strcmp(w->o->without, name) == 0) return;
    snprintf(t->name, sizeof t->name, "%s", name);
    t->cols = cols;
    t->rows = rows + (w->o->misshapen && strcmp(w->o->misshapen, name) == 0);
    w->n++;
}

/* Whether words, with spaces between, hold the family's name. */
static inline bool tiny_is_one_of(const char *arch, const char *words) {
    size_t n = strlen(arch);
    for (const char *at = words; (at = strstr(at, arch)); at += n)
        if ((at == words || at[-1] == ' ') && (!at[n] || at[n] == ' '))
            return true;
    return false;
}

static inline void tiny_add_layer(tiny_writer *w, uint32_t l) {
    const tiny_options *o = w->o;
    uint64_t e = o->n_embd, d = o->n_heads ? e / o->n_heads : 4;
    uint64_t kv = o->n_kv_heads * d;
    const char *arch = o->arch ? o->arch : "llama";
    bool gemma = tiny_is_one_of(arch, "gemma2 gemma3");
    bool bare = tiny_is_one_of(arch, "olmo2 exaone4");
    bool wide = tiny_is_one_of(arch, "olmo2");
    bool qk_norm = tiny_is_one_of(
        arch, "gemma3 qwen3 olmo2 exaone4 hunyuan-dense");
    bool sub = tiny_is_one_of(arch, "bitnet");
    bool fused = tiny_is_one_of(arch, "phi3");
    const struct {
        const char *name;
        uint64_t cols, rows;
        bool is_there;
    } all[] = {{"attn_norm", e, 1, !bare},
               {"attn_q", e, e, !fused},
               {"attn_k", e, kv, !fused},
               {"attn_v", e, kv, !fused},
               {"attn_qkv", e, e + 2 * kv, fused},
               {"attn_output", e, e, true},
               {"attn_q_norm", wide ? e : d, 1, qk_norm},
               {"attn_k_norm", wide ? kv : d, 1, qk_norm},
               {"attn_sub_norm", e, 1, sub},
               {"post_attention_norm", e, 1, gemma || bare},
               {"ffn_norm", e, 1, !bare},
               {"ffn_gate", e, o->n_ff, !fused},
               {"ffn_up", e, (fused ? 2u : 1u) * o->n_ff, true},
               {"ffn_sub_norm", o->n_ff, 1, sub},
               {"ffn_down", o->n_ff, e, true},
               {"post_ffw_norm", e, 1, gemma || bare}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%u.%s.weight", l, all[i].name);
        if (all[i].is_there) tiny_add(w, name, all[i].cols, all[i].rows);
    }
}

static inline void tiny_put_keys(const tiny_options *o, const char *arch) {
    const struct {
        const char *name;
        uint32_t value;
    } counts[] = {{"context_length", o->n_context},
                  {"embedding_length", o->n_embd},
                  {"block_count", o->n_layers},
                  {"feed_forward_length", o->n_ff},
                  {"attention.head_count", o->n_heads},
                  {"attention.head_count_kv", o->n_kv_heads},
                  {"attention.sliding_window", o->window}};
    put_key("general.architecture", PIPIT_STRING), put_text(arch);
    for (size_t i = 0; i < 7; i++) {
        char key[96];
        snprintf(key, sizeof key, "%s.%s", arch, counts[i].name);
        put_key(key, PIPIT_U32), put_u32(counts[i].value);
    }
    char key[96];
    snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", arch);
    put_key(key, PIPIT_F32), put_f32(1e-5f);
    const char *caps[] = {"attn", "final"};
    for (int i = 0; i < 2 && o->softcap > 0; i++) {
        snprintf(key, sizeof key, "%s.%s_logit_softcapping", arch, caps[i]);
        put_key(key, PIPIT_F32), put_f32(i == 0 ? o->softcap / 5 : o->softcap);
    }
    snprintf(key, sizeof key, "%s.rope.freq_base_swa", arch);
    put_key(key, PIPIT_F32), put_f32(1000.0f);
    put_key("tokenizer.ggml.model", PIPIT_STRING), put_text("gpt2");
    put_key("tokenizer.ggml.pre", PIPIT_STRING), put_text("gpt-2");
    put_key("tokenizer.ggml.eos_token_id", PIPIT_U32);
    put_u32(o->n_vocab - 1);
    put_array("tokenizer.ggml.token_type", PIPIT_I32, o->n_vocab);
    for (uint32_t i = 0; i < o->n_vocab; i++)
        put_u32(i + 1 < o->n_vocab ? 1 : 3); /* the last one ends answers */
    put_array("tokenizer.ggml.merges", PIPIT_STRING, 0);
    put_array("tokenizer.ggml.tokens", PIPIT_STRING, o->n_vocab);
    for (uint32_t i = 0; i < o->n_vocab; i++) {
        char token[16];
        snprintf(token, sizeof token, "t%u", i);
        put_text(token);
    }
}

/* The file, in `blob`; returns where the data begins. */
static inline size_t tiny_write(const tiny_options *o) {
    static tiny_writer w;
    pipit_rng rng;
    const char *arch = o->arch ? o->arch : "llama";
    w = (tiny_writer){.o = o};
    pipit_rng_seed(&rng, 42);
    tiny_add(&w, "token_embd.weight", o->n_embd, o->n_vocab);
    for (uint32_t l = 0; l < o->n_layers; l++) tiny_add_layer(&w, l);
    tiny_add(&w, "output_norm.weight", o->n_embd, 1);
    uint64_t at = 0;
    for (size_t i = 0; i < w.n; i++) {
        tiny_tensor *t = &w.tensors[o->backwards ? w.n - 1 - i : i];
        t->offset = at;
        at += (t->cols * t->rows * 4 + 31) / 32 * 32;
    }
    uint32_t n_parts = o->n_parts ? o->n_parts : 1;
    size_t first = w.n * o->part / n_parts;
    size_t end = w.n * (o->part + 1) / n_parts;
    uint64_t begins = w.tensors[first].offset;
    uint64_t ends = end < w.n ? w.tensors[end].offset : at;
    uint32_t n_keys = o->softcap > 0 ? 19 : 17;
    begin(end - first, (o->part == 0 ? n_keys : 0u) + (o->n_parts ? 3u : 0u));
    if (o->n_parts) {
        put_key("split.no", PIPIT_U16), put_u16((uint16_t)o->part);
        put_key("split.count", PIPIT_U16), put_u16((uint16_t)o->n_parts);
        put_key("split.tensors.count", PIPIT_I32), put_u32((uint32_t)w.n);
    }
    if (o->part == 0) {
        put_key("general.alignment", PIPIT_U32), put_u32(32);
        tiny_put_keys(o, arch);
    }
    for (size_t i = first; i < end; i++) {
        const tiny_tensor *t = &w.tensors[i];
        bool odd = o->other_type && strcmp(o->other_type, t->name) == 0;
        put_tensor(t->name, odd ? 256 : t->cols, t->rows, odd ? 16 : 0,
                   t->offset - (o->n_parts ? begins : 0));
    }
    pad(32);
    size_t data = blob.n;
    for (size_t i = 0; i < at / 4; i++) {
        float v = (float)(pipit_rng_unit(&rng) - 0.5) * 0.8f;
        if (!o->n_parts || (i >= begins / 4 && i < ends / 4)) put_f32(v);
    }
    return data;
}

/* What is open over a tiny model. */
typedef struct tiny {
    pipit_file *file;
    pipit_engine *engine;
    pipit_model *model;
} tiny;

static inline void tiny_close(tiny *t) {
    pipit_model_close(t->model);
    pipit_engine_close(t->engine);
    pipit_file_close(t->file);
    *t = (tiny){0};
}

/* Opens and loads what `blob` holds, in pieces of so many bytes. */
static inline pipit_status tiny_load(uint32_t n_threads, const char *kernels,
                                     size_t piece, const pipit_allocator *a,
                                     tiny *t, pipit_error *error) {
    size_t taken;
    pipit_status s;
    *t = (tiny){0};
    if ((s = pipit_file_open(blob.n, a, &t->file))) return s;
    if ((s = pipit_file_feed(t->file, blob.bytes, blob.n, &taken, error)))
        return s;
    if ((s = pipit_engine_open(n_threads, kernels, a, &t->engine))) return s;
    if ((s = pipit_model_open(t->file, t->engine, a, &t->model, error)))
        return s;
    for (size_t at = taken; at < blob.n; at += piece) {
        size_t n = blob.n - at < piece ? blob.n - at : piece;
        s = pipit_model_feed(t->model, blob.bytes + at, n, error);
        if (s < 0) return s;
    }
    return pipit_model_end(t->model, error);
}

/* The default tiny model, one thread, scalar. */
static inline tiny tiny_open(const tiny_options *o) {
    tiny t;
    pipit_error error = {0};
    tiny_write(o);
    if (!CHECK(tiny_load(1, "scalar", SIZE_MAX / 2, NULL, &t, &error) ==
               PIPIT_OK))
        printf("  %s\n", error.message);
    return t;
}

static inline pipit_session *tiny_session(tiny *t, uint32_t n_context) {
    pipit_session_options o = {.n_context = n_context};
    pipit_session *session = NULL;
    CHECK(pipit_session_open(t->model, &o, NULL, &session, NULL) == PIPIT_OK);
    return session;
}

static inline void tiny_tokens(uint32_t *tokens, size_t n) {
    for (size_t i = 0; i < n; i++)
        tokens[i] = (uint32_t)(i * 7 + i * i % 11) % TINY_VOCAB;
}

#endif

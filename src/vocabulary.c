#include "vocabulary.h"

/* ---- hashing ----------------------------------------------------------- */

static uint64_t mix(uint64_t h) {
    h ^= h >> 32;
    h *= 0x9FB21C651E98DF25u;
    h ^= h >> 29;
    h *= 0xD6E8FEB86659FD93u;
    return h ^ h >> 32;
}

uint64_t pipit_hash_bytes(uint64_t seed, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    uint64_t h = mix(seed + n), tail = 0;
    for (; n >= 8; p += 8, n -= 8) {
        h = (h ^ pipit_load_u64(p)) * 0x9FB21C651E98DF25u;
        h ^= h >> 29;
    }
    if (n >= 4)
        tail = pipit_load_u32(p) | (uint64_t)pipit_load_u32(p + n - 4) << 32;
    else if (n > 0)
        tail = p[0] | (uint64_t)p[n / 2] << 8 | (uint64_t)p[n - 1] << 16;
    return mix(h ^ tail);
}

uint64_t pipit_hash_pair(uint64_t seed, uint32_t a, uint32_t b) {
    return mix((((uint64_t)a << 32 | b) + seed) * (seed | 1));
}

uint32_t pipit_hash_slots(uint32_t n) {
    uint32_t slots = 16;
    while (slots / 3 * 2 < n && slots < 1u << 31) slots *= 2;
    return slots;
}

/* ---- reading ----------------------------------------------------------- */

pipit_status pipit_vocabulary_array(const pipit_file *file, const char *key,
                                    uint64_t n_least, pipit_gguf_array *out,
                                    pipit_error *error) {
    if (pipit_gguf_array_any(file, key, out, NULL) != PIPIT_OK)
        return pipit_fail(error, PIPIT_E_VOCABULARY, PIPIT_NO_OFFSET,
                          "key %s is no array", key);
    if (out->index != UINT64_MAX && out->n < n_least)
        return pipit_fail(error, PIPIT_E_VOCABULARY, PIPIT_NO_OFFSET,
                          "key %s has %u elements for %u tokens", key, out->n,
                          n_least);
    return PIPIT_OK;
}

static pipit_status wrong_elements(const char *key, pipit_error *error) {
    return pipit_fail(error, PIPIT_E_VOCABULARY, PIPIT_NO_OFFSET,
                      "key %s has elements of the wrong type", key);
}

static pipit_status read_texts(pipit_vocabulary *v, pipit_error *error) {
    const char *key = "tokenizer.ggml.tokens";
    pipit_status s = pipit_vocabulary_array(v->file, key, 0, &v->texts, error);
    if (s != PIPIT_OK) return s;
    if (v->texts.n == 0)
        return pipit_fail(error, PIPIT_E_VOCABULARY, PIPIT_NO_OFFSET,
                          "key %s is missing or empty", key);
    if (v->texts.type != PIPIT_STRING) return wrong_elements(key, error);
    /* Ids must fit 31 bits; headers are too small for more anyway. */
    if (v->texts.n > INT32_MAX)
        return pipit_fail(error, PIPIT_E_VOCABULARY, PIPIT_NO_OFFSET,
                          "key %s has %u tokens", key, v->texts.n);
    v->n_tokens = (uint32_t)v->texts.n;
    v->max_bytes = 1;
    for (uint32_t i = 0; i < v->n_tokens; i++) {
        size_t n = pipit_vocabulary_text(v, i).n_bytes;
        if (n > PIPIT_MAX_TOKEN_BYTES)
            return pipit_fail(error, PIPIT_E_VOCABULARY, PIPIT_NO_OFFSET,
                              "token %u of key %s is %u bytes long, more than "
                              "%u",
                              (uint64_t)i, key, (uint64_t)n,
                              (uint64_t)PIPIT_MAX_TOKEN_BYTES);
        if (n > v->max_bytes) v->max_bytes = (uint32_t)n;
    }
    return PIPIT_OK;
}

pipit_status pipit_vocabulary_read(const pipit_file *file, pipit_vocabulary *v,
                                   pipit_error *error) {
    const char *types = "tokenizer.ggml.token_type";
    const char *scores = "tokenizer.ggml.scores";
    *v = (pipit_vocabulary){.file = file};
    pipit_status s = read_texts(v, error);
    if (s != PIPIT_OK) return s;
    s = pipit_vocabulary_array(file, types, v->n_tokens, &v->types, error);
    if (s != PIPIT_OK) return s;
    if (v->types.bytes && v->types.type != PIPIT_I32 &&
        v->types.type != PIPIT_U32)
        return wrong_elements(types, error);
    s = pipit_vocabulary_array(file, scores, v->n_tokens, &v->scores, error);
    if (s != PIPIT_OK) return s;
    if (v->scores.index != UINT64_MAX && v->scores.type != PIPIT_F32 &&
        v->scores.type != PIPIT_I32)
        return wrong_elements(scores, error);
    if (v->types.index != UINT64_MAX && !v->types.bytes)
        return wrong_elements(types, error);
    v->n_slots = pipit_hash_slots(v->n_tokens);
    return PIPIT_OK;
}

void pipit_vocabulary_carve(pipit_arena *arena, pipit_vocabulary *v) {
    v->kinds = pipit_arena_take(arena, v->n_tokens, 1);
    v->is_end = pipit_arena_take(arena, v->n_tokens, 1);
    v->slots = pipit_arena_take(arena, v->n_slots, sizeof *v->slots);
}

/* ---- building ---------------------------------------------------------- */

static bool is_text(const pipit_vocabulary *v, uint32_t token,
                    const void *text, size_t n) {
    pipit_string there = pipit_vocabulary_text(v, token);
    return there.n_bytes == n && memcmp(there.bytes, text, n) == 0;
}

/* false: too many probes. */
static bool insert(pipit_vocabulary *v, uint32_t token) {
    pipit_string text = pipit_vocabulary_text(v, token);
    uint64_t h = pipit_hash_bytes(v->seed, text.bytes, text.n_bytes);
    uint32_t tag = (uint32_t)(h >> 32);
    if (text.n_bytes == 0) return true;
    for (uint32_t i = 0; i < PIPIT_MAX_PROBES; i++) {
        pipit_text_slot *slot = &v->slots[(h + i) & (v->n_slots - 1)];
        bool same = slot->token != PIPIT_NO_TOKEN && slot->tag == tag &&
                    is_text(v, slot->token, text.bytes, text.n_bytes);
        if (slot->token != PIPIT_NO_TOKEN && !same) continue;
        *slot = (pipit_text_slot){token, tag};
        return true;
    }
    return false;
}

static bool insert_all(pipit_vocabulary *v) {
    memset(v->slots, 0xFF, v->n_slots * sizeof *v->slots);
    for (uint32_t i = 0; i < v->n_tokens; i++)
        if (!insert(v, i)) return false;
    return true;
}

pipit_status pipit_vocabulary_build(pipit_vocabulary *v, pipit_error *error) {
    for (uint32_t i = 0; i < v->n_tokens; i++)
        v->kinds[i] = (uint8_t)pipit_vocabulary_file_kind(v, i);
    memset(v->is_end, 0, v->n_tokens);
    for (v->seed = 1; !insert_all(v); v->seed++)
        if (v->seed == PIPIT_MAX_SEEDS)
            return pipit_fail(error, PIPIT_E_VOCABULARY, PIPIT_NO_OFFSET,
                              "key tokenizer.ggml.tokens has texts that "
                              "collide");
    return PIPIT_OK;
}

/* ---- questions --------------------------------------------------------- */

uint32_t pipit_vocabulary_find(const pipit_vocabulary *v, const void *text,
                               size_t n) {
    if (n == 0 || n > v->max_bytes) return PIPIT_NO_TOKEN;
    uint64_t h = pipit_hash_bytes(v->seed, text, n);
    for (uint32_t i = 0; i < PIPIT_MAX_PROBES; i++) {
        pipit_text_slot slot = v->slots[(h + i) & (v->n_slots - 1)];
        if (slot.token == PIPIT_NO_TOKEN) break;
        if (slot.tag == (uint32_t)(h >> 32) && is_text(v, slot.token, text, n))
            return slot.token;
    }
    return PIPIT_NO_TOKEN;
}

float pipit_vocabulary_score(const pipit_vocabulary *v, uint32_t token) {
    if (!v->scores.bytes) return 0;
    const uint8_t *at = v->scores.bytes + (size_t)token * 4;
    if (v->scores.type == PIPIT_I32)
        return (float)(int32_t)pipit_load_u32(at);
    return pipit_load_f32(at);
}

pipit_token_kind pipit_vocabulary_file_kind(const pipit_vocabulary *v,
                                            uint32_t token) {
    if (!v->types.bytes) return PIPIT_TOKEN_NORMAL;
    uint32_t kind = pipit_load_u32(v->types.bytes + (size_t)token * 4);
    return kind <= PIPIT_TOKEN_BYTE ? (pipit_token_kind)kind
                                    : PIPIT_TOKEN_UNDEFINED;
}

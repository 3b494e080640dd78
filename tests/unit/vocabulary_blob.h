/* vocabulary_blob.h — small vocabularies as headers: a struct of C strings
 * becomes a file, the file a tokenizer. */
#ifndef PIPIT_VOCABULARY_BLOB_H
#define PIPIT_VOCABULARY_BLOB_H

#include "check.h"
#include "gguf_blob.h"
#include "tokenizer.h"

typedef struct vocabulary {
    const char *model, *pre, *name; /* NULL: no such key */
    const char *const *tokens;      /* NULL at the end, as are merges */
    const char *const *merges;
    const int32_t *kinds; /* by token; NULL: no such key */
    const float *scores;
    size_t n_kinds, n_scores; /* 0: as many as tokens */
    struct {
        const char *key;
        uint32_t value;
    } ids[8], flags[4]; /* below tokenizer.ggml. */
} vocabulary;

static inline size_t n_texts(const char *const *texts) {
    size_t n = 0;
    while (texts && texts[n]) n++;
    return n;
}

static inline void put_texts(const char *key, const char *const *texts) {
    put_array(key, PIPIT_STRING, n_texts(texts));
    for (size_t i = 0; texts[i]; i++) put_text(texts[i]);
}

static inline void put_value(const char *key, uint32_t type, uint32_t value) {
    char whole[128];
    snprintf(whole, sizeof whole, "tokenizer.ggml.%s", key);
    put_key(whole, type);
    put(&value, type == PIPIT_BOOL ? 1 : 4);
}

static inline uint64_t put_optional_text(const char *key, const char *text) {
    if (!text) return 0;
    put_key(key, PIPIT_STRING);
    put_text(text);
    return 1;
}

/* Into the blob. */
static inline void put_vocabulary(const vocabulary *v) {
    size_t n_tokens = n_texts(v->tokens);
    size_t n_kinds = v->n_kinds ? v->n_kinds : n_tokens;
    size_t n_scores = v->n_scores ? v->n_scores : n_tokens;
    uint64_t n = 0;
    begin(0, 0);
    n += put_optional_text("tokenizer.ggml.model", v->model);
    n += put_optional_text("tokenizer.ggml.pre", v->pre);
    n += put_optional_text("general.name", v->name);
    if (v->tokens) n++, put_texts("tokenizer.ggml.tokens", v->tokens);
    if (v->merges) n++, put_texts("tokenizer.ggml.merges", v->merges);
    if (v->kinds) {
        n++, put_array("tokenizer.ggml.token_type", PIPIT_I32, n_kinds);
        put(v->kinds, 4 * n_kinds);
    }
    if (v->scores) {
        n++, put_array("tokenizer.ggml.scores", PIPIT_F32, n_scores);
        put(v->scores, 4 * n_scores);
    }
    for (size_t i = 0; i < 8 && v->ids[i].key; i++, n++)
        put_value(v->ids[i].key, PIPIT_U32, v->ids[i].value);
    for (size_t i = 0; i < 4 && v->flags[i].key; i++, n++)
        put_value(v->flags[i].key, PIPIT_BOOL, v->flags[i].value);
    pad(32);
    memcpy(blob.bytes + 16, &n, 8);
}

/* The file of the blob; the caller closes it. */
static inline pipit_file *open_blob(const pipit_allocator *a) {
    pipit_file *file = NULL;
    pipit_error error = {0};
    size_t taken = 0;
    if (pipit_file_open(blob.n, a, &file) != PIPIT_OK) return NULL;
    pipit_status s = pipit_file_feed(file, blob.bytes, blob.n, &taken, &error);
    if (s != PIPIT_OK) printf("%s\n", error.message);
    CHECK(s == PIPIT_OK);
    return file;
}

/* A vocabulary that is well-formed. */
typedef struct opened {
    pipit_file *file;
    pipit_tokenizer *tokenizer;
} opened;

static inline opened open_vocabulary(const vocabulary *v) {
    opened o = {NULL, NULL};
    pipit_error error = {0};
    put_vocabulary(v);
    o.file = open_blob(NULL);
    if (pipit_tokenizer_open(o.file, NULL, &o.tokenizer, &error) != PIPIT_OK)
        printf("%s\n", error.message);
    CHECK(o.tokenizer != NULL);
    return o;
}

static inline void close_vocabulary(opened *o) {
    pipit_tokenizer_close(o->tokenizer);
    pipit_file_close(o->file);
}

/* The tokens of a text as their texts, with '|' between. */
static inline const char *tokens_of(const pipit_tokenizer *t, const char *text,
                                    uint32_t flags) {
    static char out[4096];
    uint32_t tokens[256];
    size_t n = 0, at = 0;
    pipit_error error = {0};
    if (pipit_tokenize(t, text, strlen(text), flags, tokens, 256, &n, &error))
        return error.message[0] ? "(error)" : "(?)";
    out[0] = '\0';
    for (size_t i = 0; i < n && i < 256; i++) {
        pipit_string piece = {"?", 1};
        pipit_tokenizer_text(t, tokens[i], &piece);
        int k = snprintf(out + at, sizeof out - at, "%s%.*s", i ? "|" : "",
                         (int)piece.n_bytes, piece.bytes);
        at += (size_t)k;
    }
    return out;
}

#define CHECK_TOKENS(t, text, flags, right)                            \
    check_eq_text(tokens_of((t), (text), (flags)),                     \
                  strlen(tokens_of((t), (text), (flags))), (right),    \
                  strlen(right), #text, __FILE__, __LINE__)

/* The status and sentence with which a vocabulary is refused. */
static inline const char *refusal(const vocabulary *v, pipit_status *status) {
    static pipit_error error;
    pipit_tokenizer *tokenizer = NULL;
    error = (pipit_error){0};
    put_vocabulary(v);
    pipit_file *file = open_blob(NULL);
    *status = pipit_tokenizer_open(file, NULL, &tokenizer, &error);
    CHECK(tokenizer == NULL || *status == PIPIT_OK);
    pipit_tokenizer_close(tokenizer);
    pipit_file_close(file);
    return error.message;
}

#endif

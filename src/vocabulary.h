/* vocabulary.h — 4: tokens by id and by text.
 *
 * Texts stay where they are, in the file's header. Text to id goes through a
 * hash table whose probes are bounded: a file whose texts collide gets another
 * seed, and is refused when several seeds don't help. Of tokens with the same
 * text the last one is found; empty texts are never found. */
#ifndef PIPIT_VOCABULARY_H
#define PIPIT_VOCABULARY_H

#include "arena.h"
#include "gguf.h"

/* No real token comes near; it bounds the work for one character. */
#define PIPIT_MAX_TOKEN_BYTES 4096u
#define PIPIT_MAX_PROBES 512u
#define PIPIT_MAX_SEEDS 8u
/* U+2581, which stands for a space in SPM and WPM texts. */
#define PIPIT_SPACE_MARK "\xE2\x96\x81"
#define PIPIT_SPACE_MARK_BYTES 3u

typedef struct pipit_text_slot {
    uint32_t token; /* PIPIT_NO_TOKEN: free */
    uint32_t tag;   /* the hash's upper half */
} pipit_text_slot;

typedef struct pipit_vocabulary {
    const pipit_file *file;
    pipit_gguf_array texts;
    uint32_t n_tokens;
    uint32_t max_bytes; /* of a text */
    pipit_gguf_array types, scores; /* n = 0: none */
    uint8_t *kinds;     /* (n_tokens) pipit_token_kind */
    uint8_t *is_end;    /* (n_tokens) */
    pipit_text_slot *slots; /* (n_slots), a power of two */
    uint32_t n_slots;
    uint64_t seed;
} pipit_vocabulary;

/* The arrays of the file, checked; no memory yet. */
pipit_status pipit_vocabulary_read(const pipit_file *file, pipit_vocabulary *v,
                                   pipit_error *error);
void pipit_vocabulary_carve(pipit_arena *arena, pipit_vocabulary *v);
pipit_status pipit_vocabulary_build(pipit_vocabulary *v, pipit_error *error);

static inline pipit_string pipit_vocabulary_text(const pipit_vocabulary *v,
                                                 uint32_t token) {
    return pipit_gguf_string_at(v->file, &v->texts, token);
}
/* PIPIT_NO_TOKEN: there is none. */
uint32_t pipit_vocabulary_find(const pipit_vocabulary *v, const void *text,
                               size_t n);
float pipit_vocabulary_score(const pipit_vocabulary *v, uint32_t token);
/* As the file has it; an upper bound of what is special before it is built. */
pipit_token_kind pipit_vocabulary_file_kind(const pipit_vocabulary *v,
                                            uint32_t token);

/* PIPIT_E_VOCABULARY naming a key that doesn't fit. */
pipit_status pipit_vocabulary_array(const pipit_file *file, const char *key,
                                    uint64_t n_least, pipit_gguf_array *out,
                                    pipit_error *error);

uint64_t pipit_hash_bytes(uint64_t seed, const void *bytes, size_t n);
uint64_t pipit_hash_pair(uint64_t seed, uint32_t a, uint32_t b);
/* A power of two with room for n at a load of at most two thirds. */
uint32_t pipit_hash_slots(uint32_t n);

#endif

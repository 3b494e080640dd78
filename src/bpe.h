/* bpe.h — 4: byte-level BPE, within the words that pretokenize.h finds.
 *
 * Vocabulary texts are written in GPT-2's letters, one for each byte. Symbols
 * are token ids; a table of pairs gives rank and result of a merge. Of the
 * file's merges those are dropped that can't take part in a token: both parts
 * and the result have to be tokens. */
#ifndef PIPIT_BPE_H
#define PIPIT_BPE_H

#include "merge.h"
#include "pretokenize.h"
#include "sink.h"
#include "vocabulary.h"

typedef struct pipit_bpe_merge {
    uint32_t left, right, merged;
} pipit_bpe_merge;

typedef struct pipit_bpe {
    const pipit_vocabulary *vocabulary;
    const pipit_pre *pre;
    pipit_gguf_array texts;  /* of the merges */
    pipit_bpe_merge *merges; /* (n_merges), by rank */
    uint32_t *slots;         /* (n_slots) rank, PIPIT_NO_RANK: free */
    uint32_t n_merges, n_slots;
    uint64_t seed;
    uint32_t *byte_tokens; /* (256) */
} pipit_bpe;

/* PIPIT_E_UNSUPPORTED for an unknown tokenizer.ggml.pre. */
pipit_status pipit_bpe_read(const pipit_vocabulary *v, pipit_bpe *bpe,
                            pipit_error *error);
void pipit_bpe_carve(pipit_arena *arena, pipit_bpe *bpe);
pipit_status pipit_bpe_build(pipit_bpe *bpe, pipit_error *error);
/* false: no memory. Any bytes may come. */
bool pipit_bpe_encode(const pipit_bpe *bpe, const uint8_t *text, size_t n,
                      pipit_work *work, pipit_sink *out);

/* GPT-2's letter of a byte as UTF-8, 1 or 2 bytes. */
size_t pipit_bpe_letter(uint8_t byte, uint8_t *out);
/* Bytes that a text of letters stands for; what is no letter stays as it is.
 * out has room for n bytes. */
size_t pipit_bpe_decode(const uint8_t *text, size_t n, uint8_t *out);

#endif

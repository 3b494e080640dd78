/* spm.h — 4: SentencePiece BPE by scores.
 *
 * Symbols are characters of the text with U+2581 for spaces; neighbours merge
 * when their text is a token, the highest score first. The text is one long
 * word, but is cut where it can be without changing anything: between two
 * characters that stand side by side in no token. */
#ifndef PIPIT_SPM_H
#define PIPIT_SPM_H

#include "merge.h"
#include "sink.h"
#include "vocabulary.h"

typedef struct pipit_spm {
    const pipit_vocabulary *vocabulary;
    uint32_t *pairs; /* (n_bits / 32) pairs of characters in tokens, hashed:
                        a pair too many only makes a piece longer */
    uint32_t n_bits; /* a power of two */
    uint32_t *byte_tokens; /* (256) */
} pipit_spm;

void pipit_spm_init(pipit_spm *spm, const pipit_vocabulary *v);
void pipit_spm_carve(pipit_arena *arena, pipit_spm *spm);
/* unknown: for bytes that have no token; PIPIT_NO_TOKEN drops them. */
void pipit_spm_build(pipit_spm *spm, uint32_t unknown);
/* prefix: a space goes in front. false: no memory. */
bool pipit_spm_encode(const pipit_spm *spm, const uint8_t *text, size_t n,
                      bool prefix, pipit_work *work, pipit_sink *out);
/* The token of a raw byte, "<0x0A>"; PIPIT_NO_TOKEN: none. */
uint32_t pipit_spm_byte_token(const pipit_vocabulary *v, uint8_t byte);

#endif

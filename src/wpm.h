/* wpm.h — 4: WordPiece, the tokenizer of BERT and so of embedding models.
 *
 * Text is cleaned (control characters out, small letters, marks off, as the
 * file says), cut at white space and around punctuation and ideographs; each
 * word becomes the longest tokens from its front, or the unknown token. A word
 * begins with U+2581 in the vocabulary, its continuations do not. */
#ifndef PIPIT_WPM_H
#define PIPIT_WPM_H

#include "sink.h"
#include "vocabulary.h"

/* Longer words are unknown, as in the original. */
#define PIPIT_WPM_MAX_WORD 100u /* characters */

typedef struct pipit_wpm {
    const pipit_vocabulary *vocabulary;
    uint32_t unknown; /* PIPIT_NO_TOKEN: nothing comes for unknown words */
    bool lowercase, strip_accents;
} pipit_wpm;

pipit_status pipit_wpm_read(const pipit_vocabulary *v, pipit_wpm *wpm,
                            pipit_error *error);
void pipit_wpm_encode(const pipit_wpm *wpm, const uint8_t *text, size_t n,
                      pipit_sink *out);

#endif

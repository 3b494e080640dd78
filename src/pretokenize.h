/* pretokenize.h — 4: the words that byte-level BPE merges within.
 *
 * Each value of tokenizer.ggml.pre stands for a list of regular expressions,
 * each applied to the pieces that the one before it left; what none matches
 * stays a piece of its own. They are scanned by hand here, since an engine that
 * backtracks is neither linear nor safe on long texts: every scanner gives the
 * end of the piece at a position, and looks at a character a bounded number of
 * times. Text is UTF-8 as
 * pipit_utf8_repair leaves it. */
#ifndef PIPIT_PRETOKENIZE_H
#define PIPIT_PRETOKENIZE_H

#include "base.h"

#define PIPIT_MAX_SPLITS 6u

/* The end of the piece at s[at]; at < end, where the text seems to end. */
typedef size_t pipit_split(const uint8_t *s, size_t at, size_t end);

typedef struct pipit_pre {
    const char *name;
    pipit_split *const *splits; /* NULL after the last */
    bool ignore_merges; /* a word that is a token is that token */
    bool add_bos;       /* unless the file says otherwise */
    bool nfc;           /* the text is brought to NFC before */
} pipit_pre;

/* NULL: no such pre-tokenizer. */
const pipit_pre *pipit_pre_find(pipit_string name);

/* The words of a text, one after the other. */
typedef struct pipit_words {
    const uint8_t *text;
    size_t at;
    uint32_t n_splits;
    pipit_split *const *splits;
    size_t ends[PIPIT_MAX_SPLITS + 1]; /* of the piece on each level; [0]: all */
} pipit_words;

void pipit_words_init(pipit_words *words, const pipit_pre *pre,
                      const uint8_t *text, size_t n);
/* false: there are no more. */
bool pipit_words_next(pipit_words *words, size_t *start, size_t *end);

#endif

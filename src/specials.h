/* specials.h — 4: cutting a text at its special tokens.
 *
 * The longest token wins wherever it stands, then the leftmost of equals: what
 * searching the text for one token after the other, longest first, gives.
 * Instead of a search for each, every position where a token may begin looks
 * up the longest one there among all, sorted by text; queues by length take the
 * longest first, and one that no longer fits is put back as the next shorter
 * token with the same beginning. One taken token of n bytes can put back at
 * most 2 n others, so this is linear in the text. */
#ifndef PIPIT_SPECIALS_H
#define PIPIT_SPECIALS_H

#include "scratch.h"
#include "vocabulary.h"

/* Looking for the longest token at a position costs up to this. */
#define PIPIT_MAX_SPECIAL_BYTES 1024u

typedef struct pipit_special_token {
    uint32_t token;
    uint32_t prefix; /* the longest other one that begins this one, or
                        PIPIT_NO_TOKEN; an index */
} pipit_special_token;

typedef struct pipit_specials {
    const pipit_vocabulary *vocabulary;
    pipit_special_token *tokens; /* (n), sorted by text */
    uint32_t n, capacity;
    uint8_t *begins; /* bit a << 8 | b: the first two bytes of one; 8 KiB */
    uint32_t *firsts; /* (257) by first byte: where in tokens they begin */
    uint8_t *strips; /* (capacity) PIPIT_STRIP_* by index in tokens */
} pipit_specials;

#define PIPIT_STRIP_LEFT 1u
#define PIPIT_STRIP_RIGHT 2u

/* A piece of text: a token, or bytes to be tokenized. */
typedef struct pipit_fragment {
    uint32_t token; /* PIPIT_NO_TOKEN: raw */
    size_t start, end;
} pipit_fragment;

typedef struct pipit_cuts { /* found in one text */
    struct pipit_cut *cuts; /* by position */
    size_t n, at;
    const uint8_t *used; /* NULL: no token in the text */
    size_t text_at, n_text;
    const pipit_specials *specials;
} pipit_cuts;

/* At most: what the file says is special, and n_more that may be forced. */
void pipit_specials_init(pipit_specials *s, const pipit_vocabulary *v,
                         uint32_t n_more);
void pipit_specials_carve(pipit_arena *arena, pipit_specials *s);
/* Once the vocabulary's kinds are final. PIPIT_E_VOCABULARY: one too long. */
pipit_status pipit_specials_build(pipit_specials *s, pipit_error *error);
/* Index of a token, PIPIT_NO_TOKEN: it isn't special. */
uint32_t pipit_specials_index(const pipit_specials *s, uint32_t token);

/* Finds the tokens of the text; all: control and unknown ones too. false: no
 * memory. What it finds lives in the scratches. */
bool pipit_specials_cut(const pipit_specials *s, const uint8_t *text, size_t n,
                        bool all, pipit_scratch *found, pipit_scratch *used,
                        pipit_cuts *out);
/* The next fragment, never an empty one; false: no more. */
bool pipit_cuts_next(pipit_cuts *cuts, pipit_fragment *out);

#endif

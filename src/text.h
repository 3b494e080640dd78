/* text.h — 9: token pieces to whole characters, up to a stop string.
 *
 * Bytes go in as pieces; what comes out is valid UTF-8, character by character:
 * an unfinished character waits for its rest, bytes that can't be part of one
 * become U+FFFD (one for each maximal part, as the WHATWG decoder does). Text
 * that may be the beginning of a stop string is held back until it is certain.
 * Stop strings are matched by Knuth, Morris and Pratt, each with a state of its
 * own: linear in the text, across any token border. */
#ifndef PIPIT_TEXT_H
#define PIPIT_TEXT_H

#include "arena.h"

#define PIPIT_MAX_STOPS 64u
#define PIPIT_MAX_STOP_BYTES 1024u

typedef struct pipit_stop {
    uint8_t *bytes;
    uint16_t *fallback; /* length of the longest proper border per prefix */
    uint32_t n_bytes;
    uint32_t matched;
} pipit_stop;

typedef struct pipit_text {
    pipit_stop *stops;
    size_t n_stops;
    uint8_t *out;      /* (capacity) emitted text, then text held back */
    size_t n_out;      /* bytes in out */
    size_t n_emitted;  /* of them given out by the last call */
    size_t capacity;
    uint8_t partial[4]; /* of a character */
    uint32_t n_partial, n_expected;
    bool stopped;
} pipit_text;

/* PIPIT_E_ARGUMENT for an empty, overlong or non-UTF-8 stop string, or too
 * many. */
pipit_status pipit_text_check(const pipit_string *stops, size_t n_stops,
                              pipit_error *error);
/* max_piece: the most bytes one push brings. While measuring *text is not
 * complete. */
void pipit_text_carve(const pipit_string *stops, size_t n_stops,
                      size_t max_piece, pipit_arena *arena, pipit_text *text);
/* Text that is certain now, valid until the next call. last: the answer is over,
 * nothing is held back and an unfinished character becomes U+FFFD. After a stop
 * string (text->stopped) nothing more comes. */
pipit_string pipit_text_push(pipit_text *text, const uint8_t *bytes, size_t n,
                             bool last);

/* Whether bytes are valid UTF-8 (no surrogates, no overlong forms). */
bool pipit_utf8_is_valid(const uint8_t *bytes, size_t n);

#endif

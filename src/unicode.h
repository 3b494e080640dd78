/* unicode.h — 4: what the tokenizers know of characters: UTF-8, classes (the
 * general categories as far as they matter), small letters. */
#ifndef PIPIT_UNICODE_H
#define PIPIT_UNICODE_H

#include "base.h"

typedef enum pipit_unicode_class {
    PIPIT_CLASS_OTHER = 0, /* unassigned */
    PIPIT_CLASS_LU, PIPIT_CLASS_LL, PIPIT_CLASS_LT, PIPIT_CLASS_LM,
    PIPIT_CLASS_LO,
    PIPIT_CLASS_MN, PIPIT_CLASS_MC, /* Mc and Me */
    PIPIT_CLASS_N, PIPIT_CLASS_P, PIPIT_CLASS_S,
    PIPIT_CLASS_SPACE,  /* the property White_Space; all of Z has it */
    PIPIT_CLASS_CONTROL /* the rest of Cc, and Cf, Cs, Co */
} pipit_unicode_class;

/* Sets of classes: bit c for class c. */
#define PIPIT_IN(class) (1u << (class))
#define PIPIT_LETTER                                       \
    (PIPIT_IN(PIPIT_CLASS_LU) | PIPIT_IN(PIPIT_CLASS_LL) | \
     PIPIT_IN(PIPIT_CLASS_LT) | PIPIT_IN(PIPIT_CLASS_LM) | \
     PIPIT_IN(PIPIT_CLASS_LO))
#define PIPIT_MARK (PIPIT_IN(PIPIT_CLASS_MN) | PIPIT_IN(PIPIT_CLASS_MC))
#define PIPIT_NUMBER PIPIT_IN(PIPIT_CLASS_N)
#define PIPIT_PUNCTUATION PIPIT_IN(PIPIT_CLASS_P)
#define PIPIT_SYMBOL PIPIT_IN(PIPIT_CLASS_S)
#define PIPIT_SPACE PIPIT_IN(PIPIT_CLASS_SPACE)

#define PIPIT_REPLACEMENT 0xFFFDu
#define PIPIT_MAX_POINT 0x10FFFFu

pipit_unicode_class pipit_unicode_class_of(uint32_t point);
/* The simple small letter, else the code point itself. */
uint32_t pipit_unicode_lower_of(uint32_t point);

/* The character at s[0..n), n >= 1, and its bytes. A byte that begins none is
 * U+FFFD, of one byte. Surrogates and overlong forms pass as the code points
 * they spell, since llama.cpp, whose tokens ours have to equal, takes them. */
uint32_t pipit_utf8_decode(const uint8_t *s, size_t n, size_t *n_taken);
/* Writes 1 to 4 bytes. */
size_t pipit_utf8_encode(uint32_t point, uint8_t *out);
/* Whether the bytes are what pipit_utf8_repair makes of them, and its bytes. */
bool pipit_utf8_is_repaired(const uint8_t *s, size_t n, size_t *n_repaired);
/* Writes every character as pipit_utf8_decode reads it. */
void pipit_utf8_repair(const uint8_t *s, size_t n, uint8_t *out);

/* Bytes that a character claims by its first byte alone, as SPM counts them;
 * continuation bytes stand alone. */
static inline size_t pipit_utf8_claims(uint8_t first) {
    return first < 0xC0 ? 1u : first < 0xE0 ? 2u : first < 0xF0 ? 3u : 4u;
}

/* As pipit_utf8_decode where the text is known to be repaired. */
static inline uint32_t pipit_utf8_decode_valid(const uint8_t *s,
                                               size_t *n_taken) {
    uint32_t a = s[0];
    *n_taken = pipit_utf8_claims(s[0]);
    if (a < 0x80) return a;
    if (a < 0xE0) return (a & 31) << 6 | (s[1] & 63u);
    if (a < 0xF0) return (a & 15) << 12 | (s[1] & 63u) << 6 | (s[2] & 63u);
    return (a & 7) << 18 | (s[1] & 63u) << 12 | (s[2] & 63u) << 6 |
           (s[3] & 63u);
}

#endif

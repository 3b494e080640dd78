/* nfc.h — 4: Unicode's Normalization Form C. */
#ifndef PIPIT_NFC_H
#define PIPIT_NFC_H

#include "scratch.h"
#include "unicode.h"

/* Replaces repaired text by its NFC if it differs; that one lives in `out`.
 * Linear in n. false: no memory. */
bool pipit_nfc(const uint8_t **text, size_t *n, pipit_scratch *points,
               pipit_scratch *out);

/* The canonical decomposition of a code point, 1 to 4 of them, marks in the
 * order of the tables. */
size_t pipit_nfd_of(uint32_t point, uint32_t out[4]);
/* Canonical combining class. */
uint32_t pipit_combining_of(uint32_t point);

#endif

/* logits_row.h — logits to test with. */
#ifndef PIPIT_LOGITS_ROW_H
#define PIPIT_LOGITS_ROW_H

#include <stdint.h>

/* Unlike each other, spread over some e-folds. */
static inline void make_logits(float *logits, uint32_t n, uint32_t seed) {
    for (uint32_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        logits[i] = (float)(seed >> 8) / 2097152.0f - 4.0f;
    }
}

#endif

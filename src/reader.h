/* reader.h — a cursor over bytes that nobody vouches for.
 *
 * A read past the end gives zero and makes the cursor short; it stays where it
 * was and stays short, so that a run of reads needs one check at its end. */
#ifndef PIPIT_READER_H
#define PIPIT_READER_H

#include "base.h"

typedef struct pipit_reader {
    const uint8_t *bytes;
    size_t n; /* bytes there are */
    size_t at;
    bool is_short; /* something asked for more than there was */
} pipit_reader;

static inline pipit_reader pipit_reader_of(const uint8_t *bytes, size_t n) {
    return (pipit_reader){bytes, n, 0, false};
}

static inline size_t pipit_reader_left(const pipit_reader *r) {
    return r->n - r->at;
}

/* n bytes, NULL when there are not that many. */
static inline const uint8_t *pipit_read_bytes(pipit_reader *r, uint64_t n) {
    if (r->is_short || n > r->n - r->at) {
        r->is_short = true;
        return NULL;
    }
    const uint8_t *p = r->bytes + r->at;
    r->at += (size_t)n;
    return p;
}

static inline uint8_t pipit_read_u8(pipit_reader *r) {
    const uint8_t *p = pipit_read_bytes(r, 1);
    return p ? *p : 0;
}
static inline uint16_t pipit_read_u16(pipit_reader *r) {
    const uint8_t *p = pipit_read_bytes(r, 2);
    return p ? pipit_load_u16(p) : 0;
}
static inline uint32_t pipit_read_u32(pipit_reader *r) {
    const uint8_t *p = pipit_read_bytes(r, 4);
    return p ? pipit_load_u32(p) : 0;
}
static inline uint64_t pipit_read_u64(pipit_reader *r) {
    const uint8_t *p = pipit_read_bytes(r, 8);
    return p ? pipit_load_u64(p) : 0;
}

#endif

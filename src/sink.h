/* sink.h — 4: where the tokens of a text go, and the memory they take to find.
 */
#ifndef PIPIT_SINK_H
#define PIPIT_SINK_H

#include "scratch.h"

typedef struct pipit_sink {
    uint32_t *tokens; /* (capacity) */
    size_t capacity;
    size_t n; /* all, also those that had no room */
} pipit_sink;

static inline void pipit_sink_put(pipit_sink *sink, uint32_t token) {
    if (sink->n < sink->capacity) sink->tokens[sink->n] = token;
    sink->n++;
}

typedef struct pipit_work {
    pipit_scratch repaired; /* the text with U+FFFD for bad bytes */
    pipit_scratch normal;   /* NFC, or with marks for spaces */
    pipit_scratch points;   /* a piece while it is normalized */
    pipit_scratch merge;
} pipit_work;

static inline void pipit_work_init(pipit_work *work,
                                   const pipit_allocator *a) {
    *work = (pipit_work){{a, NULL, 0}, {a, NULL, 0}, {a, NULL, 0},
                         {a, NULL, 0}};
}
static inline void pipit_work_release(pipit_work *work) {
    pipit_scratch_release(&work->repaired);
    pipit_scratch_release(&work->normal);
    pipit_scratch_release(&work->points);
    pipit_scratch_release(&work->merge);
}

#endif

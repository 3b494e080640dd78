/* forward.h — 7: tokens to logits, in steps of bounded work. */
#ifndef PIPIT_FORWARD_H
#define PIPIT_FORWARD_H

#include "pass.h"

/* Where a batch stands. */
typedef struct pipit_progress {
    uint32_t layer, phase, slice; /* next */
    uint32_t group; /* of output rows, once all layers are done */
} pipit_progress;

static inline bool pipit_progress_is_new(const pipit_progress *p) {
    return p->layer == 0 && p->phase == 0 && p->slice == 0;
}

/* Sets the pass up for its session: RoPE frequencies. */
void pipit_forward_init(pipit_pass *pass, const pipit_model *model,
                        pipit_kvcache *kv, uint32_t n_context);
/* One step over the pass's batch; true when the batch is done: its keys and
 * values are in the cache and, if pass->logits is set, the logits in place. */
bool pipit_forward_step(pipit_pass *pass, pipit_progress *progress);

#endif

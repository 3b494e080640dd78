#include "lookup.h"

/* As many tokens must have stood there the same; one more after each miss. */
#define LEAST_MATCH 6u
#define MOST_MATCH 16u
#define FIRST_SIZE 3u /* with the token before it, one pass of four */
#define FIRST_PAUSE 16u
#define MOST_MISSES 5u

void pipit_lookup_init(pipit_lookup *lookup) {
    *lookup = (pipit_lookup){.size = FIRST_SIZE};
}

/* Tokens before history[end) and before history[n) that are the same. */
static uint32_t match_at(const uint32_t *history, size_t n, size_t end) {
    uint32_t length = 0;
    while (length < MOST_MATCH && length < end &&
           history[end - 1 - length] == history[n - 1 - length])
        length++;
    return length;
}

uint32_t pipit_lookup_draft(pipit_lookup *lookup, const uint32_t *history,
                            size_t n, uint32_t most, const uint32_t **draft) {
    uint32_t best = LEAST_MATCH + lookup->misses - 1;
    size_t at = 0;
    if (lookup->pause > 0) {
        lookup->pause--;
        return 0;
    }
    /* The longest, and of those the latest. */
    for (size_t end = n - 1; n > 1 && end > best; end--) {
        if (history[end - 1] != history[n - 1]) continue;
        uint32_t length = match_at(history, n, end);
        if (length <= best) continue;
        best = length;
        at = end;
        if (length == MOST_MATCH) break;
    }
    if (at == 0) return 0;
    uint32_t size = pipit_min_u32(lookup->size, most);
    *draft = history + at;
    return n - at < size ? (uint32_t)(n - at) : size;
}

void pipit_lookup_learn(pipit_lookup *lookup, uint32_t n_drafted,
                        uint32_t n_right) {
    if (n_right == n_drafted) {
        lookup->misses = 0;
        lookup->size = pipit_min_u32(2 * lookup->size + 1, PIPIT_MAX_DRAFT);
    } else if (4 * n_right >= 3 * n_drafted) {
        lookup->misses = 0;
    } else {
        lookup->pause = FIRST_PAUSE << lookup->misses;
        if (lookup->misses < MOST_MISSES) lookup->misses++;
        lookup->size = FIRST_SIZE;
    }
}

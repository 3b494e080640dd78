#include "spm.h"

#include "unicode.h"

/* ---- tables ------------------------------------------------------------ */

void pipit_spm_init(pipit_spm *spm, const pipit_vocabulary *v) {
    /* Real vocabularies have fewer pairs than twice their tokens. */
    uint32_t n_bits = 1u << 10;
    while (n_bits / 16 < v->n_tokens && n_bits < 1u << 24) n_bits *= 2;
    *spm = (pipit_spm){.vocabulary = v, .n_bits = n_bits};
}

void pipit_spm_carve(pipit_arena *arena, pipit_spm *spm) {
    spm->pairs = pipit_arena_take(arena, spm->n_bits / 32, sizeof *spm->pairs);
    spm->byte_tokens = pipit_arena_take(arena, 256, sizeof *spm->byte_tokens);
}

uint32_t pipit_spm_byte_token(const pipit_vocabulary *v, uint8_t byte) {
    static const char hex[] = "0123456789ABCDEF";
    char text[] = {'<', '0', 'x', hex[byte >> 4], hex[byte & 15], '>'};
    return pipit_vocabulary_find(v, text, sizeof text);
}

/* The character at text[at], as a number; *after: where the next one is. */
static uint32_t character(const uint8_t *text, size_t at, size_t n,
                          size_t *after) {
    size_t claims = pipit_min_size(pipit_utf8_claims(text[at]), n - at);
    uint32_t c = text[at];
    for (size_t i = 1; i < claims; i++) c = c << 8 | text[at + i];
    *after = at + claims;
    return c;
}

static uint32_t bit_of_pair(const pipit_spm *spm, uint32_t a, uint32_t b) {
    return (uint32_t)pipit_hash_pair(1, a, b) & (spm->n_bits - 1);
}

static void add_pairs(pipit_spm *spm, pipit_string text) {
    const uint8_t *bytes = (const uint8_t *)text.bytes;
    uint32_t before = 0;
    for (size_t at = 0, after; at < text.n_bytes; at = after) {
        uint32_t c = character(bytes, at, text.n_bytes, &after);
        uint32_t bit = bit_of_pair(spm, before, c);
        if (at > 0) spm->pairs[bit / 32] |= 1u << bit % 32;
        before = c;
    }
}

void pipit_spm_build(pipit_spm *spm, uint32_t unknown) {
    const pipit_vocabulary *v = spm->vocabulary;
    memset(spm->pairs, 0, spm->n_bits / 8);
    for (uint32_t i = 0; i < v->n_tokens; i++)
        add_pairs(spm, pipit_vocabulary_text(v, i));
    for (uint32_t i = 0; i < 256; i++) {
        uint8_t byte = (uint8_t)i;
        uint32_t token = pipit_spm_byte_token(v, byte);
        if (token == PIPIT_NO_TOKEN) token = pipit_vocabulary_find(v, &byte, 1);
        spm->byte_tokens[i] = token == PIPIT_NO_TOKEN ? unknown : token;
    }
}

/* ---- encoding ---------------------------------------------------------- */

typedef struct piece { /* what the ranks are asked about */
    const pipit_spm *spm;
    const uint8_t *text;
} piece;

/* The higher a score the lower its rank; -0 is 0, NaN is last. */
static uint32_t rank_of_score(float score) {
    uint32_t bits;
    if (score != score) return PIPIT_NO_RANK - 1;
    score += 0.0f;
    memcpy(&bits, &score, sizeof bits);
    uint32_t ascending = bits >> 31 ? ~bits : bits | 1u << 31;
    uint32_t rank = ~ascending;
    return rank < PIPIT_NO_RANK ? rank : PIPIT_NO_RANK - 1;
}

static uint32_t rank_of(const void *context, const pipit_merge *merge,
                        uint32_t left, uint32_t *merged) {
    const piece *p = context;
    const pipit_vocabulary *v = p->spm->vocabulary;
    uint32_t right = merge->symbols[left].next;
    uint32_t n = merge->symbols[right].next - left;
    if (n > v->max_bytes) return PIPIT_NO_RANK;
    *merged = pipit_vocabulary_find(v, p->text + left, n);
    if (*merged == PIPIT_NO_TOKEN) return PIPIT_NO_RANK;
    return rank_of_score(pipit_vocabulary_score(v, *merged));
}

static void put_symbol(const piece *p, uint32_t token, size_t at, size_t end,
                       pipit_sink *out) {
    const pipit_spm *spm = p->spm;
    if (token == PIPIT_NO_TOKEN)
        token = pipit_vocabulary_find(spm->vocabulary, p->text + at, end - at);
    if (token != PIPIT_NO_TOKEN) {
        pipit_sink_put(out, token);
        return;
    }
    for (; at < end; at++) {
        token = spm->byte_tokens[p->text[at]];
        if (token != PIPIT_NO_TOKEN) pipit_sink_put(out, token);
    }
}

static bool encode_piece(const pipit_spm *spm, const uint8_t *text, size_t n,
                         pipit_scratch *scratch, pipit_sink *out) {
    piece p = {spm, text};
    pipit_merge m;
    size_t after;
    if (!pipit_merge_init(&m, n, scratch)) return false;
    uint32_t before = PIPIT_NO_SYMBOL;
    for (size_t at = 0; at < n; at = after) {
        character(text, at, n, &after);
        m.symbols[at] = (pipit_symbol){.prev = before,
                                       .next = (uint32_t)after,
                                       .value = PIPIT_NO_TOKEN};
        before = (uint32_t)at;
    }
    pipit_merge_run(&m, rank_of, &p);
    for (uint32_t i = 0; i < n; i = m.symbols[i].next)
        put_symbol(&p, m.symbols[i].value, i, m.symbols[i].next, out);
    return true;
}

/* Spaces to marks; NULL: no memory. */
static const uint8_t *escape(const uint8_t *text, size_t n, bool prefix,
                             pipit_scratch *scratch, size_t *n_out) {
    size_t bytes = n + (prefix ? PIPIT_SPACE_MARK_BYTES : 0);
    for (size_t i = 0; i < n; i++)
        if (text[i] == ' ') bytes += PIPIT_SPACE_MARK_BYTES - 1;
    uint8_t *out = pipit_scratch_get(scratch, bytes);
    size_t at = 0;
    if (!out) return NULL;
    if (prefix) {
        memcpy(out, PIPIT_SPACE_MARK, PIPIT_SPACE_MARK_BYTES);
        at = PIPIT_SPACE_MARK_BYTES;
    }
    for (size_t i = 0; i < n; i++) {
        if (text[i] != ' ') {
            out[at++] = text[i];
            continue;
        }
        memcpy(out + at, PIPIT_SPACE_MARK, PIPIT_SPACE_MARK_BYTES);
        at += PIPIT_SPACE_MARK_BYTES;
    }
    *n_out = bytes;
    return out;
}

bool pipit_spm_encode(const pipit_spm *spm, const uint8_t *text, size_t n,
                      bool prefix, pipit_work *work, pipit_sink *out) {
    size_t start = 0, after;
    uint32_t before = 0;
    text = escape(text, n, prefix, &work->normal, &n);
    if (!text) return false;
    for (size_t at = 0; at < n; at = after) {
        uint32_t c = character(text, at, n, &after);
        uint32_t bit = bit_of_pair(spm, before, c);
        before = c;
        if (at == start || spm->pairs[bit / 32] >> bit % 32 & 1) continue;
        if (!encode_piece(spm, text + start, at - start, &work->merge, out))
            return false;
        start = at;
    }
    return encode_piece(spm, text + start, n - start, &work->merge, out);
}

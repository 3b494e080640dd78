#include "specials.h"

#define BEGINS_BYTES 8192u

static bool is_special(uint32_t kind) {
    return kind == PIPIT_TOKEN_CONTROL || kind == PIPIT_TOKEN_UNKNOWN ||
           kind == PIPIT_TOKEN_USER_DEFINED;
}

/* ---- the sorted tokens ------------------------------------------------- */

void pipit_specials_init(pipit_specials *s, const pipit_vocabulary *v,
                         uint32_t n_more) {
    uint32_t n = n_more;
    for (uint32_t i = 0; i < v->n_tokens; i++)
        if (is_special(pipit_vocabulary_file_kind(v, i))) n++;
    *s = (pipit_specials){.vocabulary = v, .capacity = n};
}

void pipit_specials_carve(pipit_arena *arena, pipit_specials *s) {
    s->tokens = pipit_arena_take(arena, s->capacity, sizeof *s->tokens);
    s->begins = pipit_arena_take(arena, BEGINS_BYTES, 1);
    s->firsts = pipit_arena_take(arena, 257, sizeof *s->firsts);
    s->strips = pipit_arena_take(arena, s->capacity, 1);
}

static pipit_string text_of(const pipit_specials *s, uint32_t index) {
    return pipit_vocabulary_text(s->vocabulary, s->tokens[index].token);
}

static int compare(pipit_string a, pipit_string b) {
    size_t n = pipit_min_size(a.n_bytes, b.n_bytes);
    int order = n ? memcmp(a.bytes, b.bytes, n) : 0;
    if (order) return order;
    return a.n_bytes < b.n_bytes ? -1 : a.n_bytes > b.n_bytes;
}

/* Heap sort: no memory, no bad inputs. */
static void sift(pipit_specials *s, uint32_t i, uint32_t n) {
    pipit_special_token moving = s->tokens[i];
    pipit_string text = pipit_vocabulary_text(s->vocabulary, moving.token);
    for (uint32_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n &&
            compare(text_of(s, child), text_of(s, child + 1)) < 0)
            child++;
        if (compare(text, text_of(s, child)) >= 0) break;
        s->tokens[i] = s->tokens[child];
    }
    s->tokens[i] = moving;
}

static void sort(pipit_specials *s) {
    for (uint32_t i = s->n / 2; i-- > 0;) sift(s, i, s->n);
    for (uint32_t n = s->n; n-- > 1;) {
        pipit_special_token last = s->tokens[n];
        s->tokens[n] = s->tokens[0];
        s->tokens[0] = last;
        sift(s, 0, n);
    }
}

static bool begins_with(pipit_string text, pipit_string prefix) {
    return prefix.n_bytes <= text.n_bytes &&
           memcmp(prefix.bytes, text.bytes, prefix.n_bytes) == 0;
}

/* In sorted order what begins a text stands before it, and all between share
 * that beginning. */
static void link_prefixes(pipit_specials *s) {
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t p = i > 0 ? i - 1 : PIPIT_NO_TOKEN;
        while (p != PIPIT_NO_TOKEN &&
               !begins_with(text_of(s, i), text_of(s, p)))
            p = s->tokens[p].prefix;
        s->tokens[i].prefix = p;
    }
}

static void mark_beginnings(pipit_specials *s) {
    uint32_t n_firsts = 0;
    memset(s->begins, 0, BEGINS_BYTES);
    for (uint32_t i = 0; i < s->n; i++) {
        pipit_string text = text_of(s, i);
        uint32_t first = (uint8_t)text.bytes[0];
        while (n_firsts <= first) s->firsts[n_firsts++] = i;
        if (text.n_bytes == 1)
            memset(s->begins + first * 32, 0xFF, 32);
        else {
            uint8_t second = (uint8_t)text.bytes[1];
            s->begins[first * 32 + second / 8] |= (uint8_t)(1 << second % 8);
        }
    }
    while (n_firsts <= 256) s->firsts[n_firsts++] = s->n;
}

pipit_status pipit_specials_build(pipit_specials *s, pipit_error *error) {
    const pipit_vocabulary *v = s->vocabulary;
    s->n = 0;
    for (uint32_t i = 0; i < v->n_tokens; i++) {
        pipit_string text = pipit_vocabulary_text(v, i);
        /* Of tokens with the same text the last one counts. */
        if (!is_special(v->kinds[i]) ||
            pipit_vocabulary_find(v, text.bytes, text.n_bytes) != i)
            continue;
        if (text.n_bytes > PIPIT_MAX_SPECIAL_BYTES)
            return pipit_fail(error, PIPIT_E_VOCABULARY, PIPIT_NO_OFFSET,
                              "special token %u is %u bytes long, more than %u",
                              (uint64_t)i, (uint64_t)text.n_bytes,
                              (uint64_t)PIPIT_MAX_SPECIAL_BYTES);
        PIPIT_ASSERT(s->n < s->capacity);
        s->tokens[s->n++] = (pipit_special_token){i, PIPIT_NO_TOKEN};
    }
    sort(s);
    link_prefixes(s);
    mark_beginnings(s);
    memset(s->strips, 0, s->capacity);
    return PIPIT_OK;
}

/* How many stand before the text, of one byte or more, or are it. */
static uint32_t upper_bound(const pipit_specials *s, pipit_string text) {
    uint8_t first = (uint8_t)text.bytes[0];
    uint32_t low = s->firsts[first], high = s->firsts[first + 1];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare(text_of(s, middle), text) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t pipit_specials_index(const pipit_specials *s, uint32_t token) {
    pipit_string text = pipit_vocabulary_text(s->vocabulary, token);
    uint32_t i = upper_bound(s, text);
    return i > 0 && s->tokens[i - 1].token == token ? i - 1 : PIPIT_NO_TOKEN;
}

/* ---- finding ----------------------------------------------------------- */

/* A place where a token may stand. */
typedef struct pipit_cut {
    size_t at;
    uint32_t index; /* in tokens */
    uint32_t next;  /* of those as long */
    uint16_t n;     /* bytes of the token */
    bool taken;
} pipit_cut;

/* `index` or, of the tokens that begin it, the longest of at most n bytes that
 * takes part. */
static uint32_t fitting(const pipit_specials *s, uint32_t index, size_t n,
                        bool all) {
    for (; index != PIPIT_NO_TOKEN; index = s->tokens[index].prefix) {
        uint32_t kind = s->vocabulary->kinds[s->tokens[index].token];
        if (text_of(s, index).n_bytes <= n &&
            (all || kind == PIPIT_TOKEN_USER_DEFINED))
            break;
    }
    return index;
}

/* The longest token at the beginning of the text. */
static uint32_t longest(const pipit_specials *s, const uint8_t *text, size_t n,
                        bool all) {
    pipit_string rest = {(const char *)text,
                         pipit_min_size(n, PIPIT_MAX_SPECIAL_BYTES)};
    uint32_t i = upper_bound(s, rest);
    size_t common = 0;
    if (i == 0) return PIPIT_NO_TOKEN;
    pipit_string before = text_of(s, i - 1);
    while (common < before.n_bytes && common < rest.n_bytes &&
           before.bytes[common] == rest.bytes[common])
        common++;
    return fitting(s, i - 1, common, all);
}

static bool may_begin(const pipit_specials *s, const uint8_t *text, size_t n,
                      size_t at) {
    uint32_t second = at + 1 < n ? text[at + 1] : 0;
    /* The last byte can only be a token of one byte: all its bits are set. */
    return s->begins[text[at] * 32u + second / 8] >> second % 8 & 1;
}

/* ---- taking, longest first --------------------------------------------- */

enum { RAW = 0, TAKEN = 1, STRIPPED = 2 };

#define NO_CUT UINT32_MAX

/* Cuts of one length, by position. */
typedef struct queue {
    uint32_t first, last;
    bool unsorted;
} queue;

typedef struct taking {
    const pipit_specials *specials;
    const uint8_t *text;
    size_t n;
    bool all;
    pipit_cut *cuts;
    size_t n_cuts;
    uint8_t *used; /* (n) */
    queue queues[PIPIT_MAX_SPECIAL_BYTES + 1]; /* by length */
} taking;

/* Puts a cut, whose token is index, into the queue of that token's length. */
static void enqueue(taking *t, uint32_t cut, uint32_t index) {
    if (index == PIPIT_NO_TOKEN) return;
    size_t n = text_of(t->specials, index).n_bytes;
    queue *q = &t->queues[n];
    t->cuts[cut].index = index;
    t->cuts[cut].n = (uint16_t)n;
    t->cuts[cut].next = NO_CUT;
    if (q->first == NO_CUT)
        q->first = cut;
    else
        t->cuts[q->last].next = cut;
    if (q->last != NO_CUT && q->last > cut) q->unsorted = true;
    q->last = cut;
}

static uint32_t merge(pipit_cut *cuts, uint32_t a, uint32_t b) {
    uint32_t first = NO_CUT, *end = &first;
    while (a != NO_CUT && b != NO_CUT) {
        uint32_t *less = a < b ? &a : &b;
        *end = *less;
        end = &cuts[*less].next;
        *less = *end;
    }
    *end = a != NO_CUT ? a : b;
    return first;
}

/* Merge sort of a list: sorted[i] has none or 2^i cuts. */
static uint32_t sort_cuts(pipit_cut *cuts, uint32_t first) {
    uint32_t sorted[32], all = NO_CUT;
    for (uint32_t i = 0; i < 32; i++) sorted[i] = NO_CUT;
    while (first != NO_CUT) {
        uint32_t one = first, i = 0;
        first = cuts[one].next;
        cuts[one].next = NO_CUT;
        for (; sorted[i] != NO_CUT; i++) {
            one = merge(cuts, sorted[i], one);
            sorted[i] = NO_CUT;
        }
        sorted[i] = one;
    }
    for (uint32_t i = 0; i < 32; i++) all = merge(cuts, sorted[i], all);
    return all;
}

/* As isspace in the C locale. */
static bool is_blank(uint8_t byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static void take(taking *t, pipit_cut *cut) {
    uint32_t strips = t->specials->strips[cut->index];
    size_t at = cut->at, end = cut->at + cut->n;
    cut->taken = true;
    memset(t->used + at, TAKEN, cut->n);
    if (strips & PIPIT_STRIP_LEFT)
        while (at > 0 && t->used[at - 1] == RAW && is_blank(t->text[at - 1]))
            t->used[--at] = STRIPPED;
    if (strips & PIPIT_STRIP_RIGHT)
        while (end < t->n && t->used[end] == RAW && is_blank(t->text[end]))
            t->used[end++] = STRIPPED;
}

/* Bytes from `at` on that are free, at most n. */
static size_t free_bytes(const taking *t, size_t at, size_t n) {
    size_t free = 0;
    while (free < n && t->used[at + free] == RAW) free++;
    return free;
}

static void take_all(taking *t) {
    for (uint32_t n = PIPIT_MAX_SPECIAL_BYTES; n > 0; n--) {
        queue *q = &t->queues[n];
        if (q->unsorted) q->first = sort_cuts(t->cuts, q->first);
        for (uint32_t i = q->first, next; i != NO_CUT; i = next) {
            pipit_cut *cut = &t->cuts[i];
            size_t free = free_bytes(t, cut->at, n);
            next = cut->next;
            if (free == n)
                take(t, cut);
            else if (free > 0)
                enqueue(t, i, fitting(t->specials, cut->index, free, t->all));
        }
    }
}

/* Queues each place where a token begins, with the longest one. */
static void find_all(taking *t) {
    const pipit_specials *s = t->specials;
    for (size_t i = 0; i <= PIPIT_MAX_SPECIAL_BYTES; i++)
        t->queues[i] = (queue){NO_CUT, NO_CUT, false};
    for (size_t at = 0; at < t->n; at++) {
        if (!may_begin(s, t->text, t->n, at)) continue;
        uint32_t index = longest(s, t->text + at, t->n - at, t->all);
        if (index == PIPIT_NO_TOKEN) continue;
        t->cuts[t->n_cuts] = (pipit_cut){.at = at};
        enqueue(t, (uint32_t)t->n_cuts++, index);
    }
}

bool pipit_specials_cut(const pipit_specials *s, const uint8_t *text, size_t n,
                        bool all, pipit_scratch *found, pipit_scratch *used,
                        pipit_cuts *out) {
    taking t = {.specials = s, .text = text, .n = n, .all = all};
    size_t n_most = 0;
    *out = (pipit_cuts){.n_text = n, .specials = s};
    if (s->n == 0) return true;
    for (size_t at = 0; at < n; at++)
        if (may_begin(s, text, n, at)) n_most++;
    if (n_most == 0) return true;
    if (n_most >= NO_CUT || n_most > SIZE_MAX / sizeof *t.cuts) return false;
    t.used = pipit_scratch_get(used, n);
    t.cuts = pipit_scratch_get(found, n_most * sizeof *t.cuts);
    if (!t.used || !t.cuts) return false;
    memset(t.used, RAW, n);
    find_all(&t);
    take_all(&t);
    out->cuts = t.cuts;
    out->n = t.n_cuts;
    out->used = t.used;
    return true;
}

/* ---- fragments --------------------------------------------------------- */

bool pipit_cuts_next(pipit_cuts *cuts, pipit_fragment *out) {
    pipit_cuts *c = cuts;
    while (c->used && c->text_at < c->n_text &&
           c->used[c->text_at] == STRIPPED)
        c->text_at++;
    if (c->text_at >= c->n_text) return false;
    *out = (pipit_fragment){PIPIT_NO_TOKEN, c->text_at, c->n_text};
    if (c->used && c->used[c->text_at] == TAKEN) {
        while (!c->cuts[c->at].taken) c->at++;
        const pipit_cut *cut = &c->cuts[c->at++];
        PIPIT_ASSERT(cut->at == c->text_at);
        out->token = c->specials->tokens[cut->index].token;
        out->end = cut->at + cut->n;
    } else if (c->used) {
        size_t end = c->text_at;
        while (end < c->n_text && c->used[end] == RAW) end++;
        out->end = end;
    }
    c->text_at = out->end;
    return true;
}

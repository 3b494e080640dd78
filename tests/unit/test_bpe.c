/* Byte-level BPE on vocabularies small enough to follow by hand, and the queue
 * of merges against the plain search for the best pair. */
#include "bpe.h"
#include "vocabulary_blob.h"

/* ---- letters ----------------------------------------------------------- */

static void every_byte_has_a_letter(void) {
    bool seen[0x144] = {false};
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint8_t letter[4], back[4];
        size_t n = pipit_bpe_letter((uint8_t)byte, letter);
        uint32_t point = n == 1 ? letter[0]
                                : (letter[0] & 31u) << 6 | (letter[1] & 63u);
        CHECK(point < 0x144 && !seen[point]);
        seen[point] = true;
        CHECK_EQ_U64(pipit_bpe_decode(letter, n, back), 1);
        CHECK_EQ_U64(back[0], byte);
    }
    CHECK(seen['!'] && seen[0x120] && seen[0x143] && !seen[' ']); /* 120: Ġ */
}

static void what_is_no_letter_stays(void) {
    uint8_t out[16];
    size_t n = pipit_bpe_decode((const uint8_t *)"a \xE4\xB8\xAD\xFF", 6, out);
    CHECK_TEXT((const char *)out, n, "a \xE4\xB8\xAD\xFF");
}

/* ---- merges ------------------------------------------------------------ */

#define G "\xC4\xA0" /* the letter of a space */

static const char *const tokens[] = {
    "a", "b", "c", "d", G, "ab", "bc", "abc", "cd", G "a", "aa", "aaaa",
    "bcd", "1", "x", NULL};

static void the_lowest_rank_merges_first(void) {
    static const char *const merges[] = {"b c", "a b", "ab c", "c d",
                                         "a a", "aa aa", NULL};
    vocabulary v = {.model = "gpt2", .pre = "gpt-2", .tokens = tokens,
                    .merges = merges};
    opened o = open_vocabulary(&v);
    CHECK_TOKENS(o.tokenizer, "ab", 0, "ab");
    /* bc comes before ab, and a bc is no merge. */
    CHECK_TOKENS(o.tokenizer, "abc", 0, "a|bc");
    CHECK_TOKENS(o.tokenizer, "bcd", 0, "bc|d");
    CHECK_TOKENS(o.tokenizer, "abcd", 0, "a|bc|d");
    /* Of equals the leftmost. */
    CHECK_TOKENS(o.tokenizer, "aaa", 0, "aa|a");
    CHECK_TOKENS(o.tokenizer, "aaaaaaa", 0, "aaaa|aa|a");
    CHECK_TOKENS(o.tokenizer, "", 0, "");
    /* z has no token: nothing comes for it, and nothing merges across it. */
    CHECK_TOKENS(o.tokenizer, "azb", 0, "a|b");
    close_vocabulary(&o);
}

static void words_limit_merges(void) {
    static const char *const merges[] = {G " a", "a " G, "a b", NULL};
    vocabulary v = {.model = "gpt2", .pre = "gpt-2", .tokens = tokens,
                    .merges = merges};
    opened o = open_vocabulary(&v);
    CHECK_TOKENS(o.tokenizer, "a ab a", 0, "a|" G "a|b|" G "a");
    CHECK_TOKENS(o.tokenizer, "ab1ab", 0, "ab|1|ab");
    close_vocabulary(&o);
}

static void whole_words_where_merges_are_ignored(void) {
    static const char *const merges[] = {"b c", "a b", NULL};
    vocabulary v = {.model = "gpt2", .pre = "llama-bpe", .tokens = tokens,
                    .merges = merges};
    opened o = open_vocabulary(&v);
    CHECK_TOKENS(o.tokenizer, "abc", 0, "abc");
    CHECK_TOKENS(o.tokenizer, "abcx", 0, "a|bc|x");
    close_vocabulary(&o);
    v.pre = "dbrx"; /* the same words, but merges count */
    o = open_vocabulary(&v);
    CHECK_TOKENS(o.tokenizer, "abc", 0, "a|bc");
    close_vocabulary(&o);
}

/* Those that name no token, or make none, do nothing; a pair given twice has
 * its first rank. */
static void merges_without_tokens_are_dropped(void) {
    static const char *const merges[] = {"q r", "d a", "a b", "b c", "a b",
                                         "zz a", NULL};
    vocabulary v = {.model = "gpt2", .pre = "gpt-2", .tokens = tokens,
                    .merges = merges};
    opened o = open_vocabulary(&v);
    CHECK_TOKENS(o.tokenizer, "dabc", 0, "d|ab|c");
    close_vocabulary(&o);
}

static void malformed_merges_are_refused(void) {
    static const char *const without_space[] = {"a b", "ab", NULL};
    static const char *const space_first[] = {" ab", NULL};
    static const char *const empty[] = {"", NULL};
    vocabulary v = {.model = "gpt2", .pre = "gpt-2", .tokens = tokens,
                    .merges = without_space};
    pipit_status s;
    CHECK_HOLDS(refusal(&v, &s), "merge 1 of key tokenizer.ggml.merges");
    CHECK_EQ_I64(s, PIPIT_E_VOCABULARY);
    v.merges = space_first;
    refusal(&v, &s);
    CHECK_EQ_I64(s, PIPIT_E_VOCABULARY);
    v.merges = empty;
    refusal(&v, &s);
    CHECK_EQ_I64(s, PIPIT_E_VOCABULARY);
    v.merges = NULL;
    CHECK_HOLDS(refusal(&v, &s), "missing key tokenizer.ggml.merges");
    CHECK_EQ_I64(s, PIPIT_E_VOCABULARY);
}

static void unknown_pre_tokenizers_are_named(void) {
    static const char *const merges[] = {"a b", NULL};
    vocabulary v = {.model = "gpt2", .pre = "surprise", .tokens = tokens,
                    .merges = merges};
    pipit_status s;
    CHECK_HOLDS(refusal(&v, &s), "\"surprise\" (key tokenizer.ggml.pre)");
    CHECK_EQ_I64(s, PIPIT_E_UNSUPPORTED);
}

/* NFC is for Qwen alone: e and U+0301 become one letter of two bytes. */
static void qwen_takes_nfc(void) {
    static const char *const letters[] = {
        "e", "\xC4\xAE", "\xC3\x83", "\xC2\xA9", "\xC3\x8C", "\xC4\xA3", NULL};
    static const char *const merges[] = {"e e", NULL};
    vocabulary v = {.model = "gpt2", .pre = "qwen2", .tokens = letters,
                    .merges = merges};
    opened o = open_vocabulary(&v);
    CHECK_TOKENS(o.tokenizer, "e\xCC\x81", 0, "\xC3\x83|\xC2\xA9");
    close_vocabulary(&o);
    v.pre = "gpt-2";
    o = open_vocabulary(&v);
    CHECK_TOKENS(o.tokenizer, "e\xCC\x81", 0, "e|\xC3\x8C|\xC4\xA3");
    close_vocabulary(&o);
}

/* ---- the queue --------------------------------------------------------- */

#define N_VALUES 12u

/* Rank and result of each pair of values, at random: better than what any
 * training gives, since here merges may make pairs that come before them. */
typedef struct table {
    uint32_t ranks[N_VALUES][N_VALUES];
    uint32_t merged[N_VALUES][N_VALUES];
} table;

static uint64_t dice = 88172645463325252u;
static uint32_t roll(uint32_t n) {
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (uint32_t)(dice % n);
}

static uint32_t rank_of(const void *context, const pipit_merge *m,
                        uint32_t left, uint32_t *merged) {
    const table *t = context;
    uint32_t a = m->symbols[left].value;
    uint32_t b = m->symbols[m->symbols[left].next].value;
    *merged = t->merged[a][b];
    return t->ranks[a][b];
}

/* The best pair again and again, found by looking at all. */
static size_t merge_plainly(const table *t, uint32_t *values, size_t n) {
    for (;;) {
        size_t best = n;
        uint32_t best_rank = PIPIT_NO_RANK;
        for (size_t i = 0; i + 1 < n; i++)
            if (t->ranks[values[i]][values[i + 1]] < best_rank) {
                best_rank = t->ranks[values[i]][values[i + 1]];
                best = i;
            }
        if (best == n) return n;
        values[best] = t->merged[values[best]][values[best + 1]];
        memmove(values + best + 1, values + best + 2,
                (n - best - 2) * sizeof *values);
        n--;
    }
}

static void the_queue_finds_the_best_pair(void) {
    pipit_allocator a = *pipit_platform_allocator();
    pipit_scratch scratch = {&a, NULL, 0};
    for (int round = 0; round < 20000; round++) {
        table t;
        uint32_t values[64];
        size_t n = 1 + roll(64), i = 0;
        uint32_t n_ranks = 1 + roll(30), chance = 1 + roll(4);
        pipit_merge m;
        for (uint32_t x = 0; x < N_VALUES; x++)
            for (uint32_t y = 0; y < N_VALUES; y++) {
                t.ranks[x][y] = roll(chance) ? PIPIT_NO_RANK : roll(n_ranks);
                t.merged[x][y] = roll(N_VALUES);
            }
        CHECK(pipit_merge_init(&m, n, &scratch));
        for (uint32_t j = 0; j < n; j++) {
            values[j] = roll(round % 2 ? 2 : N_VALUES);
            m.symbols[j] = (pipit_symbol){.prev = j - 1, .next = j + 1,
                                          .value = values[j]};
        }
        pipit_merge_run(&m, rank_of, &t);
        size_t n_right = merge_plainly(&t, values, n);
        for (uint32_t j = 0; j < n; j = m.symbols[j].next, i++)
            if (i >= n_right || m.symbols[j].value != values[i]) break;
        CHECK_EQ_U64(i, n_right);
    }
    pipit_scratch_release(&scratch);
}

int main(void) {
    CASE(every_byte_has_a_letter);
    CASE(what_is_no_letter_stays);
    CASE(the_lowest_rank_merges_first);
    CASE(words_limit_merges);
    CASE(whole_words_where_merges_are_ignored);
    CASE(merges_without_tokens_are_dropped);
    CASE(malformed_merges_are_refused);
    CASE(unknown_pre_tokenizers_are_named);
    CASE(qwen_takes_nfc);
    CASE(the_queue_finds_the_best_pair);
    return check_done();
}

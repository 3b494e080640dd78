/* SentencePiece on vocabularies small enough to follow by hand. */
#include "vocabulary_blob.h"

#include <math.h>

#define S "\xE2\x96\x81" /* the mark of a space */

static const char *const tokens[] = {
    "<unk>", "<s>", "</s>", S, "a", "b", "c", "ab", "bc", S "a", "abc", "aa",
    S S, "<0xC3>", "<0x0A>", S "ab", NULL};
static const int32_t kinds[] = {2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 6, 6, 1};
/*                              unk s /s  _  a  b  c ab  bc  _a abc aa  __ */
static const float scores[] = {0, 0, 0, -9, -9, -9, -9, -2, -3, -4, -5, -6, -7,
                               0, 0, -8};

static vocabulary base(void) {
    return (vocabulary){.model = "llama", .tokens = tokens, .kinds = kinds,
                        .scores = scores};
}

static void the_highest_score_merges_first(void) {
    vocabulary v = base();
    v.flags[0].key = "add_space_prefix"; /* off */
    opened o = open_vocabulary(&v);
    CHECK_TOKENS(o.tokenizer, "abc", 0, "abc");  /* ab, then abc */
    CHECK_TOKENS(o.tokenizer, "abbc", 0, "ab|bc");
    CHECK_TOKENS(o.tokenizer, "aaa", 0, "aa|a"); /* the leftmost of equals */
    CHECK_TOKENS(o.tokenizer, "aaaa", 0, "aa|aa");
    CHECK_TOKENS(o.tokenizer, " ab", 0, S "ab"); /* ab, then _ab */
    CHECK_TOKENS(o.tokenizer, "  a", 0, S "|" S "a");
    CHECK_TOKENS(o.tokenizer, "b  b", 0, "b|" S S "|b");
    close_vocabulary(&o);
}

static void a_space_goes_in_front(void) {
    vocabulary v = base();
    opened o = open_vocabulary(&v);
    CHECK_TOKENS(o.tokenizer, "a", 0, S "a");
    CHECK_TOKENS(o.tokenizer, "", PIPIT_ADD_SPECIAL, "<s>");
    CHECK_TOKENS(o.tokenizer, "", 0, "");
    CHECK_TOKENS(o.tokenizer, "b", PIPIT_ADD_SPECIAL, "<s>|" S "|b");
    /* After every special token again. */
    CHECK_TOKENS(o.tokenizer, "a</s>a", PIPIT_PARSE_SPECIAL,
                 S "a|</s>|" S "a");
    close_vocabulary(&o);
}

static void bytes_stand_in(void) {
    vocabulary v = base();
    v.flags[0].key = "add_space_prefix";
    opened o = open_vocabulary(&v);
    /* <0xA9> is missing: unknown. So is a lone continuation byte. */
    CHECK_TOKENS(o.tokenizer, "\xC3\xA9\n", 0, "<0xC3>|<unk>|<0x0A>");
    CHECK_TOKENS(o.tokenizer, "a\xA9", 0, "a|<unk>");
    CHECK_TOKENS(o.tokenizer, "\xC3", 0, "<0xC3>");
    close_vocabulary(&o);
}

static void bos_and_eos_as_the_file_asks(void) {
    vocabulary v = base();
    v.flags[0].key = "add_bos_token";
    v.flags[1].key = "add_eos_token";
    v.flags[1].value = 1;
    opened o = open_vocabulary(&v);
    CHECK_TOKENS(o.tokenizer, "a", PIPIT_ADD_SPECIAL, S "a|</s>");
    CHECK_TOKENS(o.tokenizer, "a", 0, S "a");
    CHECK(!pipit_tokenizer_adds_bos(o.tokenizer));
    close_vocabulary(&o);
    v = base();
    o = open_vocabulary(&v);
    CHECK(pipit_tokenizer_adds_bos(o.tokenizer));
    close_vocabulary(&o);
}

/* -0 equals 0, infinities and NaN have their place, none breaks the order. */
static void odd_scores_are_ordered(void) {
    static const char *const odd[] = {"a", "b", "c", "d", "e", "f", "ab", "bc",
                                      "cd", "de", "ef", NULL};
    float values[] = {0, 0, 0, 0, 0, 0, -0.0f, 0.0f, (float)NAN, -3e38f,
                      (float)INFINITY};
    vocabulary v = {.model = "llama", .tokens = odd, .scores = values};
    v.flags[0].key = "add_space_prefix";
    opened o = open_vocabulary(&v);
    CHECK_TOKENS(o.tokenizer, "abc", 0, "ab|c");
    CHECK_TOKENS(o.tokenizer, "bcd", 0, "bc|d");
    CHECK_TOKENS(o.tokenizer, "cde", 0, "c|de");
    CHECK_TOKENS(o.tokenizer, "def", 0, "d|ef");
    CHECK_TOKENS(o.tokenizer, "cd", 0, "cd");
    close_vocabulary(&o);
}

/* Cutting at pairs of characters that no token has must change nothing: a
 * token across what would be a word's border has to be found. */
static void tokens_with_spaces_inside_are_found(void) {
    static const char *const inner[] = {"a", S, "b", "a" S, "a" S "b", NULL};
    static const float inner_scores[] = {-9, -9, -9, -2, -3};
    vocabulary v = {.model = "llama", .tokens = inner, .scores = inner_scores};
    v.flags[0].key = "add_space_prefix";
    opened o = open_vocabulary(&v);
    CHECK_TOKENS(o.tokenizer, "a b a", 0, "a" S "b|" S "|a");
    close_vocabulary(&o);
}

static void scores_and_kinds_have_to_fit(void) {
    vocabulary v = base();
    pipit_status s;
    v.n_scores = 15;
    CHECK_HOLDS(refusal(&v, &s), "tokenizer.ggml.scores has 15 elements");
    CHECK_EQ_I64(s, PIPIT_E_VOCABULARY);
    v = base();
    v.n_kinds = 1;
    CHECK_HOLDS(refusal(&v, &s), "tokenizer.ggml.token_type has 1 elements");
    CHECK_EQ_I64(s, PIPIT_E_VOCABULARY);
}

int main(void) {
    CASE(the_highest_score_merges_first);
    CASE(a_space_goes_in_front);
    CASE(bytes_stand_in);
    CASE(bos_and_eos_as_the_file_asks);
    CASE(odd_scores_are_ordered);
    CASE(tokens_with_spaces_inside_are_found);
    CASE(scores_and_kinds_have_to_fit);
    return check_done();
}

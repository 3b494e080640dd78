/* WordPiece: what BERT's own tokenizer makes of the same words. */
#include "vocabulary_blob.h"

#define S "\xE2\x96\x81"

static const char *const tokens[] = {
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", S "un", "aff", "able", S "hello",
    S "world", S "!", S "\xE4\xB8\xAD", S "e", "e", "x", S "$", S "a", "a",
    S, S "i\xCC\x87", S "\xC3\xA9", NULL};
static const int32_t kinds[] = {3, 2, 3, 3, 1, 1, 1, 1, 1, 1,
                                1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

static vocabulary base(void) {
    vocabulary v = {.model = "bert", .tokens = tokens, .kinds = kinds};
    v.ids[0].key = "bos_token_id";
    v.ids[0].value = 2;
    v.ids[1].key = "seperator_token_id";
    v.ids[1].value = 3;
    v.ids[2].key = "unknown_token_id";
    v.ids[2].value = 1;
    return v;
}

static void words_become_their_longest_tokens(void) {
    vocabulary v = base();
    opened o = open_vocabulary(&v);
    CHECK_TOKENS(o.tokenizer, "unaffable", 0, S "un|aff|able");
    CHECK_TOKENS(o.tokenizer, "Hello, WORLD!", 0,
                 S "hello|[UNK]|" S "world|" S "!");
    CHECK_TOKENS(o.tokenizer, "hello", PIPIT_ADD_SPECIAL,
                 "[CLS]|" S "hello|[SEP]");
    CHECK_TOKENS(o.tokenizer, "", PIPIT_ADD_SPECIAL, "[CLS]|[SEP]");
    CHECK_TOKENS(o.tokenizer, " \t\n", 0, "");
    /* "un" fits, "q" doesn't: the whole word is unknown. */
    CHECK_TOKENS(o.tokenizer, "unq hello", 0, "[UNK]|" S "hello");
    /* The mark alone, though a token, begins no word. */
    CHECK_TOKENS(o.tokenizer, "xe", 0, "[UNK]");
    close_vocabulary(&o);
}

static void text_is_cleaned(void) {
    vocabulary v = base();
    opened o = open_vocabulary(&v);
    CHECK_TOKENS(o.tokenizer, "\xC3\x89", 0, S "e"); /* accent and capital */
    CHECK_TOKENS(o.tokenizer, "e\xCC\x81" "e", 0, S "e|e");
    CHECK_TOKENS(o.tokenizer, "he\x01llo", 0, S "hello");
    CHECK_TOKENS(o.tokenizer, "he\xFFllo", 0, S "hello");
    CHECK_TOKENS(o.tokenizer, "a$a", 0, S "a|" S "$|" S "a");
    CHECK_TOKENS(o.tokenizer, "a\xE4\xB8\xAD" "a", 0,
                 S "a|" S "\xE4\xB8\xAD|" S "a");
    close_vocabulary(&o);
    v.flags[0].key = "normalizer.lowercase"; /* off, and so accents stay */
    o = open_vocabulary(&v);
    CHECK_TOKENS(o.tokenizer, "\xC3\xA9 Hello", 0, S "\xC3\xA9|[UNK]");
    close_vocabulary(&o);
}

static void overlong_words_are_unknown(void) {
    char text[128];
    vocabulary v = base();
    opened o = open_vocabulary(&v);
    uint32_t ids[128];
    size_t n;
    memset(text, 'a', sizeof text);
    CHECK_EQ_I64(pipit_tokenize(o.tokenizer, text, 100, 0, ids, 128, &n, NULL),
                 PIPIT_OK);
    CHECK_EQ_U64(n, 100);
    CHECK_EQ_I64(pipit_tokenize(o.tokenizer, text, 101, 0, ids, 128, &n, NULL),
                 PIPIT_OK);
    CHECK(n == 1 && ids[0] == 1);
    close_vocabulary(&o);
}

static void continuations_join_when_decoded(void) {
    static const uint32_t ids[] = {2, 7, 4, 5, 6, 3};
    char text[64];
    size_t n;
    vocabulary v = base();
    opened o = open_vocabulary(&v);
    CHECK_EQ_I64(pipit_detokenize(o.tokenizer, ids, 6, 0, (uint8_t *)text,
                                  sizeof text, &n, NULL),
                 PIPIT_OK);
    CHECK_TEXT(text, n, " hello unaffable");
    close_vocabulary(&o);
}

int main(void) {
    CASE(words_become_their_longest_tokens);
    CASE(text_is_cleaned);
    CASE(overlong_words_are_unknown);
    CASE(continuations_join_when_decoded);
    return check_done();
}

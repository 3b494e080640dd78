/* The tokenizer as an object: special tokens, ends, decoding, what it refuses,
 * and what it does without memory. */
#include "specials.h"
#include "vocabulary.h"
#include "vocabulary_blob.h"

#define S "\xE2\x96\x81"

static const char *const tokens[] = {
    "<unk>", "<s>", "</s>", "a", "b", "<x>", "<xx>", "x>", "<x><x>", "ab",
    "<|im_end|>", "<0x0A>", S, S "a", "", "ab", "<|file_sep|>", NULL};
static const int32_t kinds[] = {2, 3, 3, 1, 1, 3, 3, 4, 3, 1, 1, 6, 1, 1, 1, 1,
                                1};
static const float scores[17] = {0};

static vocabulary base(void) {
    vocabulary v = {.model = "llama", .tokens = tokens, .kinds = kinds,
                    .scores = scores};
    v.flags[0].key = "add_space_prefix";
    return v;
}

/* ---- special tokens ---------------------------------------------------- */

static void the_longest_special_token_wins(void) {
    vocabulary v = base();
    opened o = open_vocabulary(&v);
    CHECK_TOKENS(o.tokenizer, "a<x>b", PIPIT_PARSE_SPECIAL, "a|<x>|b");
    CHECK_TOKENS(o.tokenizer, "<x><x><x>", PIPIT_PARSE_SPECIAL, "<x><x>|<x>");
    /* The longer one further right takes its bytes from the shorter one. */
    CHECK_TOKENS(o.tokenizer, "<x<xx>", PIPIT_PARSE_SPECIAL,
                 "<unk>|<unk>|<xx>");
    /* Control tokens only when asked; user-defined ones always. */
    CHECK_TOKENS(o.tokenizer, "<x>", 0, "<unk>|x>");
    CHECK_TOKENS(o.tokenizer, "<s>", PIPIT_PARSE_SPECIAL | PIPIT_ADD_SPECIAL,
                 "<s>|<s>");
    close_vocabulary(&o);
}

static void phi_3_strips_to_the_right(void) {
    vocabulary v = base();
    v.name = "Phi-3 mini";
    opened o = open_vocabulary(&v);
    CHECK_TOKENS(o.tokenizer, "a<x> \n a", PIPIT_PARSE_SPECIAL, "a|<x>|a");
    CHECK_TOKENS(o.tokenizer, "<s> a", PIPIT_PARSE_SPECIAL, "<s>|" S "a");
    CHECK_TOKENS(o.tokenizer, "<x> ", PIPIT_PARSE_SPECIAL, "<x>");
    close_vocabulary(&o);
}

static uint64_t dice = 88172645463325252u;
static uint32_t roll(uint32_t n) {
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (uint32_t)(dice % n);
}

#define N_RANDOM 24u
#define N_TEXT 60u

/* owner[i]: the token at byte i, plus 1; found by searching the text for one
 * length after the other, the longest first, from the left. */
static void cut_plainly(char texts[][8], const char *text, size_t n,
                        uint32_t *owner) {
    memset(owner, 0, n * sizeof *owner);
    for (size_t length = 7; length > 0; length--)
        for (size_t at = 0; at + length <= n; at++)
            for (uint32_t i = 0; i < N_RANDOM; i++) {
                bool free = strlen(texts[i]) == length &&
                            memcmp(texts[i], text + at, length) == 0;
                for (size_t j = 0; free && j < length; j++)
                    free = owner[at + j] == 0;
                for (size_t j = 0; free && j < length; j++)
                    owner[at + j] = i + 1;
            }
}

/* Different random texts over two letters, as control tokens. */
static void random_tokens(char texts[][8], const char **pointers,
                          int32_t *all_control) {
    for (uint32_t i = 0; i < N_RANDOM; i++) {
        bool again = true;
        while (again) {
            uint32_t n = 1 + roll(7);
            for (uint32_t j = 0; j < n; j++) texts[i][j] = "<>"[roll(2)];
            texts[i][n] = '\0';
            again = false;
            for (uint32_t j = 0; j < i; j++)
                again |= strcmp(texts[i], texts[j]) == 0;
        }
        pointers[i] = texts[i];
        all_control[i] = PIPIT_TOKEN_CONTROL;
    }
}

/* The fragments of one text against the plain search. */
static void check_cuts(const pipit_specials *s, char texts[][8],
                       pipit_scratch scratch[2]) {
    char text[N_TEXT];
    uint32_t owner[N_TEXT];
    size_t n = 1 + roll(N_TEXT), at = 0;
    pipit_cuts cuts;
    pipit_fragment f;
    for (size_t i = 0; i < n; i++) text[i] = roll(12) ? "<>"[roll(2)] : 'z';
    cut_plainly(texts, text, n, owner);
    CHECK(pipit_specials_cut(s, (const uint8_t *)text, n, true, &scratch[0],
                             &scratch[1], &cuts));
    while (pipit_cuts_next(&cuts, &f)) {
        CHECK(f.start == at && f.end > at && f.end <= n);
        for (at = f.start; at < f.end; at++)
            if (!CHECK_EQ_U64(owner[at], f.token + 1)) /* NO_TOKEN + 1 is 0 */
                printf("(byte %zu of %.*s)\n", at, (int)n, text);
    }
    CHECK_EQ_U64(at, n);
}

static void check_random_specials(void) {
    char texts[N_RANDOM][8];
    const char *pointers[N_RANDOM + 1] = {NULL};
    int32_t all_control[N_RANDOM];
    pipit_vocabulary v;
    pipit_specials s;
    pipit_arena arena = {0};
    pipit_scratch scratch[2] = {{pipit_platform_allocator(), NULL, 0},
                                {pipit_platform_allocator(), NULL, 0}};
    random_tokens(texts, pointers, all_control);
    put_vocabulary(&(vocabulary){.tokens = pointers, .kinds = all_control});
    pipit_file *file = open_blob(NULL);
    CHECK_EQ_I64(pipit_vocabulary_read(file, &v, NULL), PIPIT_OK);
    pipit_specials_init(&s, &v, 0);
    pipit_vocabulary_carve(&arena, &v);
    pipit_specials_carve(&arena, &s);
    void *block = aligned_alloc(64, arena.used);
    arena = (pipit_arena){.base = block, .capacity = arena.used};
    pipit_vocabulary_carve(&arena, &v);
    pipit_specials_carve(&arena, &s);
    CHECK_EQ_I64(pipit_vocabulary_build(&v, NULL), PIPIT_OK);
    CHECK_EQ_I64(pipit_specials_build(&s, NULL), PIPIT_OK);
    for (int round = 0; round < 200; round++) check_cuts(&s, texts, scratch);
    pipit_scratch_release(&scratch[0]);
    pipit_scratch_release(&scratch[1]);
    free(block);
    pipit_file_close(file);
}

static void cuts_are_those_of_the_plain_search(void) {
    for (int i = 0; i < 150; i++) check_random_specials();
}

/* ---- roles and ends ---------------------------------------------------- */

static void roles_and_ends(void) {
    vocabulary v = base();
    v.ids[0].key = "padding_token_id";
    v.ids[0].value = 3;
    v.ids[1].key = "bos_token_id";
    v.ids[1].value = 1000; /* ignored: the default counts */
    opened o = open_vocabulary(&v);
    const pipit_tokenizer *t = o.tokenizer;
    CHECK_EQ_U64(pipit_tokenizer_special(t, PIPIT_BOS), 1);
    CHECK_EQ_U64(pipit_tokenizer_special(t, PIPIT_EOS), 2);
    CHECK_EQ_U64(pipit_tokenizer_special(t, PIPIT_EOT), 10); /* <|im_end|> */
    CHECK_EQ_U64(pipit_tokenizer_special(t, PIPIT_UNKNOWN), 0);
    CHECK_EQ_U64(pipit_tokenizer_special(t, PIPIT_PADDING), 3);
    CHECK_EQ_U64(pipit_tokenizer_special(t, (pipit_special)77), PIPIT_NO_TOKEN);
    CHECK(pipit_tokenizer_is_end(t, 2) && pipit_tokenizer_is_end(t, 10) &&
          pipit_tokenizer_is_end(t, 16));
    CHECK(!pipit_tokenizer_is_end(t, 3) && !pipit_tokenizer_is_end(t, 99));
    /* By its text it is a control token, whatever the file says. */
    CHECK_EQ_U64(pipit_tokenizer_kind(t, 10), PIPIT_TOKEN_CONTROL);
    CHECK_EQ_U64(pipit_tokenizer_kind(t, 16), PIPIT_TOKEN_NORMAL);
    CHECK_EQ_U64(pipit_tokenizer_kind(t, 99), PIPIT_TOKEN_UNDEFINED);
    CHECK_EQ_U64(pipit_tokenizer_n_tokens(t), 17);
    close_vocabulary(&o);
}

/* Qwen has "</s>" as plain text; Llama has it as its EOS. */
static void a_plain_html_tag_ends_nothing(void) {
    static const char *const few[] = {"</s>", "<", NULL};
    static const char *const merges[] = {"< <", NULL};
    vocabulary v = {.model = "gpt2", .pre = "gpt-2", .tokens = few,
                    .merges = merges};
    opened o = open_vocabulary(&v);
    CHECK(!pipit_tokenizer_is_end(o.tokenizer, 0));
    CHECK_EQ_U64(pipit_tokenizer_kind(o.tokenizer, 0), PIPIT_TOKEN_NORMAL);
    CHECK_EQ_U64(pipit_tokenizer_special(o.tokenizer, PIPIT_BOS),
                 PIPIT_NO_TOKEN);
    close_vocabulary(&o);
    v.ids[0].key = "eos_token_id";
    v.ids[0].value = 0;
    o = open_vocabulary(&v);
    CHECK(pipit_tokenizer_is_end(o.tokenizer, 0));
    CHECK_EQ_U64(pipit_tokenizer_kind(o.tokenizer, 0), PIPIT_TOKEN_CONTROL);
    close_vocabulary(&o);
}

/* ---- decoding ---------------------------------------------------------- */

static const char *decode(const pipit_tokenizer *t, const uint32_t *ids,
                          size_t n, uint32_t flags) {
    static char out[128];
    size_t n_out = 0, n_half = 0;
    CHECK_EQ_I64(pipit_detokenize(t, ids, n, flags, (uint8_t *)out, 127, &n_out,
                                  NULL),
                 PIPIT_OK);
    out[n_out < 127 ? n_out : 127] = '\0';
    /* With too little room the same bytes come, as far as they fit. */
    uint8_t *half = malloc(n_out / 2 + 1);
    CHECK_EQ_I64(pipit_detokenize(t, ids, n, flags, half, n_out / 2, &n_half,
                                  NULL),
                 PIPIT_OK);
    CHECK_EQ_U64(n_half, n_out);
    CHECK(memcmp(half, out, n_out / 2) == 0);
    free(half);
    return out;
}

static void decoding(void) {
    vocabulary v = base();
    v.flags[0].value = 1; /* a space goes in front */
    opened o = open_vocabulary(&v);
    const uint32_t ids[] = {1, 13, 11, 4, 13, 5, 7, 0};
    const uint32_t keep = PIPIT_KEEP_CONTROL, drop = PIPIT_DROP_LEADING_SPACE;
    CHECK(strcmp(decode(o.tokenizer, ids, 8, 0), " a\nb ax>") == 0);
    CHECK(strcmp(decode(o.tokenizer, ids, 8, drop), "a\nb ax>") == 0);
    CHECK(strcmp(decode(o.tokenizer, ids, 8, keep),
                 "<s> a\nb a<x>x><unk>") == 0);
    CHECK(strcmp(decode(o.tokenizer, ids + 1, 1, keep | drop), "a") == 0);
    CHECK(strcmp(decode(o.tokenizer, ids, 0, 0), "") == 0);
    close_vocabulary(&o);
}

static void bad_ids_are_named(void) {
    vocabulary v = base();
    opened o = open_vocabulary(&v);
    const uint32_t ids[] = {3, 4, 17, 18};
    pipit_error error;
    size_t n = 4711;
    CHECK_EQ_I64(pipit_detokenize(o.tokenizer, ids, 4, 0, NULL, 0, &n, &error),
                 PIPIT_E_TOKEN);
    CHECK_HOLDS(error.message, "token 17, number 2");
    CHECK_EQ_U64(n, 4711);
    pipit_string text;
    CHECK_EQ_I64(pipit_tokenizer_text(o.tokenizer, 17, &text), PIPIT_E_TOKEN);
    close_vocabulary(&o);
}

/* ---- vocabularies that are odd ----------------------------------------- */

static void of_equal_texts_the_last_is_found(void) {
    vocabulary v = base();
    opened o = open_vocabulary(&v);
    uint32_t ids[4];
    size_t n;
    CHECK_EQ_I64(pipit_tokenize(o.tokenizer, "ab", 2, 0, ids, 4, &n, NULL),
                 PIPIT_OK);
    CHECK(n == 1 && ids[0] == 15); /* 9 is "ab" too */
    close_vocabulary(&o);
}

static void broken_vocabularies_are_refused(void) {
    static char long_text[PIPIT_MAX_TOKEN_BYTES + 2];
    const char *const one_long[] = {"a", long_text, NULL};
    static const char *const none[] = {NULL};
    const int32_t control[] = {1, PIPIT_TOKEN_CONTROL};
    pipit_status s;
    vocabulary v = base();
    v.model = NULL;
    CHECK_HOLDS(refusal(&v, &s), "missing key tokenizer.ggml.model");
    CHECK_EQ_I64(s, PIPIT_E_VOCABULARY);
    v.model = "t5";
    CHECK_HOLDS(refusal(&v, &s), "\"t5\" (key tokenizer.ggml.model)");
    CHECK_EQ_I64(s, PIPIT_E_UNSUPPORTED);
    v = base();
    v.tokens = NULL;
    CHECK_HOLDS(refusal(&v, &s), "tokenizer.ggml.tokens is missing or empty");
    CHECK_EQ_I64(s, PIPIT_E_VOCABULARY);
    v.tokens = none;
    refusal(&v, &s);
    CHECK_EQ_I64(s, PIPIT_E_VOCABULARY);
    memset(long_text, 'a', PIPIT_MAX_TOKEN_BYTES + 1);
    v = (vocabulary){.model = "llama", .tokens = one_long};
    CHECK_HOLDS(refusal(&v, &s), "token 1 of key tokenizer.ggml.tokens");
    CHECK_EQ_I64(s, PIPIT_E_VOCABULARY);
    long_text[PIPIT_MAX_TOKEN_BYTES] = '\0';
    refusal(&v, &s);
    CHECK_EQ_I64(s, PIPIT_OK);
    long_text[PIPIT_MAX_SPECIAL_BYTES + 1] = '\0';
    v.kinds = control;
    CHECK_HOLDS(refusal(&v, &s), "special token 1");
    CHECK_EQ_I64(s, PIPIT_E_VOCABULARY);
}

/* An array of the wrong element type, or a scalar where an array belongs. */
static void wrong_types_are_refused(void) {
    static const char *const keys[] = {"tokenizer.ggml.token_type",
                                       "tokenizer.ggml.scores"};
    static const char *const texts[] = {"a", "b", NULL};
    for (uint32_t i = 0; i < 4; i++) {
        pipit_error error = {0};
        pipit_tokenizer *t = NULL;
        begin(0, 3);
        put_key("tokenizer.ggml.model", PIPIT_STRING);
        put_text("llama");
        put_texts("tokenizer.ggml.tokens", texts);
        if (i < 2) {
            put_array(keys[i], PIPIT_STRING, 2);
            put_text("1");
            put_text("1");
        } else {
            put_key(keys[i - 2], PIPIT_U32);
            put_u32(1);
        }
        pad(32);
        pipit_file *file = open_blob(NULL);
        CHECK_EQ_I64(pipit_tokenizer_open(file, NULL, &t, &error),
                     PIPIT_E_VOCABULARY);
        CHECK_HOLDS(error.message, keys[i % 2]);
        pipit_file_close(file);
    }
}

static void arguments_are_checked(void) {
    vocabulary v = base();
    opened o = open_vocabulary(&v);
    pipit_tokenizer *other = NULL;
    pipit_file *unread = NULL;
    size_t n;
    CHECK_EQ_I64(pipit_tokenize(NULL, "a", 1, 0, NULL, 0, &n, NULL),
                 PIPIT_E_ARGUMENT);
    CHECK_EQ_I64(pipit_tokenize(o.tokenizer, NULL, 1, 0, NULL, 0, &n, NULL),
                 PIPIT_E_ARGUMENT);
    CHECK_EQ_I64(pipit_tokenize(o.tokenizer, "a", 1, 4, NULL, 0, &n, NULL),
                 PIPIT_E_ARGUMENT);
    CHECK_EQ_I64(pipit_tokenize(o.tokenizer, "a", 1, 0, NULL, 1, &n, NULL),
                 PIPIT_E_ARGUMENT);
    CHECK_EQ_I64(pipit_tokenize(o.tokenizer, "a", PIPIT_MAX_TEXT_BYTES + 1, 0,
                                NULL, 0, &n, NULL),
                 PIPIT_E_TOO_LARGE);
    CHECK_EQ_I64(pipit_detokenize(o.tokenizer, NULL, 1, 0, NULL, 0, &n, NULL),
                 PIPIT_E_ARGUMENT);
    CHECK_EQ_I64(pipit_tokenizer_open(NULL, NULL, &other, NULL),
                 PIPIT_E_ARGUMENT);
    CHECK_EQ_I64(pipit_file_open(0, NULL, &unread), PIPIT_OK);
    CHECK_EQ_I64(pipit_tokenizer_open(unread, NULL, &other, NULL),
                 PIPIT_E_STATE);
    pipit_file_close(unread);
    pipit_tokenizer_close(NULL);
    CHECK_EQ_U64(pipit_tokenizer_n_tokens(NULL), 0);
    close_vocabulary(&o);
}

/* ---- memory ------------------------------------------------------------ */

static void every_refusal_of_memory_is_survived(void) {
    static const char text[] = "<x> a<x>a\xFF b<xx>";
    vocabulary v = base();
    put_vocabulary(&v);
    pipit_file *file = open_blob(NULL);
    bool succeeded = false;
    for (uint64_t fail_at = 1; !succeeded && fail_at < 50; fail_at++) {
        check_memory memory = {.fail_at = fail_at};
        pipit_allocator a = check_allocator(&memory);
        pipit_tokenizer *t = NULL;
        uint32_t ids[32];
        size_t n = 4711;
        pipit_status s = pipit_tokenizer_open(file, &a, &t, NULL);
        if (s == PIPIT_OK) {
            CHECK_EQ_U64(memory.live_bytes, pipit_tokenizer_bytes(t));
            s = pipit_tokenize(t, text, sizeof text - 1, PIPIT_PARSE_SPECIAL,
                               ids, 32, &n, NULL);
            /* Working memory was given back. */
            CHECK_EQ_U64(memory.live_bytes, pipit_tokenizer_bytes(t));
        }
        succeeded = s == PIPIT_OK;
        if (!succeeded) CHECK(s == PIPIT_E_MEMORY && n == 4711);
        pipit_tokenizer_close(t);
        CHECK_EQ_U64(memory.n_live, 0);
        CHECK_EQ_U64(memory.live_bytes, 0);
    }
    CHECK(succeeded);
    pipit_file_close(file);
}

/* One word of a million letters: quadratic work would take hours, and the
 * memory for it has to stay in proportion. */
static void a_word_of_a_million_letters(void) {
    enum { N = 1 << 20 };
    static const char *const letters[] = {"a", "aa", "aaaa", "<", "<<", NULL};
    static const char *const merges[] = {"a a", "aa aa", NULL};
    static const int32_t user_defined[] = {1, 1, 1, 4, 4};
    static const float few_scores[] = {-3, -1, -2, 0, 0};
    char *text = malloc(N);
    uint32_t *ids = malloc(N * sizeof *ids);
    vocabulary v = {.model = "gpt2", .pre = "gpt-2", .tokens = letters,
                    .merges = merges, .kinds = user_defined,
                    .scores = few_scores};
    v.flags[0].key = "add_space_prefix";
    for (int i = 0; i < 4; i++) {
        check_memory memory = {0};
        pipit_allocator a = check_allocator(&memory);
        pipit_tokenizer *t = NULL;
        size_t n = 0;
        v.model = i % 2 ? "llama" : "gpt2";
        memset(text, i < 2 ? 'a' : '<', N);
        put_vocabulary(&v);
        pipit_file *file = open_blob(NULL);
        CHECK_EQ_I64(pipit_tokenizer_open(file, &a, &t, NULL), PIPIT_OK);
        CHECK_EQ_I64(pipit_tokenize(t, text, N, 0, ids, N, &n, NULL), PIPIT_OK);
        CHECK_EQ_U64(n, i < 2 ? N / 4 : N / 2);
        for (size_t j = 1; j < n; j++)
            if (ids[j] != ids[0]) CHECK(false);
        CHECK(memory.peak_bytes < 64 * (uint64_t)N);
        pipit_tokenizer_close(t);
        CHECK_EQ_U64(memory.live_bytes, 0);
        pipit_file_close(file);
    }
    free(ids);
    free(text);
}

static void the_measure_is_what_it_takes(void) {
    vocabulary v = base();
    opened o = open_vocabulary(&v);
    uint64_t bytes = 0;
    CHECK_EQ_I64(pipit_tokenizer_measure(o.file, &bytes, NULL), PIPIT_OK);
    CHECK_EQ_U64(bytes, pipit_tokenizer_bytes(o.tokenizer));
    CHECK_EQ_U64(pipit_tokenizer_max_piece(o.tokenizer), 12); /* <|file_sep|> */
    close_vocabulary(&o);
}

int main(void) {
    CASE(the_longest_special_token_wins);
    CASE(phi_3_strips_to_the_right);
    CASE(cuts_are_those_of_the_plain_search);
    CASE(roles_and_ends);
    CASE(a_plain_html_tag_ends_nothing);
    CASE(decoding);
    CASE(bad_ids_are_named);
    CASE(of_equal_texts_the_last_is_found);
    CASE(broken_vocabularies_are_refused);
    CASE(wrong_types_are_refused);
    CASE(arguments_are_checked);
    CASE(every_refusal_of_memory_is_survived);
    CASE(a_word_of_a_million_letters);
    CASE(the_measure_is_what_it_takes);
    return check_done();
}

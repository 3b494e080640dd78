/* The whole text is fed in every way of cutting it: what comes out must be the
 * same, and at each moment valid UTF-8. */
#include "check.h"
#include "text.h"

typedef struct fixture {
    pipit_text text;
    uint8_t *block;
    char out[4096]; /* all that was given out */
    size_t n_out;
} fixture;

static void open_text(fixture *f, const pipit_string *stops, size_t n_stops,
                      size_t max_piece) {
    pipit_arena arena = {0};
    CHECK(pipit_text_check(stops, n_stops, NULL) == PIPIT_OK);
    pipit_text_carve(stops, n_stops, max_piece, &arena, &f->text);
    CHECK(!arena.overflow);
    size_t bytes = arena.used;
    f->block = aligned_alloc(64, bytes);
    memset(f->block, 0xA5, bytes);
    arena = (pipit_arena){.base = f->block, .capacity = bytes};
    pipit_text_carve(stops, n_stops, max_piece, &arena, &f->text);
    CHECK_EQ_U64(arena.used, bytes);
    f->n_out = 0;
}

static size_t push(fixture *f, const void *bytes, size_t n, bool last) {
    uint8_t *exact = malloc(n ? n : 1);
    memcpy(exact, bytes, n);
    pipit_string s = pipit_text_push(&f->text, exact, n, last);
    free(exact);
    CHECK(pipit_utf8_is_valid((const uint8_t *)s.bytes, s.n_bytes));
    CHECK(f->n_out + s.n_bytes <= sizeof f->out);
    memcpy(f->out + f->n_out, s.bytes, s.n_bytes);
    f->n_out += s.n_bytes;
    return s.n_bytes;
}

/* Input in pieces of `piece` bytes, with these stops; the end is either said
 * with the last piece or after it. */
static void expect_pieces(const char *input, size_t n, size_t piece,
                          bool end_apart, const pipit_string *stops,
                          size_t n_stops, const char *output, bool stopped) {
    fixture f;
    size_t at = 0;
    open_text(&f, stops, n_stops, piece);
    do {
        size_t k = n - at < piece ? n - at : piece;
        at += k;
        push(&f, input + at - k, k, at == n && !end_apart);
    } while (at < n);
    if (end_apart) push(&f, "", 0, true);
    CHECK_TEXT(f.out, f.n_out, output);
    CHECK(f.text.stopped == stopped);
    free(f.block);
}

static void expect(const char *input, size_t n, const pipit_string *stops,
                   size_t n_stops, const char *output, bool stopped) {
    for (size_t piece = 1; piece <= n + 1; piece++)
        for (int apart = 0; apart < 2; apart++)
            expect_pieces(input, n, piece, apart, stops, n_stops, output,
                          stopped);
}

#define EXPECT(input, output) \
    expect((input), sizeof(input) - 1, NULL, 0, (output), false)
#define BAD "\xEF\xBF\xBD"

static void passes_whole_characters(void) {
    EXPECT("", "");
    EXPECT("plain", "plain");
    EXPECT("gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x90\xA6!",
           "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x90\xA6!");
    EXPECT("\xF4\x8F\xBF\xBF\xED\x9F\xBF\xEE\x80\x80\xE0\xA0\x80\xC2\x80",
           "\xF4\x8F\xBF\xBF\xED\x9F\xBF\xEE\x80\x80\xE0\xA0\x80\xC2\x80");
}

/* One U+FFFD for each maximal part, as browsers' TextDecoder does. */
static void replaces_what_is_invalid(void) {
    EXPECT("\x80", BAD);
    EXPECT("a\xFF" "b", "a" BAD "b");
    EXPECT("\xC3", BAD);
    EXPECT("\xE2\x82", BAD);
    EXPECT("\xF0\x9F\x90", BAD);
    EXPECT("\xE2\x82x", BAD "x");
    EXPECT("\xE2\xE2\x82\xAC", BAD "\xE2\x82\xAC");
    EXPECT("\xF0\x9F\x90\xE2\x82\xAC", BAD "\xE2\x82\xAC");
    EXPECT("\xC0\xAF", BAD BAD);                 /* overlong */
    EXPECT("\xE0\x9F\xBF", BAD BAD BAD);         /* overlong */
    EXPECT("\xF0\x8F\xBF\xBF", BAD BAD BAD BAD); /* overlong */
    EXPECT("\xED\xA0\x80", BAD BAD BAD);         /* a surrogate */
    EXPECT("\xF4\x90\x80\x80", BAD BAD BAD BAD); /* past U+10FFFF */
    EXPECT("\xF5\x80", BAD BAD);
    EXPECT("\xF0\x9F\x90\xA6\xA6", "\xF0\x9F\x90\xA6" BAD);
    EXPECT("\xC3\xC3\xC3", BAD BAD BAD);
}

/* A character comes with its last byte, not before and not later. */
static void waits_for_characters_only(void) {
    fixture f;
    open_text(&f, NULL, 0, 8);
    CHECK_EQ_U64(push(&f, "a\xF0\x9F", 3, false), 1);
    CHECK_EQ_U64(push(&f, "\x90", 1, false), 0);
    CHECK_EQ_U64(push(&f, "\xA6", 1, false), 4);
    CHECK_EQ_U64(push(&f, "\xE2", 1, false), 0);
    CHECK_EQ_U64(push(&f, "z", 1, false), 4); /* U+FFFD, z */
    CHECK_EQ_U64(push(&f, "", 0, true), 0);
    free(f.block);
}

static void knows_valid_utf8(void) {
    /* Every sequence of two bytes, of three over the interesting ones. */
    for (uint32_t a = 0; a < 256; a++)
        for (uint32_t b = 0; b < 256; b++) {
            uint8_t two[2] = {(uint8_t)a, (uint8_t)b};
            bool right = (a < 0x80 && b < 0x80) ||
                         (a >= 0xC2 && a <= 0xDF && b >= 0x80 && b <= 0xBF);
            CHECK(pipit_utf8_is_valid(two, 2) == right);
        }
    for (uint32_t u = 0; u < 0x110000; u += 17) {
        uint8_t c[4] = {(uint8_t)(0xF0 | u >> 18),
                        (uint8_t)(0x80 | (u >> 12 & 63)),
                        (uint8_t)(0x80 | (u >> 6 & 63)),
                        (uint8_t)(0x80 | (u & 63))};
        CHECK(pipit_utf8_is_valid(c, 4) == (u >= 0x10000));
        c[1] = (uint8_t)(0xE0 | (u >> 12 & 15));
        if (u < 0x10000)
            CHECK(pipit_utf8_is_valid(c + 1, 3) ==
                  (u >= 0x800 && (u < 0xD800 || u > 0xDFFF)));
    }
    CHECK(pipit_utf8_is_valid((const uint8_t *)"", 0));
}

/* ---- stop strings ------------------------------------------------------ */

static pipit_string literal(const char *s) {
    return pipit_string_of(s, strlen(s));
}

static void expect_stop(const char *input, const char *stop, const char *output,
                        bool stopped) {
    pipit_string s = literal(stop);
    expect(input, strlen(input), &s, 1, output, stopped);
}

static void stops_across_pieces(void) {
    expect_stop("one two END three", "END", "one two ", true);
    expect_stop("END", "END", "", true);
    expect_stop("x", "END", "x", false);
    expect_stop("ENDEND", "END", "", true);
    expect_stop("EN EN END", "END", "EN EN ", true);
    expect_stop("EN", "END", "EN", false); /* held back, given at the end */
    expect_stop("aaaab", "aab", "aa", true);
    expect_stop("aaaa", "aab", "aaaa", false);
    expect_stop("ababababc", "ababc", "abab", true);
    expect_stop("one\n\ntwo", "\n\n", "one", true);
    expect_stop("ab\xE2\x82\xACz", "\xE2\x82\xAC", "ab", true);
    expect_stop("\xE2\x82\xAD\xE2\x82\xAC", "\xE2\x82\xAC", "\xE2\x82\xAD",
                true);
    expect_stop("a\x80z", BAD, "a", true); /* text is what is matched */
}

static void first_to_end_wins(void) {
    pipit_string stops[] = {literal("abcd"), literal("bc"), literal("xyz"),
                            literal("yz"), literal("z")};
    expect("1abcd", 5, stops, 2, "1a", true);
    expect("1abxbcd", 7, stops, 2, "1abx", true);
    /* Of those that end together, the one that began first. */
    expect("1xyz", 4, stops, 5, "1", true);
    expect("1yz", 3, stops + 2, 3, "1", true);
    expect("1wz", 3, stops + 2, 3, "1w", true);
}

/* What is held back is the longest end that may begin a stop string. */
static void holds_back_no_more_than_needed(void) {
    fixture f;
    pipit_string stops[] = {literal("abac"), literal("ba!")};
    open_text(&f, stops, 2, 8);
    CHECK_EQ_U64(push(&f, "xab", 3, false), 1);  /* ab */
    CHECK_EQ_U64(push(&f, "a", 1, false), 0);    /* aba */
    CHECK_EQ_U64(push(&f, "b", 1, false), 2);    /* abab: ab is out */
    CHECK_EQ_U64(push(&f, "x", 1, false), 3);
    CHECK_EQ_U64(push(&f, "ba", 2, false), 0);
    CHECK_EQ_U64(push(&f, "?", 1, false), 3);
    CHECK_EQ_U64(push(&f, "ab", 2, false), 0);
    CHECK_EQ_U64(push(&f, "", 0, true), 2);
    CHECK_TEXT(f.out, f.n_out, "xababxba?ab");
    free(f.block);
}

static void nothing_after_a_stop(void) {
    fixture f;
    pipit_string stop = literal("!");
    open_text(&f, &stop, 1, 8);
    CHECK_EQ_U64(push(&f, "a!b\xE2", 4, false), 1);
    CHECK_EQ_U64(push(&f, "\x82\xAC more", 7, false), 0);
    CHECK_EQ_U64(push(&f, "", 0, true), 0);
    CHECK(f.text.stopped);
    free(f.block);
}

/* The largest of everything: ASan watches the carved buffer through the
 * assertion on its capacity. */
static void largest_pieces_fit(void) {
    static char stop_bytes[PIPIT_MAX_STOPS][PIPIT_MAX_STOP_BYTES];
    static uint8_t piece[300];
    pipit_string stops[PIPIT_MAX_STOPS];
    for (size_t i = 0; i < PIPIT_MAX_STOPS; i++) {
        memset(stop_bytes[i], 'a', PIPIT_MAX_STOP_BYTES);
        stop_bytes[i][PIPIT_MAX_STOP_BYTES - 1] = (char)('0' + i % 10);
        stops[i] = pipit_string_of(stop_bytes[i], PIPIT_MAX_STOP_BYTES);
    }
    fixture f;
    open_text(&f, stops, PIPIT_MAX_STOPS, sizeof piece);
    memset(piece, 'a', sizeof piece);
    for (int i = 0; i < 5; i++) push(&f, piece, sizeof piece, false);
    CHECK_EQ_U64(f.n_out, 5 * sizeof piece - (PIPIT_MAX_STOP_BYTES - 1));
    push(&f, "\xF0\x9F\x90", 3, false);
    memset(piece, 0xFF, sizeof piece); /* each becomes three bytes */
    push(&f, piece, sizeof piece, false);
    push(&f, piece, sizeof piece, true);
    CHECK_EQ_U64(f.n_out, 5 * 300 + 3 + 2 * 900);
    free(f.block);
}

static void checks_stop_strings(void) {
    pipit_error error;
    char long_stop[PIPIT_MAX_STOP_BYTES + 1];
    pipit_string many[PIPIT_MAX_STOPS + 1];
    memset(long_stop, 'x', sizeof long_stop);
    for (size_t i = 0; i <= PIPIT_MAX_STOPS; i++) many[i] = literal("s");
    CHECK(pipit_text_check(NULL, 0, &error) == PIPIT_OK);
    CHECK(pipit_text_check(many, PIPIT_MAX_STOPS, &error) == PIPIT_OK);
    CHECK(pipit_text_check(many, PIPIT_MAX_STOPS + 1, &error) ==
          PIPIT_E_ARGUMENT);
    CHECK_HOLDS(error.message, "at most 64 stop strings");
    CHECK(pipit_text_check(NULL, 1, &error) == PIPIT_E_ARGUMENT);
    const pipit_string wrong[] = {{"", 0},
                                  {NULL, 3},
                                  {long_stop, sizeof long_stop},
                                  {"\xC3", 1},
                                  {"a\xED\xA0\x80", 4}};
    for (size_t i = 0; i < 5; i++) {
        many[1] = wrong[i];
        CHECK(pipit_text_check(many, 3, &error) == PIPIT_E_ARGUMENT);
        CHECK_HOLDS(error.message, "stop string 1 is");
    }
    many[1] = pipit_string_of(long_stop, PIPIT_MAX_STOP_BYTES);
    CHECK(pipit_text_check(many, 3, &error) == PIPIT_OK);
}

/* Random bytes of a small alphabet against a search of the whole text. */
static void equals_a_plain_search(void) {
    uint32_t seed = 1;
    for (int round = 0; round < 2000; round++) {
        char text[48], stop_bytes[3][8];
        pipit_string stops[3];
        for (size_t i = 0; i < sizeof text; i++) {
            seed = seed * 1664525u + 1013904223u;
            text[i] = (char)('a' + (seed >> 24) % 2);
        }
        for (size_t k = 0; k < 3; k++) {
            for (size_t i = 0; i < 8; i++) {
                seed = seed * 1664525u + 1013904223u;
                stop_bytes[k][i] = (char)('a' + (seed >> 24) % 2);
            }
            stops[k] = pipit_string_of(stop_bytes[k], 4 + (seed >> 8) % 5);
        }
        size_t end = 0, cut = sizeof text;
        while (end++ < sizeof text && cut == sizeof text)
            for (size_t k = 0; k < 3; k++) {
                size_t n = stops[k].n_bytes;
                if (n <= end && !memcmp(text + end - n, stops[k].bytes, n) &&
                    end - n < cut)
                    cut = end - n;
            }
        char right[49];
        memcpy(right, text, cut);
        right[cut] = '\0';
        expect_pieces(text, sizeof text, 1 + seed % 7, false, stops, 3, right,
                      cut < sizeof text);
    }
}

int main(void) {
    CASE(passes_whole_characters);
    CASE(replaces_what_is_invalid);
    CASE(waits_for_characters_only);
    CASE(knows_valid_utf8);
    CASE(stops_across_pieces);
    CASE(first_to_end_wins);
    CASE(holds_back_no_more_than_needed);
    CASE(nothing_after_a_stop);
    CASE(largest_pieces_fit);
    CASE(checks_stop_strings);
    CASE(equals_a_plain_search);
    return check_done();
}

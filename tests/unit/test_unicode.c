/* The tables against sums that Python's unicodedata 15.1.0 gave, and UTF-8 in
 * all its malformed variety. */
#include "check.h"
#include "unicode.h"

static uint64_t add(uint64_t hash, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ bytes[i]) * 0x100000001B3u; /* FNV-1a */
    return hash;
}
#define START 0xCBF29CE484222325u

static void every_code_point_has_pythons_class(void) {
    uint64_t hash = START;
    for (uint32_t p = 0; p <= PIPIT_MAX_POINT; p++) {
        uint8_t class = (uint8_t)pipit_unicode_class_of(p);
        hash = add(hash, &class, 1);
    }
    CHECK_EQ_U64(hash, 0xDA7A774DB7B4F31u);
    CHECK_EQ_U64(pipit_unicode_class_of('a'), PIPIT_CLASS_LL);
    CHECK_EQ_U64(pipit_unicode_class_of(0x1C5), PIPIT_CLASS_LT);
    CHECK_EQ_U64(pipit_unicode_class_of(0x3000), PIPIT_CLASS_SPACE);
    CHECK_EQ_U64(pipit_unicode_class_of('\n'), PIPIT_CLASS_SPACE);
    CHECK_EQ_U64(pipit_unicode_class_of(0), PIPIT_CLASS_CONTROL);
    CHECK_EQ_U64(pipit_unicode_class_of(UINT32_MAX), PIPIT_CLASS_OTHER);
}

static void every_code_point_has_pythons_small_letter(void) {
    uint64_t hash = START;
    for (uint32_t p = 0; p <= PIPIT_MAX_POINT; p++) {
        uint8_t bytes[4];
        if (p >= 0xD800 && p < 0xE000) continue;
        hash = add(hash, bytes,
                   pipit_utf8_encode(pipit_unicode_lower_of(p), bytes));
    }
    CHECK_EQ_U64(hash, 0xD90FC57645CB6EE2u);
}

static void every_code_point_survives_utf8(void) {
    for (uint32_t p = 0; p <= PIPIT_MAX_POINT; p++) {
        uint8_t bytes[4];
        size_t taken = 0, n = pipit_utf8_encode(p, bytes);
        if (pipit_utf8_decode(bytes, n, &taken) != p || taken != n ||
            pipit_utf8_decode_valid(bytes, &taken) != p || taken != n ||
            pipit_utf8_claims(bytes[0]) != n) {
            CHECK_EQ_U64(p, UINT64_MAX);
            return;
        }
    }
}

/* What becomes of the bytes, against what should. */
static void repairs(const char *text, size_t n, const char *right) {
    uint8_t *exact = malloc(n ? n : 1);
    size_t n_repaired = 0;
    memcpy(exact, text, n);
    bool same = pipit_utf8_is_repaired(exact, n, &n_repaired);
    uint8_t *out = malloc(n_repaired ? n_repaired : 1);
    pipit_utf8_repair(exact, n, out);
    CHECK_TEXT((const char *)out, n_repaired, right);
    CHECK(same == (n == n_repaired && memcmp(text, out, n) == 0));
    free(exact);
    free(out);
}

#define BAD "\xEF\xBF\xBD"

static void bad_bytes_become_replacements(void) {
    repairs("", 0, "");
    repairs("plain ascii text", 16, "plain ascii text");
    repairs("gr\xC3\xBC\xC3\x9F dich", 11, "gr\xC3\xBC\xC3\x9F dich");
    repairs("\x80", 1, BAD);
    repairs("a\xC3", 2, "a" BAD);
    repairs("\xE2\x82", 2, BAD BAD);
    repairs("\xE2\x82\xE2\x82\xAC", 5, BAD BAD "\xE2\x82\xAC");
    repairs("\xF0\x9F\x98", 3, BAD BAD BAD);
    repairs("\xFF\xFE", 2, BAD BAD);
    repairs("\xF4\x90\x80\x80", 4, BAD BAD BAD BAD); /* U+110000 */
}

/* As llama.cpp: surrogates stay, overlong forms are what they spell. */
static void lax_forms_pass(void) {
    repairs("\xED\xA0\x80", 3, "\xED\xA0\x80");
    repairs("\xC1\x87", 2, "G");
    repairs("\xE0\x81\x87", 3, "G");
    /* Grows by 2 and shrinks by 2: as long as before, yet not the same. */
    repairs("\x80\xC1\x87\xC1\x87", 5, BAD "GG");
}

int main(void) {
    CASE(every_code_point_has_pythons_class);
    CASE(every_code_point_has_pythons_small_letter);
    CASE(every_code_point_survives_utf8);
    CASE(bad_bytes_become_replacements);
    CASE(lax_forms_pass);
    return check_done();
}

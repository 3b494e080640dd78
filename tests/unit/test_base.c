#include "base.h"
#include "check.h"

static pipit_error last;

static void formats(void) {
    pipit_string key = pipit_string_of("a.b\n\x80", 5);
    CHECK(pipit_fail(&last, PIPIT_E_MODEL, 17, "%s '%S' %u %d 100%%", "key",
                     &key, (uint64_t)12, (int64_t)-3) == PIPIT_E_MODEL);
    CHECK(last.status == PIPIT_E_MODEL);
    CHECK_EQ_U64(last.offset, 17);
    CHECK_TEXT(last.message, strlen(last.message), "key 'a.b?\?' 12 -3 100%");
}

static void formats_extremes(void) {
    pipit_string none = {NULL, 0};
    pipit_fail(&last, PIPIT_E_FORMAT, PIPIT_NO_OFFSET, "%u %d %d %u '%S'%s",
               UINT64_MAX, INT64_MIN, INT64_MAX, (uint64_t)0, &none, "");
    CHECK_TEXT(last.message, strlen(last.message),
               "18446744073709551615 -9223372036854775808 "
               "9223372036854775807 0 ''");
    CHECK_EQ_U64(last.offset, UINT64_MAX);
}

static void takes_no_error(void) {
    CHECK(pipit_fail(NULL, PIPIT_E_MEMORY, 0, "%u", (uint64_t)1) ==
          PIPIT_E_MEMORY);
}

static void shortens_names(void) {
    char long_name[300];
    memset(long_name, 'x', sizeof long_name);
    pipit_string s = {long_name, sizeof long_name};
    pipit_fail(&last, PIPIT_E_FORMAT, 0, "'%S' end", &s);
    CHECK_EQ_U64(strlen(last.message), 72 + 3 + 6);
    CHECK_HOLDS(last.message, "x...' end");
}

/* However long the text before it, a cut never leaves half a character. */
static void cuts_between_characters(void) {
    char text[260];
    for (size_t pad = 0; pad < 4; pad++) {
        memset(text, 'a', pad);
        size_t n = pad;
        while (n + 3 <= 255) {
            memcpy(text + n, "\xE2\x82\xAC", 3);
            n += 3;
        }
        text[n] = '\0';
        pipit_fail(&last, PIPIT_E_FORMAT, 0, "%s", text);
        size_t length = strlen(last.message);
        CHECK(length >= 228 && length <= 231);
        CHECK_EQ_U64((length - pad) % 3, 0);
        CHECK(memcmp(last.message, text, length) == 0);
    }
}

static void fills_to_the_last_byte(void) {
    char text[400];
    memset(text, 'a', sizeof text);
    for (size_t n = 229; n < 236; n++) {
        text[n] = '\0';
        pipit_fail(&last, PIPIT_E_FORMAT, 0, "%s", text);
        CHECK_EQ_U64(strlen(last.message), n < 231 ? n : 231);
        text[n] = 'a';
    }
}

static void checks_arithmetic(void) {
    size_t s = 7;
    uint64_t u = 7;
    CHECK(pipit_mul_size(SIZE_MAX / 2, 2, &s) && s == SIZE_MAX - 1);
    CHECK(!pipit_mul_size(SIZE_MAX / 2 + 1, 2, &s));
    CHECK(pipit_add_size(SIZE_MAX - 1, 1, &s) && s == SIZE_MAX);
    CHECK(!pipit_add_size(SIZE_MAX, 1, &s));
    CHECK(pipit_mul_u64(1u << 31, 1u << 31, &u) && u == (uint64_t)1 << 62);
    CHECK(!pipit_mul_u64((uint64_t)1 << 32, (uint64_t)1 << 32, &u));
    CHECK(!pipit_add_u64(UINT64_MAX, 1, &u));
    CHECK_EQ_U64(pipit_align_up(0, 64), 0);
    CHECK_EQ_U64(pipit_align_up(1, 64), 64);
    CHECK_EQ_U64(pipit_align_up(64, 64), 64);
}

static void loads_little_endian(void) {
    const uint8_t bytes[9] = {0xFF, 1, 2, 3, 4, 5, 6, 7, 8};
    const uint8_t one[5] = {0, 0, 0, 0x80, 0x3F};
    CHECK_EQ_U64(pipit_load_u16(bytes + 1), 0x0201);
    CHECK_EQ_U64(pipit_load_u32(bytes + 1), 0x04030201);
    CHECK_EQ_U64(pipit_load_u64(bytes + 1), 0x0807060504030201);
    CHECK(pipit_load_f32(one + 1) == 1.0f);
}

static void compares_strings(void) {
    pipit_string s = pipit_string_of("llama", 5);
    CHECK(pipit_string_is(s, "llama"));
    CHECK(!pipit_string_is(s, "llam") && !pipit_string_is(s, "llamas"));
    CHECK(pipit_string_is(pipit_string_of("", 0), ""));
}

int main(void) {
    CASE(formats);
    CASE(formats_extremes);
    CASE(takes_no_error);
    CASE(shortens_names);
    CASE(cuts_between_characters);
    CASE(fills_to_the_last_byte);
    CASE(checks_arithmetic);
    CASE(loads_little_endian);
    CASE(compares_strings);
    return check_done();
}

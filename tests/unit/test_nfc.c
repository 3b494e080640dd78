/* NFC against sums over what Python's unicodedata 15.1.0 makes of every code
 * point, alone and in company, and of random rows of the difficult ones. */
#include "check.h"
#include "nfc.h"

#define START 0xCBF29CE484222325u

static check_memory memory;
static pipit_allocator allocator;
static pipit_scratch points, out;

static void begin(void) {
    memory = (check_memory){0};
    allocator = check_allocator(&memory);
    points = (pipit_scratch){&allocator, NULL, 0};
    out = (pipit_scratch){&allocator, NULL, 0};
}

static void end(void) {
    pipit_scratch_release(&points);
    pipit_scratch_release(&out);
    CHECK_EQ_U64(memory.n_live, 0);
    CHECK_EQ_U64(memory.live_bytes, 0);
}

static size_t encode(const uint32_t *from, size_t n, uint8_t *bytes) {
    size_t n_bytes = 0;
    for (size_t i = 0; i < n; i++)
        n_bytes += pipit_utf8_encode(from[i], bytes + n_bytes);
    return n_bytes;
}

/* Adds the NFC of the code points to an FNV-1a sum. */
static uint64_t add(uint64_t hash, const uint32_t *from, size_t n) {
    uint8_t bytes[64];
    const uint8_t *text = bytes;
    size_t n_text = encode(from, n, bytes);
    if (!CHECK(pipit_nfc(&text, &n_text, &points, &out))) return 0;
    for (size_t i = 0; i < n_text; i++)
        hash = (hash ^ text[i]) * 0x100000001B3u;
    return hash;
}

static void every_code_point_as_python(void) {
    uint64_t alone = START, marked = START, between = START;
    begin();
    for (uint32_t p = 0; p <= PIPIT_MAX_POINT; p++) {
        if (p >= 0xD800 && p < 0xE000) continue;
        alone = add(alone, (uint32_t[]){p}, 1);
        marked = add(marked, (uint32_t[]){p, 0x327, 0x301, 0x300}, 4);
        between = add(between,
                      (uint32_t[]){0x41, 0x327, p, 0x1161, 0x11A8, 0x9BE}, 6);
    }
    CHECK_EQ_U64(alone, 0x23FC43766D7C2EB9u);
    CHECK_EQ_U64(marked, 0x7494010497D372C3u);
    CHECK_EQ_U64(between, 0xA4FB331A020B4C4Eu);
    end();
}

static uint64_t dice = 88172645463325252u;
static size_t roll(size_t n) {
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (size_t)(dice % n);
}

static void random_rows_as_python(void) {
    static const uint32_t pool[] = {
        0x41, 0x65, 0x61, 0x300, 0x301, 0x323, 0x327, 0x345, 0x338, 0x344,
        0x1100, 0x1161, 0x11A8, 0xAC00, 0xAC01, 0x9C7, 0x9BE, 0x1E0B, 0x1EBF,
        0x212B, 0xF900, 0x2F800, 0x1D15E, 0x5D0, 0x5B7, 0x5BC, 0xFB2F, 0xFB49,
        0x3053, 0x3099, 0x11131, 0x11127, 0xF71, 0xF72, 0xF73, 0xFB4, 0xF90,
        0xFB5, 0x115, 0x1F82, 0x3B1, 0x313, 0x342, 0x20, 0x4E2D};
    uint64_t hash = START;
    begin();
    for (int i = 0; i < 20000; i++) {
        uint32_t row[12];
        size_t n = 1 + roll(12);
        for (size_t j = 0; j < n; j++)
            row[j] = pool[roll(sizeof pool / sizeof *pool)];
        hash = add(hash, row, n);
    }
    CHECK_EQ_U64(hash, 0x9AEDC19B79B47779u);
    end();
}

static void texts_in_nfc_are_not_copied(void) {
    const uint8_t text[] =
        "na\xC3\xAFve \xEA\xB0\x80 \xE1\xBA\xBF \xE4\xB8\xAD";
    const uint8_t *after = text;
    size_t n = sizeof text - 1;
    begin();
    CHECK(pipit_nfc(&after, &n, &points, &out));
    CHECK(after == text && n == sizeof text - 1);
    CHECK_EQ_U64(memory.n_calls, 0);
    end();
}

/* Insertion would take 10^11 steps here. */
static void long_rows_of_marks_are_sorted(void) {
    enum { N = 400000 };
    uint8_t *text = malloc(1 + 2 * N);
    const uint8_t *after = text;
    size_t n = 1, n_below = 0;
    begin();
    text[0] = 'x';
    for (size_t i = 0; i < N; i++) /* U+0301 above, U+0323 below, in turn */
        n += pipit_utf8_encode(i % 2 ? 0x323 : 0x301, text + n);
    CHECK(pipit_nfc(&after, &n, &points, &out));
    /* x and a dot below are one letter; the other dots come next. */
    CHECK(n == 3 + 2 * (N - 1));
    while (n_below < N / 2 && after[3 + 2 * n_below + 1] == 0xA3) n_below++;
    CHECK(n_below == 0 || n_below == N / 2 - 1);
    end();
    free(text);
}

static void without_memory_it_says_so(void) {
    for (uint64_t fail_at = 1; fail_at <= 2; fail_at++) {
        const uint8_t text[] = "e\xCC\x81";
        const uint8_t *after = text;
        size_t n = sizeof text - 1;
        begin();
        memory.fail_at = fail_at;
        CHECK(!pipit_nfc(&after, &n, &points, &out));
        CHECK(after == text && n == sizeof text - 1);
        end();
    }
}

int main(void) {
    CASE(every_code_point_as_python);
    CASE(random_rows_as_python);
    CASE(texts_in_nfc_are_not_copied);
    CASE(long_rows_of_marks_are_sorted);
    CASE(without_memory_it_says_so);
    return check_done();
}

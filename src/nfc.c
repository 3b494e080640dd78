/* nfc.c — text is cut where nothing can change across: before a code point that
 * is its own NFC and combines with nothing before it. Only the pieces that have
 * others go through decomposition, ordering, composition. */
#include "nfc.h"

#include "unicode_tables.h"

#define COUNT(table) (sizeof table / sizeof *table)

/* Hangul syllables are computed: leading, vowel, trailing. */
#define HANGUL 0xAC00u
#define LEADING 0x1100u
#define VOWEL 0x1161u
#define TRAILING 0x11A7u
#define N_LEADING 19u
#define N_VOWELS 21u
#define N_TRAILING 28u
#define N_HANGUL (N_LEADING * N_VOWELS * N_TRAILING)

/* Below, everything is in NFC and combines with nothing before it. */
#define FIRST_CHANGING 0x300u

/* ---- tables ------------------------------------------------------------ */

uint32_t pipit_combining_of(uint32_t point) {
    size_t low = 0, high = COUNT(pipit_unicode_combining);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint32_t run = pipit_unicode_combining[middle];
        if (point < run >> 15)
            high = middle;
        else if (point >= (run >> 15) + (run >> 8 & 127))
            low = middle + 1;
        else
            return run & 255;
    }
    return 0;
}

/* Row of the table, NULL: none. */
static const uint16_t *narrow_row(uint32_t point) {
    size_t low = 0, high = COUNT(pipit_unicode_narrow) / 3;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const uint16_t *row = pipit_unicode_narrow + 3 * middle;
        if (point == row[0]) return row;
        if (point < row[0])
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* One step of decomposition: the number of parts, 0: none. */
static size_t decompose_once(uint32_t point, uint32_t *first,
                             uint32_t *second) {
    uint32_t ideograph = point - PIPIT_UNICODE_IDEOGRAPHS;
    if (point < 0xC0) return 0;
    if (ideograph < COUNT(pipit_unicode_ideographs)) {
        uint32_t planes = pipit_unicode_ideograph_planes[ideograph / 8];
        *first = pipit_unicode_ideographs[ideograph] |
                 (planes >> ideograph % 8 & 1) << 17;
        return 1;
    }
    if (point < 0x10000) {
        const uint16_t *row = narrow_row(point);
        if (row) {
            *first = row[1];
            *second = row[2];
            return row[2] ? 2 : 1;
        }
    }
    if (point < pipit_unicode_wide[0]) return 0;
    for (size_t i = 0; i < COUNT(pipit_unicode_wide); i += 3)
        if (pipit_unicode_wide[i] == point) {
            *first = pipit_unicode_wide[i + 1];
            *second = pipit_unicode_wide[i + 2];
            return *second ? 2 : 1;
        }
    return 0;
}

static size_t decompose_hangul(uint32_t point, uint32_t out[4]) {
    uint32_t i = point - HANGUL;
    out[0] = LEADING + i / (N_VOWELS * N_TRAILING);
    out[1] = VOWEL + i / N_TRAILING % N_VOWELS;
    out[2] = TRAILING + i % N_TRAILING;
    return i % N_TRAILING ? 3 : 2;
}

size_t pipit_nfd_of(uint32_t point, uint32_t out[4]) {
    size_t n_after = 0; /* second parts, the last one to come out first */
    uint32_t after[3], second = 0;
    if (point - HANGUL < N_HANGUL) return decompose_hangul(point, out);
    /* First parts decompose further, second ones never do. */
    for (size_t n; (n = decompose_once(point, &point, &second)) > 0;)
        if (n == 2) {
            PIPIT_ASSERT(n_after < 3);
            after[n_after++] = second;
        }
    out[0] = point;
    for (size_t i = 0; i < n_after; i++) out[1 + i] = after[n_after - 1 - i];
    return 1 + n_after;
}

static uint32_t compose_wide(uint32_t a, uint32_t b) {
    for (size_t i = 0; i < COUNT(pipit_unicode_wide); i += 3) {
        const uint32_t *row = pipit_unicode_wide + i;
        /* Musical symbols (U+1D15E on) decompose but never compose. */
        if (row[1] == a && row[2] == b && row[0] < 0x1D100) return row[0];
    }
    return 0;
}

/* The code point that the two compose to, 0: none. */
static uint32_t compose(uint32_t a, uint32_t b) {
    size_t low = 0, high = COUNT(pipit_unicode_compose);
    if (a - LEADING < N_LEADING && b - VOWEL < N_VOWELS)
        return HANGUL +
               ((a - LEADING) * N_VOWELS + (b - VOWEL)) * N_TRAILING;
    if (a - HANGUL < N_HANGUL && (a - HANGUL) % N_TRAILING == 0 &&
        b - TRAILING - 1 < N_TRAILING - 1)
        return a + (b - TRAILING);
    if (a > 0xFFFF) return compose_wide(a, b);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const uint16_t *row =
            pipit_unicode_narrow + 3 * pipit_unicode_compose[middle];
        if (a == row[1] && b == row[2]) return row[0];
        if (a < row[1] || (a == row[1] && b < row[2]))
            high = middle;
        else
            low = middle + 1;
    }
    return 0;
}

/* Whether it is the second of some pair that composes, though no mark (ccc 0).
 */
static bool is_joining(uint32_t point) {
    if (point - VOWEL < N_VOWELS || point - TRAILING - 1 < N_TRAILING - 1)
        return true;
    switch (point) {
        case 0x9BE: case 0x9D7: case 0xB3E: case 0xB56: case 0xB57:
        case 0xBBE: case 0xBD7: case 0xCC2: case 0xCD5: case 0xCD6:
        case 0xD3E: case 0xD57: case 0xDCF: case 0xDDF: case 0x102E:
        case 0x1B35: case 0x11127: case 0x1133E: case 0x11357:
        case 0x114B0: case 0x114BA: case 0x114BD: case 0x115AF:
        case 0x11930: return true;
        default: return false;
    }
}

/* Whether text may be cut before it: it stays as it is after anything. */
static bool is_stable(uint32_t point) {
    uint32_t a, b;
    if (point < FIRST_CHANGING) return true;
    if (point >= 0x3400 && point < 0xA66F) return true; /* ideographs, Yi */
    if (point - HANGUL < N_HANGUL) return true;
    if (pipit_combining_of(point) != 0 || is_joining(point)) return false;
    size_t n = decompose_once(point, &a, &b);
    return n == 0 || (n == 2 && compose(a, b) == point);
}

/* ---- pieces ------------------------------------------------------------ */

/* The end of the piece at text[at]; *stable: it is in NFC as it stands. */
static size_t piece_end(const uint8_t *text, size_t at, size_t n,
                        bool *stable) {
    size_t taken, start = at;
    *stable = true;
    while (at < n) {
        bool cuts = is_stable(pipit_utf8_decode_valid(text + at, &taken));
        if (cuts && at > start) break;
        if (!cuts) *stable = false;
        at += taken;
    }
    return at;
}

static size_t decompose_piece(const uint8_t *text, size_t n, uint32_t *out) {
    size_t n_out = 0, taken;
    for (size_t at = 0; at < n; at += taken) {
        uint32_t parts[4];
        uint32_t point = pipit_utf8_decode_valid(text + at, &taken);
        size_t n_parts = pipit_nfd_of(point, parts);
        for (size_t i = 0; out && i < n_parts; i++) out[n_out + i] = parts[i];
        n_out += n_parts;
    }
    return n_out;
}

/* Runs of marks are short; hostile ones may be as long as the text. */
#define MAX_INSERTION 16u

static void insert_marks(uint32_t *points, size_t n) {
    for (size_t i = 1; i < n; i++) {
        uint32_t point = points[i], ccc = pipit_combining_of(point);
        size_t j = i;
        for (; j > 0 && pipit_combining_of(points[j - 1]) > ccc; j--)
            points[j] = points[j - 1];
        points[j] = point;
    }
}

static void count_marks(uint32_t *points, size_t n, uint32_t *copy) {
    size_t starts[257] = {0};
    for (size_t i = 0; i < n; i++) starts[pipit_combining_of(points[i]) + 1]++;
    for (size_t c = 1; c < 257; c++) starts[c] += starts[c - 1];
    memcpy(copy, points, n * sizeof *copy);
    for (size_t i = 0; i < n; i++)
        points[starts[pipit_combining_of(copy[i])]++] = copy[i];
}

/* Sorts each run of marks by combining class, stably. */
static void order_marks(uint32_t *points, size_t n, uint32_t *copy) {
    for (size_t i = 0, end; i < n; i = end) {
        end = i;
        while (end < n && pipit_combining_of(points[end]) != 0) end++;
        if (end - i <= MAX_INSERTION)
            insert_marks(points + i, end - i);
        else
            count_marks(points + i, end - i, copy);
        if (end == i) end++;
    }
}

/* In place; the new number. A mark composes with the last starter unless one of
 * the same or a higher class stands between. */
static size_t compose_piece(uint32_t *points, size_t n) {
    size_t starter = SIZE_MAX, n_out = 0;
    uint32_t last_class = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t ccc = pipit_combining_of(points[i]);
        bool adjacent = starter != SIZE_MAX && starter + 1 == n_out;
        bool blocked = !adjacent && last_class >= ccc;
        uint32_t whole = starter == SIZE_MAX || blocked
                             ? 0
                             : compose(points[starter], points[i]);
        if (whole) {
            points[starter] = whole;
            continue;
        }
        if (ccc == 0) starter = n_out;
        last_class = ccc;
        points[n_out++] = points[i];
    }
    return n_out;
}

static size_t encode_piece(const uint32_t *points, size_t n, uint8_t *out) {
    size_t n_out = 0;
    uint8_t bytes[4];
    for (size_t i = 0; i < n; i++)
        n_out += pipit_utf8_encode(points[i], out ? out + n_out : bytes);
    return n_out;
}

/* ---- the whole --------------------------------------------------------- */

/* Writes the NFC of text to out (NULL: only counts); false: no memory. */
static bool normalize(const uint8_t *text, size_t n, pipit_scratch *points,
                      uint8_t *out, size_t *n_out) {
    *n_out = 0;
    for (size_t at = 0, end; at < n; at = end) {
        bool stable;
        uint8_t *to = out ? out + *n_out : NULL;
        end = piece_end(text, at, n, &stable);
        if (stable) {
            if (to) memcpy(to, text + at, end - at);
            *n_out += end - at;
            continue;
        }
        size_t n_points = decompose_piece(text + at, end - at, NULL);
        uint32_t *piece =
            pipit_scratch_get(points, 2 * n_points * sizeof *piece);
        if (!piece) return false;
        decompose_piece(text + at, end - at, piece);
        order_marks(piece, n_points, piece + n_points);
        *n_out += encode_piece(piece, compose_piece(piece, n_points), to);
    }
    return true;
}

static bool is_all_stable(const uint8_t *text, size_t n) {
    size_t taken;
    for (size_t at = 0; at < n; at += taken) {
        taken = 1;
        if (text[at] >= 0x80 &&
            !is_stable(pipit_utf8_decode_valid(text + at, &taken)))
            return false;
    }
    return true;
}

bool pipit_nfc(const uint8_t **text, size_t *n, pipit_scratch *points,
               pipit_scratch *out) {
    size_t n_out;
    if (is_all_stable(*text, *n)) return true;
    if (!normalize(*text, *n, points, NULL, &n_out)) return false;
    uint8_t *normal = pipit_scratch_get(out, n_out);
    if (!normal || !normalize(*text, *n, points, normal, &n_out)) return false;
    *text = normal;
    *n = n_out;
    return true;
}

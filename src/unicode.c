#include "unicode.h"

#include "unicode_tables.h"

/* ---- classes ----------------------------------------------------------- */

/* Beyond the table: tags, variation selectors, private use. */
static pipit_unicode_class class_of_last(uint32_t point) {
    if (point >= 0xE0100 && point < 0xE01F0) return PIPIT_CLASS_MN;
    if (point == 0xE0001 || (point >= 0xE0020 && point < 0xE0080) ||
        (point >= 0xF0000 && point <= PIPIT_MAX_POINT &&
         (point & 0xFFFF) < 0xFFFE))
        return PIPIT_CLASS_CONTROL;
    return PIPIT_CLASS_OTHER;
}

/* 128 code points share an entry of `top`, 16 one of `groups`. */
pipit_unicode_class pipit_unicode_class_of(uint32_t point) {
    if (point >= PIPIT_UNICODE_TABLE_END) return class_of_last(point);
    uint32_t group = pipit_unicode_top[point >> 7];
    uint32_t block = pipit_unicode_groups[group << 3 | (point >> 4 & 7)];
    uint32_t two = pipit_unicode_blocks[block << 3 | (point >> 1 & 7)];
    return (pipit_unicode_class)(point & 1 ? two >> 4 : two & 15);
}

uint32_t pipit_unicode_lower_of(uint32_t point) {
    if (point < 0x80)
        return point >= 'A' && point <= 'Z' ? point + 32 : point;
    size_t low = 0;
    size_t high = sizeof pipit_unicode_lower / sizeof *pipit_unicode_lower / 3;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const uint32_t *run = pipit_unicode_lower + 3 * middle;
        uint32_t last = run[1] & INT32_MAX, step = run[1] >> 31 ? 2 : 1;
        if (point < run[0])
            high = middle;
        else if (point > last)
            low = middle + 1;
        else
            return (point - run[0]) % step == 0 ? point + run[2] : point;
    }
    return point;
}

/* ---- UTF-8 ------------------------------------------------------------- */

uint32_t pipit_utf8_decode(const uint8_t *s, size_t n, size_t *n_taken) {
    size_t claims = pipit_utf8_claims(s[0]);
    *n_taken = 1;
    if (s[0] < 0x80) return s[0];
    if (s[0] < 0xC0 || s[0] > 0xF7 || claims > n) return PIPIT_REPLACEMENT;
    for (size_t i = 1; i < claims; i++)
        if ((s[i] & 0xC0) != 0x80) return PIPIT_REPLACEMENT;
    size_t taken;
    uint32_t point = pipit_utf8_decode_valid(s, &taken);
    if (point > PIPIT_MAX_POINT) return PIPIT_REPLACEMENT;
    *n_taken = taken;
    return point;
}

size_t pipit_utf8_encode(uint32_t point, uint8_t *out) {
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (uint8_t)(0xC0 | point >> 6);
        out[1] = (uint8_t)(0x80 | (point & 63));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (uint8_t)(0xE0 | point >> 12);
        out[1] = (uint8_t)(0x80 | (point >> 6 & 63));
        out[2] = (uint8_t)(0x80 | (point & 63));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | point >> 18);
    out[1] = (uint8_t)(0x80 | (point >> 12 & 63));
    out[2] = (uint8_t)(0x80 | (point >> 6 & 63));
    out[3] = (uint8_t)(0x80 | (point & 63));
    return 4;
}

static size_t skip_ascii(const uint8_t *s, size_t n, size_t at) {
    while (at + 8 <= n && !(pipit_load_u64(s + at) & 0x8080808080808080u))
        at += 8;
    while (at < n && s[at] < 0x80) at++;
    return at;
}

bool pipit_utf8_is_repaired(const uint8_t *s, size_t n, size_t *n_repaired) {
    size_t bytes = n, taken;
    bool same = true;
    for (size_t at = 0; (at = skip_ascii(s, n, at)) < n; at += taken) {
        uint8_t encoded[4];
        uint32_t point = pipit_utf8_decode(s + at, n - at, &taken);
        size_t n_encoded = pipit_utf8_encode(point, encoded);
        if (n_encoded != taken) same = false;
        bytes += n_encoded - taken;
    }
    *n_repaired = bytes;
    return same;
}

void pipit_utf8_repair(const uint8_t *s, size_t n, uint8_t *out) {
    size_t taken;
    for (size_t at = 0; at < n; at += taken) {
        uint32_t point = pipit_utf8_decode(s + at, n - at, &taken);
        out += pipit_utf8_encode(point, out);
    }
}

#include "text.h"

/* Bytes of the character that a lead byte begins; 0: no lead byte. */
static uint32_t character_bytes(uint8_t lead) {
    if (lead < 0x80) return 1;
    if (lead >= 0xc2 && lead <= 0xdf) return 2;
    if (lead >= 0xe0 && lead <= 0xef) return 3;
    if (lead >= 0xf0 && lead <= 0xf4) return 4;
    return 0;
}

/* Whether `byte` can follow at place `at` (1..3) of a character: the second
 * byte's range excludes overlong forms, surrogates and values past U+10FFFF. */
static bool can_follow(uint8_t lead, uint32_t at, uint8_t byte) {
    uint8_t low = 0x80, high = 0xbf;
    if (at == 1) {
        if (lead == 0xe0) low = 0xa0;
        if (lead == 0xed) high = 0x9f;
        if (lead == 0xf0) low = 0x90;
        if (lead == 0xf4) high = 0x8f;
    }
    return byte >= low && byte <= high;
}

bool pipit_utf8_is_valid(const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n;) {
        uint32_t length = character_bytes(bytes[i]);
        if (length == 0 || length > n - i) return false;
        for (uint32_t at = 1; at < length; at++)
            if (!can_follow(bytes[i], at, bytes[i + at])) return false;
        i += length;
    }
    return true;
}

pipit_status pipit_text_check(const pipit_string *stops, size_t n_stops,
                              pipit_error *error) {
    if (n_stops > PIPIT_MAX_STOPS || (n_stops > 0 && !stops))
        return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                          "at most %u stop strings are possible",
                          (uint64_t)PIPIT_MAX_STOPS);
    for (size_t i = 0; i < n_stops; i++) {
        const pipit_string *s = &stops[i];
        if (s->n_bytes == 0 || !s->bytes ||
            s->n_bytes > PIPIT_MAX_STOP_BYTES ||
            !pipit_utf8_is_valid((const uint8_t *)s->bytes, s->n_bytes))
            return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                              "stop string %u is empty, longer than %u bytes "
                              "or not UTF-8",
                              (uint64_t)i, (uint64_t)PIPIT_MAX_STOP_BYTES);
    }
    return PIPIT_OK;
}

static void prepare_stop(pipit_stop *stop) {
    uint32_t k = 0;
    stop->fallback[0] = 0;
    for (uint32_t i = 1; i < stop->n_bytes; i++) {
        while (k > 0 && stop->bytes[i] != stop->bytes[k])
            k = stop->fallback[k - 1];
        if (stop->bytes[i] == stop->bytes[k]) k++;
        stop->fallback[i] = (uint16_t)k;
    }
}

void pipit_text_carve(const pipit_string *stops, size_t n_stops,
                      size_t max_piece, pipit_arena *arena, pipit_text *text) {
    size_t longest = 0;
    *text = (pipit_text){.n_stops = n_stops};
    text->stops = pipit_arena_take(arena, n_stops, sizeof *text->stops);
    for (size_t i = 0; i < n_stops; i++) {
        pipit_stop stop = {.n_bytes = (uint32_t)stops[i].n_bytes};
        stop.bytes = pipit_arena_take(arena, stop.n_bytes, 1);
        stop.fallback = pipit_arena_take(arena, stop.n_bytes, 2);
        if (stop.n_bytes > longest) longest = stop.n_bytes;
        if (!arena->base) continue;
        memcpy(stop.bytes, stops[i].bytes, stop.n_bytes);
        prepare_stop(&stop);
        text->stops[i] = stop;
    }
    /* Held back, an unfinished character, and each byte as U+FFFD. */
    text->capacity = longest + 4 + 3 * (max_piece + 4);
    text->out = pipit_arena_take(arena, text->capacity, 1);
}

/* The stop string that ends with this byte and began first; its length, or 0. */
static uint32_t advance_stops(pipit_text *t, uint8_t byte) {
    uint32_t found = 0;
    for (size_t i = 0; i < t->n_stops; i++) {
        pipit_stop *s = &t->stops[i];
        uint32_t k = s->matched;
        while (k > 0 && byte != s->bytes[k]) k = s->fallback[k - 1];
        if (byte == s->bytes[k]) k++;
        if (k == s->n_bytes) {
            if (k > found) found = k;
            k = s->fallback[k - 1];
        }
        s->matched = k;
    }
    return found;
}

static void append(pipit_text *t, const uint8_t *bytes, uint32_t n) {
    for (uint32_t i = 0; i < n && !t->stopped; i++) {
        PIPIT_ASSERT(t->n_out < t->capacity);
        t->out[t->n_out++] = bytes[i];
        uint32_t found = advance_stops(t, bytes[i]);
        if (found == 0) continue;
        t->n_out -= found;
        t->stopped = true;
    }
}

static void append_replacement(pipit_text *t) {
    static const uint8_t replacement[3] = {0xef, 0xbf, 0xbd};
    append(t, replacement, 3);
}

static void take_byte(pipit_text *t, uint8_t byte) {
    if (t->n_partial > 0 && !can_follow(t->partial[0], t->n_partial, byte)) {
        t->n_partial = 0;
        append_replacement(t);
    }
    if (t->n_partial == 0) {
        t->n_expected = character_bytes(byte);
        if (t->n_expected == 0) {
            append_replacement(t);
            return;
        }
    }
    t->partial[t->n_partial++] = byte;
    if (t->n_partial < t->n_expected) return;
    append(t, t->partial, t->n_partial);
    t->n_partial = 0;
}

/* Drops what the last call gave out. */
static void begin_call(pipit_text *t) {
    t->n_out -= t->n_emitted;
    memmove(t->out, t->out + t->n_emitted, t->n_out);
    t->n_emitted = 0;
}

static size_t held_back(const pipit_text *t) {
    uint32_t longest = 0;
    if (t->stopped) return 0;
    for (size_t i = 0; i < t->n_stops; i++)
        if (t->stops[i].matched > longest) longest = t->stops[i].matched;
    return longest;
}

pipit_string pipit_text_push(pipit_text *text, const uint8_t *bytes, size_t n,
                             bool last) {
    begin_call(text);
    for (size_t i = 0; i < n && !text->stopped; i++) take_byte(text, bytes[i]);
    if (last && text->n_partial > 0 && !text->stopped) {
        text->n_partial = 0;
        append_replacement(text);
    }
    text->n_emitted = text->n_out - (last ? 0 : held_back(text));
    return pipit_string_of((const char *)text->out, text->n_emitted);
}

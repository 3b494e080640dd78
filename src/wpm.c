#include "wpm.h"

#include "nfc.h"
#include "unicode.h"

pipit_status pipit_wpm_read(const pipit_vocabulary *v, pipit_wpm *wpm,
                            pipit_error *error) {
    *wpm = (pipit_wpm){.vocabulary = v,
                       .unknown = PIPIT_NO_TOKEN,
                       .lowercase = true};
    pipit_status s =
        pipit_gguf_bool(v->file, "tokenizer.ggml.normalizer.lowercase",
                        &wpm->lowercase, error);
    wpm->strip_accents = wpm->lowercase;
    if (s != PIPIT_OK) return s;
    return pipit_gguf_bool(v->file, "tokenizer.ggml.normalizer.strip_accents",
                           &wpm->strip_accents, error);
}

/* ---- words ------------------------------------------------------------- */

typedef struct word { /* the one being collected, with the mark in front */
    const pipit_wpm *wpm;
    pipit_sink *out;
    uint32_t n_characters;
    size_t n;
    uint8_t bytes[PIPIT_SPACE_MARK_BYTES + 4 * PIPIT_WPM_MAX_WORD];
} word;

/* The longest tokens from the front; false: somewhere there is none. */
static bool match(const word *w, pipit_sink *out) {
    const pipit_vocabulary *v = w->wpm->vocabulary;
    for (size_t at = 0, n; at < w->n; at += n) {
        uint32_t token = PIPIT_NO_TOKEN;
        /* The mark alone is no beginning of a word. */
        size_t least = at == 0 ? PIPIT_SPACE_MARK_BYTES + 1 : 1;
        for (n = pipit_min_size(w->n - at, v->max_bytes); n >= least; n--) {
            token = pipit_vocabulary_find(v, w->bytes + at, n);
            if (token != PIPIT_NO_TOKEN) break;
        }
        if (token == PIPIT_NO_TOKEN) return false;
        pipit_sink_put(out, token);
    }
    return true;
}

static void finish_word(word *w) {
    size_t before = w->out->n;
    if (w->n_characters == 0) return;
    if (w->n_characters > PIPIT_WPM_MAX_WORD || !match(w, w->out)) {
        w->out->n = before;
        if (w->wpm->unknown != PIPIT_NO_TOKEN)
            pipit_sink_put(w->out, w->wpm->unknown);
    }
    w->n_characters = 0;
    w->n = PIPIT_SPACE_MARK_BYTES;
}

static void add(word *w, uint32_t point) {
    if (w->n_characters++ < PIPIT_WPM_MAX_WORD)
        w->n += pipit_utf8_encode(point, w->bytes + w->n);
}

/* ---- characters -------------------------------------------------------- */

static bool is_ideograph(uint32_t point) {
    return (point >= 0x4E00 && point <= 0x9FFF) ||
           (point >= 0x3400 && point <= 0x4DBF) ||
           (point >= 0x20000 && point <= 0x2A6DF) ||
           (point >= 0x2A700 && point <= 0x2B73F) ||
           (point >= 0x2B740 && point <= 0x2CEAF) ||
           (point >= 0xF900 && point <= 0xFAFF) ||
           (point >= 0x2F800 && point <= 0x2FA1F);
}

/* Punctuation, and all of ASCII that neither letter nor digit is. */
static bool stands_alone(uint32_t point, pipit_unicode_class class) {
    return class == PIPIT_CLASS_P || (point < 0x7F && class == PIPIT_CLASS_S);
}

static void add_cleaned(word *w, uint32_t point) {
    pipit_unicode_class class = pipit_unicode_class_of(point);
    if (w->wpm->strip_accents && class == PIPIT_CLASS_MN) return;
    bool alone = stands_alone(point, class) || is_ideograph(point);
    if (alone) finish_word(w);
    add(w, w->wpm->lowercase ? pipit_unicode_lower_of(point) : point);
    if (alone) finish_word(w);
}

void pipit_wpm_encode(const pipit_wpm *wpm, const uint8_t *text, size_t n,
                      pipit_sink *out) {
    word w = {.wpm = wpm, .out = out, .n = PIPIT_SPACE_MARK_BYTES};
    size_t taken;
    memcpy(w.bytes, PIPIT_SPACE_MARK, PIPIT_SPACE_MARK_BYTES);
    for (size_t at = 0; at < n; at += taken) {
        uint32_t parts[4];
        uint32_t point = pipit_utf8_decode(text + at, n - at, &taken);
        pipit_unicode_class class = pipit_unicode_class_of(point);
        if (class == PIPIT_CLASS_SPACE) {
            finish_word(&w);
            continue;
        }
        if (point == PIPIT_REPLACEMENT || class == PIPIT_CLASS_CONTROL)
            continue;
        size_t n_parts = 1;
        parts[0] = point;
        if (wpm->strip_accents) n_parts = pipit_nfd_of(point, parts);
        for (size_t i = 0; i < n_parts; i++) add_cleaned(&w, parts[i]);
    }
    finish_word(&w);
}

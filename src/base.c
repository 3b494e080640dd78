/* base.c — failing with a sentence. The sentence is written here, without
 * stdio, so that a module carries none. */
#include "base.h"

#include <stdarg.h>

/* Of a name that a file gave: enough to recognize it. */
#define MAX_NAME_BYTES 72u

typedef struct writer {
    char *bytes;
    size_t n, capacity; /* the last byte is kept for the NUL */
    bool full;
} writer;

static void put(writer *w, char c) {
    if (w->n + 1 < w->capacity)
        w->bytes[w->n++] = c;
    else
        w->full = true;
}

static void put_text(writer *w, const char *text) {
    for (; *text; text++) put(w, *text);
}

/* Hostile bytes end in logs and terminals: only printable ASCII passes. */
static void put_name(writer *w, const pipit_string *name) {
    size_t n = pipit_min_size(name->n_bytes, MAX_NAME_BYTES);
    for (size_t i = 0; i < n; i++) {
        char c = name->bytes[i];
        put(w, c >= ' ' && c <= '~' ? c : '?');
    }
    if (n < name->n_bytes) put_text(w, "...");
}

static void put_unsigned(writer *w, uint64_t value) {
    char digits[20];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (n > 0) put(w, digits[--n]);
}

static void put_signed(writer *w, int64_t value) {
    if (value < 0) put(w, '-');
    put_unsigned(w, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

/* Never leaves half a character before the NUL. */
static void finish(writer *w) {
    if (w->full)
        while (w->n > 0 && (w->bytes[w->n - 1] & 0x80)) {
            bool lead = (w->bytes[--w->n] & 0x40) != 0;
            if (lead) break;
        }
    w->bytes[w->n] = '\0';
}

pipit_status pipit_fail(pipit_error *error, pipit_status status,
                        uint64_t offset, const char *format, ...) {
    if (!error) return status;
    writer w = {error->message, 0, sizeof error->message, false};
    va_list args;
    error->status = status;
    error->offset = offset;
    va_start(args, format);
    for (const char *p = format; *p; p++) {
        if (*p != '%') {
            put(&w, *p);
            continue;
        }
        switch (*++p) {
            case 's': put_text(&w, va_arg(args, const char *)); break;
            case 'S': put_name(&w, va_arg(args, const pipit_string *)); break;
            case 'u': put_unsigned(&w, va_arg(args, uint64_t)); break;
            case 'd': put_signed(&w, va_arg(args, int64_t)); break;
            default: PIPIT_ASSERT(*p == '%'); put(&w, '%');
        }
    }
    va_end(args);
    finish(&w);
    return status;
}

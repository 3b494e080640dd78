/* exports.h — what the files of exports have in common. */
#ifndef PIPIT_WEB_EXPORTS_H
#define PIPIT_WEB_EXPORTS_H

#include "../src/engine.h"

/* The prototype that -Wmissing-prototypes asks for, and the export. */
#define EXPORT(result, name, ...)   \
    result web_##name(__VA_ARGS__); \
    __attribute__((export_name("pipit_" #name))) result web_##name(__VA_ARGS__)

/* Strings that come in a list; the array lives on the stack. */
#define MAX_NOTES 64u

static inline uint64_t address(const void *p) {
    return (uint64_t)(uintptr_t)p;
}

static inline uint64_t bytes_of(double n) {
    return n > 0 && n < 0x1p63 ? (uint64_t)n : 0;
}

static inline void put_real(uint64_t *slot, double value) {
    memcpy(slot, &value, sizeof value);
}

#endif

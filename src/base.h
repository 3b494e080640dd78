/* base.h — what every file stands on: failing with a message, assertions that
 * no file can reach, checked arithmetic, little-endian loads. */
#ifndef PIPIT_BASE_H
#define PIPIT_BASE_H

#include "pipit.h"

#include <string.h>

/* Reached only through a bug of ours; never by a file, a text or a caller. */
#ifdef PIPIT_WASM
#define PIPIT_ASSERT(x) ((x) ? (void)0 : __builtin_trap())
#else
_Noreturn void pipit_assert_failed(const char *what, const char *file,
                                   int line);
#define PIPIT_ASSERT(x) \
    ((x) ? (void)0 : pipit_assert_failed(#x, __FILE__, __LINE__))
#endif

#define PIPIT_NO_OFFSET UINT64_MAX

/* Fills *error (may be NULL) and returns status. The format knows %s (a
 * NUL-terminated string), %S (a pipit_string by pointer, shortened, bytes that
 * are not printable replaced), %u (uint64_t), %d (int64_t) and %%. */
pipit_status pipit_fail(pipit_error *error, pipit_status status,
                        uint64_t offset, const char *format, ...);

static inline bool pipit_mul_size(size_t a, size_t b, size_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool pipit_add_size(size_t a, size_t b, size_t *out) {
    return !__builtin_add_overflow(a, b, out);
}
static inline bool pipit_mul_u64(uint64_t a, uint64_t b, uint64_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool pipit_add_u64(uint64_t a, uint64_t b, uint64_t *out) {
    return !__builtin_add_overflow(a, b, out);
}

/* align: a power of two. */
static inline size_t pipit_align_up(size_t n, size_t align) {
    return (n + align - 1) & ~(align - 1);
}

static inline uint16_t pipit_load_u16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t pipit_load_u32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}
static inline uint64_t pipit_load_u64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}
static inline float pipit_load_f32(const uint8_t *p) {
    float v;
    memcpy(&v, p, 4);
    return v;
}

/* %S of a literal or a (bytes, n) pair. */
static inline pipit_string pipit_string_of(const char *bytes, size_t n) {
    return (pipit_string){bytes, n};
}
static inline bool pipit_string_is(pipit_string s, const char *literal) {
    size_t n = strlen(literal);
    return s.n_bytes == n && memcmp(s.bytes, literal, n) == 0;
}

static inline uint32_t pipit_min_u32(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}
static inline uint64_t pipit_min_u64(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}
static inline size_t pipit_min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

#endif

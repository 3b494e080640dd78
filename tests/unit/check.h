/* check.h — all the C tests stand on.
 *
 *     static void adds(void) { CHECK_EQ_U64(1 + 1, 2); }
 *     int main(void) { CASE(adds); return check_done(); }
 *
 * A case fails when one of its checks does and goes on to its end. check_done
 * prints "N passed, N failed" alone on the last line, counting cases, and
 * returns the exit code. Every check is an expression: true when it held. */
#ifndef PIPIT_CHECK_H
#define PIPIT_CHECK_H

#include "pipit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More failures of one case than this are counted, not printed. */
#define CHECK_MAX_PRINTED 12

static struct {
    const char *name; /* of the case that runs */
    unsigned n_failed_checks;
    unsigned n_passed, n_failed;
} check_state;

/* ---- checks ------------------------------------------------------------ */

static inline bool check_fail(const char *file, int line, const char *what) {
    if (check_state.n_failed_checks++ < CHECK_MAX_PRINTED)
        printf("%s:%d: %s: %s\n", file, line,
               check_state.name ? check_state.name : "?", what);
    return false;
}

static inline bool check_that(bool holds, const char *what, const char *file,
                              int line) {
    return holds || check_fail(file, line, what);
}

static inline bool check_eq_u64(uint64_t a, uint64_t b, const char *what,
                                const char *file, int line) {
    char text[256];
    if (a == b) return true;
    snprintf(text, sizeof text, "%s: %" PRIu64 " is not %" PRIu64, what, a, b);
    return check_fail(file, line, text);
}

static inline bool check_eq_i64(int64_t a, int64_t b, const char *what,
                                const char *file, int line) {
    char text[256];
    if (a == b) return true;
    snprintf(text, sizeof text, "%s: %" PRId64 " is not %" PRId64, what, a, b);
    return check_fail(file, line, text);
}

static inline bool check_eq_text(const char *a, size_t n_a, const char *b,
                                 size_t n_b, const char *what,
                                 const char *file, int line) {
    char text[512];
    if (n_a == n_b && (n_a == 0 || memcmp(a, b, n_a) == 0)) return true;
    snprintf(text, sizeof text, "%s: \"%.*s\" is not \"%.*s\"", what,
             (int)(n_a < 200 ? n_a : 200), a, (int)(n_b < 200 ? n_b : 200), b);
    return check_fail(file, line, text);
}

static inline bool check_holds(const char *a, const char *part,
                               const char *what, const char *file, int line) {
    char text[512];
    if (strstr(a, part)) return true;
    snprintf(text, sizeof text, "%s: \"%.240s\" does not hold \"%.120s\"",
             what, a, part);
    return check_fail(file, line, text);
}

/* Every bit; but one NaN is as good as another: which one an operation gives is
 * left open by IEEE 754 and by WebAssembly. */
static inline bool check_bits(const float *a, const float *b, size_t n,
                              const char *what, const char *file, int line) {
    char text[256];
    for (size_t i = 0; i < n; i++) {
        uint32_t x, y;
        memcpy(&x, &a[i], 4);
        memcpy(&y, &b[i], 4);
        if (x == y || (a[i] != a[i] && b[i] != b[i])) continue;
        snprintf(text, sizeof text,
                 "%s: [%zu] is %.9g (%08" PRIx32 "), not %.9g (%08" PRIx32 ")",
                 what, i, (double)a[i], x, (double)b[i], y);
        return check_fail(file, line, text);
    }
    return true;
}

static inline bool check_close(double a, double b, double tolerance,
                               const char *what, const char *file, int line) {
    char text[256];
    double distance = a > b ? a - b : b - a;
    if (distance <= tolerance) return true;
    snprintf(text, sizeof text, "%s: %.17g is not %.17g to %.3g", what, a, b,
             tolerance);
    return check_fail(file, line, text);
}

#define CHECK(x) check_that((x), #x, __FILE__, __LINE__)
#define CHECK_EQ_U64(a, b) check_eq_u64((a), (b), #a, __FILE__, __LINE__)
#define CHECK_EQ_I64(a, b) check_eq_i64((a), (b), #a, __FILE__, __LINE__)
/* (bytes, n) against a literal. */
#define CHECK_TEXT(bytes, n, literal)                                         \
    check_eq_text((bytes), (n), (literal), strlen(literal), #bytes, __FILE__, \
                  __LINE__)
/* n floats of two arrays. */
#define CHECK_BITS(a, b, n) check_bits((a), (b), (n), #a, __FILE__, __LINE__)
#define CHECK_CLOSE(a, b, tolerance) \
    check_close((a), (b), (tolerance), #a, __FILE__, __LINE__)
/* A NUL-terminated text that holds another; shows what it is if not. */
#define CHECK_HOLDS(text, part) \
    check_holds((text), (part), #text, __FILE__, __LINE__)

/* ---- cases ------------------------------------------------------------- */

static inline void check_case(const char *name, void (*run)(void)) {
    check_state.name = name;
    check_state.n_failed_checks = 0;
    run();
    bool ok = check_state.n_failed_checks == 0;
    if (check_state.n_failed_checks > CHECK_MAX_PRINTED)
        printf("%s: %u failed checks\n", name, check_state.n_failed_checks);
    printf("%s %s\n", ok ? "ok  " : "FAIL", name);
    fflush(stdout);
    if (ok)
        check_state.n_passed++;
    else
        check_state.n_failed++;
}

#define CASE(function) check_case(#function, function)

static inline int check_done(void) {
    printf("%u passed, %u failed\n", check_state.n_passed,
           check_state.n_failed);
    return check_state.n_failed == 0 ? 0 : 1;
}

/* ---- files ------------------------------------------------------------- */

/* The whole file in a block to be freed, *n its bytes; NULL if there is none.
 * The block is exactly as large as the file, so ASan sees a read past it. */
static inline uint8_t *check_read(const char *path, size_t *n) {
    FILE *in = fopen(path, "rb");
    uint8_t *bytes = NULL;
    long size = -1;
    if (!in) return NULL;
    if (fseek(in, 0, SEEK_END) == 0) size = ftell(in);
    if (size >= 0 && fseek(in, 0, SEEK_SET) == 0) {
        bytes = malloc(size > 0 ? (size_t)size : 1);
        if (bytes && fread(bytes, 1, (size_t)size, in) != (size_t)size) {
            free(bytes);
            bytes = NULL;
        }
    }
    fclose(in);
    *n = bytes ? (size_t)size : 0;
    return bytes;
}

#ifndef PIPIT_SOURCE_DIR
#define PIPIT_SOURCE_DIR "." /* tests are run from the root */
#endif
#ifndef PIPIT_SHARED_DIR
#define PIPIT_SHARED_DIR PIPIT_SOURCE_DIR "/../shared"
#endif

/* A file below the folder of reference data: the environment's PIPIT_SHARED, or
 * `shared` beside the checkout. That folder is optional, so NULL says
 * "skipped: …" and is no failure. */
static inline uint8_t *check_read_shared(const char *name, size_t *n) {
    const char *folder = getenv("PIPIT_SHARED");
    char path[1024];
    snprintf(path, sizeof path, "%s/%s",
             folder ? folder : PIPIT_SHARED_DIR, name);
    uint8_t *bytes = check_read(path, n);
    if (!bytes) printf("skipped: no reference data %s\n", name);
    return bytes;
}

/* A file of this repository, by its path from the root. */
static inline uint8_t *check_read_source(const char *name, size_t *n) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", PIPIT_SOURCE_DIR, name);
    return check_read(path, n);
}

/* ---- memory ------------------------------------------------------------ */

/* An allocator that counts, and refuses its fail_at-th call (0: never). Blocks
 * come filled with rubbish: nobody may count on zeroes. */
typedef struct check_memory {
    uint64_t n_calls, fail_at;
    uint64_t n_live, live_bytes, peak_bytes;
} check_memory;

static inline void *check_memory_alloc(void *context, size_t bytes) {
    check_memory *m = context;
    m->n_calls++;
    if (m->n_calls == m->fail_at || bytes > SIZE_MAX - 64) return NULL;
    void *block = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!block) return NULL;
    memset(block, 0xA5, bytes);
    m->n_live++;
    m->live_bytes += bytes;
    if (m->live_bytes > m->peak_bytes) m->peak_bytes = m->live_bytes;
    return block;
}

static inline void check_memory_release(void *context, void *block,
                                        size_t bytes) {
    check_memory *m = context;
    m->n_live--;
    m->live_bytes -= bytes; /* a wrong size shows as live_bytes != 0 */
    free(block);
}

static inline pipit_allocator check_allocator(check_memory *m) {
    pipit_allocator a = {check_memory_alloc, check_memory_release, m};
    return a;
}

#endif

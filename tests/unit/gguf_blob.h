/* gguf_blob.h — headers built byte by byte, and read in pieces of 1, of 7 and
 * of all bytes: they must fare the same. */
#ifndef PIPIT_GGUF_BLOB_H
#define PIPIT_GGUF_BLOB_H

#include "check.h"
#include "gguf.h"

/* ---- writing ----------------------------------------------------------- */

static struct {
    uint8_t bytes[1 << 21];
    size_t n;
} blob;

static inline void put(const void *bytes, size_t n) {
    memcpy(blob.bytes + blob.n, bytes, n);
    blob.n += n;
}
static inline void put_u8(uint8_t v) {
    put(&v, 1);
}
static inline void put_u16(uint16_t v) {
    put(&v, 2);
}
static inline void put_u32(uint32_t v) {
    put(&v, 4);
}
static inline void put_u64(uint64_t v) {
    put(&v, 8);
}
static inline void put_f32(float v) {
    put(&v, 4);
}
static inline void put_text(const char *text) {
    put_u64(strlen(text));
    put(text, strlen(text));
}

static inline void begin(uint64_t n_tensors, uint64_t n_values) {
    blob.n = 0;
    put("GGUF", 4);
    put_u32(3);
    put_u64(n_tensors);
    put_u64(n_values);
}
static inline void put_key(const char *key, uint32_t type) {
    put_text(key);
    put_u32(type);
}
static inline void put_array(const char *key, uint32_t type, uint64_t n) {
    put_key(key, PIPIT_ARRAY);
    put_u32(type);
    put_u64(n);
}
static inline void put_tensor(const char *name, uint64_t cols, uint64_t rows,
                       uint32_t type, uint64_t offset) {
    put_text(name);
    put_u32(2);
    put_u64(cols);
    put_u64(rows);
    put_u32(type);
    put_u64(offset);
}
static inline void pad(size_t n) {
    while (blob.n % n != 0) put_u8(0);
}
static inline void put_zeros(size_t n) {
    while (n-- > 0) put_u8(0);
}

/* ---- reading ----------------------------------------------------------- */

/* Feeds all bytes in such pieces, then the end. The pieces lie in blocks of
 * their own, so ASan sees each end. Bytes that were taken in *taken. */
static inline pipit_status feed_all(pipit_file *file, const uint8_t *bytes,
                                    size_t n, size_t piece, size_t *taken,
                                    pipit_error *error) {
    pipit_status s = PIPIT_PENDING;
    *taken = 0;
    while (*taken < n && s == PIPIT_PENDING) {
        size_t k = n - *taken < piece ? n - *taken : piece, used = 99;
        uint8_t *part = malloc(k);
        memcpy(part, bytes + *taken, k);
        s = pipit_file_feed(file, part, k, &used, error);
        free(part);
        if (s < 0) {
            CHECK_EQ_U64(used, 99);
            return s;
        }
        CHECK(s == PIPIT_PENDING ? used == k : used <= k);
        *taken += used;
    }
    pipit_status end = pipit_file_end(file, error);
    CHECK((s == PIPIT_OK) == (end == PIPIT_OK));
    return end;
}

static const size_t pieces[3] = {1, 7, SIZE_MAX};

/* What reading says, the same for all pieces. *out: the file, NULL on failure;
 * out itself may be NULL. total: 0 = unknown. */
static inline pipit_status read_bytes(const uint8_t *bytes, size_t n,
                                      uint64_t total, pipit_file **out,
                                      pipit_error *error) {
    pipit_error errors[3] = {{0}};
    pipit_status s = PIPIT_OK;
    check_memory memory = {0};
    pipit_allocator a = check_allocator(&memory);
    if (out) *out = NULL;
    for (size_t i = 0; i < 3; i++) {
        pipit_file *file;
        size_t taken;
        if (!CHECK(pipit_file_open(total, &a, &file) == PIPIT_OK)) break;
        s = feed_all(file, bytes, n, pieces[i], &taken, &errors[i]);
        if (s == PIPIT_OK) {
            CHECK_EQ_U64(taken, pipit_file_header_bytes(file));
            CHECK(memory.live_bytes == pipit_gguf_bytes(file));
        }
        CHECK(errors[i].status == errors[0].status);
        CHECK_EQ_U64(errors[i].offset, errors[0].offset);
        CHECK(strcmp(errors[i].message, errors[0].message) == 0);
        pipit_file_close(file);
        CHECK_EQ_U64(memory.n_live, 0);
        CHECK_EQ_U64(memory.live_bytes, 0);
    }
    *error = errors[0];
    if (s == PIPIT_OK && out) {
        size_t taken;
        CHECK(pipit_file_open(total, NULL, out) == PIPIT_OK);
        CHECK(feed_all(*out, bytes, n, 1000, &taken, NULL) == PIPIT_OK);
    }
    return s;
}

static inline pipit_status read_blob(pipit_file **out, pipit_error *error) {
    return read_bytes(blob.bytes, blob.n, blob.n, out, error);
}

/* ---- a sample ---------------------------------------------------------- */

/* One key of each type, an array of each, three tensors. Returns the offset of
 * the data. */
static inline size_t write_sample(void) {
    double f64 = 1e-3;
    int64_t i64 = -5000000000;
    uint16_t u16 = 65535;
    begin(3, 18);
    put_key("u8", PIPIT_U8), put_u8(200);
    put_key("i8", PIPIT_I8), put_u8(0x80);
    put_key("u16", PIPIT_U16), put(&u16, 2);
    put_key("i16", PIPIT_I16), put(&u16, 2);
    put_key("u32", PIPIT_U32), put_u32(4000000000u);
    put_key("i32", PIPIT_I32), put_u32(4000000000u);
    put_key("f32", PIPIT_F32), put_f32(0.1f);
    put_key("flag", PIPIT_BOOL), put_u8(1);
    put_key("text", PIPIT_STRING), put_text("gr\xC3\xBC\xC3\x9F");
    put_key("u64", PIPIT_U64), put_u64(UINT64_MAX);
    put_key("i64", PIPIT_I64), put(&i64, 8);
    put_key("f64", PIPIT_F64), put(&f64, 8);
    put_key("general.alignment", PIPIT_U32), put_u32(64);
    put_array("array.u32", PIPIT_U32, 3);
    for (uint32_t i = 0; i < 3; i++) put_u32(i * 10);
    put_array("array.flag", PIPIT_BOOL, 2), put_u8(0), put_u8(1);
    put_array("array.text", PIPIT_STRING, 4);
    put_text("a"), put_text(""), put_text("ccc"), put_text("dd");
    put_array("array.none", PIPIT_F64, 0);
    put_array("array.text2", PIPIT_STRING, 1), put_text("second");
    put_tensor("b.weight", 32, 2, 2, 128); /* Q4_0: 36 bytes */
    put_tensor("a.weight", 5, 3, 0, 0);    /* F32: 60 bytes */
    put_text("norm"), put_u32(1), put_u64(7), put_u32(24), put_u64(192);
    pad(64);
    size_t data = blob.n;
    put_zeros(192 + 7);
    return data;
}

#endif

/* Headers are built byte by byte here; each is read in pieces of 1, of 7 and of
 * all bytes, and must fare the same. */
#include "check.h"
#include "gguf.h"

/* ---- writing ----------------------------------------------------------- */

static struct {
    uint8_t bytes[1 << 21];
    size_t n;
} blob;

static void put(const void *bytes, size_t n) {
    memcpy(blob.bytes + blob.n, bytes, n);
    blob.n += n;
}
static void put_u8(uint8_t v) {
    put(&v, 1);
}
static void put_u32(uint32_t v) {
    put(&v, 4);
}
static void put_u64(uint64_t v) {
    put(&v, 8);
}
static void put_f32(float v) {
    put(&v, 4);
}
static void put_text(const char *text) {
    put_u64(strlen(text));
    put(text, strlen(text));
}

static void begin(uint64_t n_tensors, uint64_t n_values) {
    blob.n = 0;
    put("GGUF", 4);
    put_u32(3);
    put_u64(n_tensors);
    put_u64(n_values);
}
static void put_key(const char *key, uint32_t type) {
    put_text(key);
    put_u32(type);
}
static void put_array(const char *key, uint32_t type, uint64_t n) {
    put_key(key, PIPIT_ARRAY);
    put_u32(type);
    put_u64(n);
}
static void put_tensor(const char *name, uint64_t cols, uint64_t rows,
                       uint32_t type, uint64_t offset) {
    put_text(name);
    put_u32(2);
    put_u64(cols);
    put_u64(rows);
    put_u32(type);
    put_u64(offset);
}
static void pad(size_t n) {
    while (blob.n % n != 0) put_u8(0);
}
static void put_zeros(size_t n) {
    while (n-- > 0) put_u8(0);
}

/* ---- reading ----------------------------------------------------------- */

/* Feeds all bytes in such pieces, then the end. The pieces lie in blocks of
 * their own, so ASan sees each end. Bytes that were taken in *taken. */
static pipit_status feed_all(pipit_file *file, const uint8_t *bytes, size_t n,
                             size_t piece, size_t *taken, pipit_error *error) {
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
static pipit_status read_bytes(const uint8_t *bytes, size_t n, uint64_t total,
                               pipit_file **out, pipit_error *error) {
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

static pipit_status read_blob(pipit_file **out, pipit_error *error) {
    return read_bytes(blob.bytes, blob.n, blob.n, out, error);
}

/* The blob is refused with this status, at this offset, with this in the
 * message; with its size known and, if `always`, unknown too. */
static void refused(pipit_status status, uint64_t offset, const char *message,
                    bool always, int line) {
    pipit_error error;
    for (int known = 1; known >= !always; known--) {
        pipit_status s =
            read_bytes(blob.bytes, blob.n, known ? blob.n : 0, NULL, &error);
        if (!CHECK(s == status) || !CHECK_EQ_U64(error.offset, offset) ||
            !CHECK_HOLDS(error.message, message))
            printf("(refused at line %d: %s, byte %llu: %s)\n", line,
                   pipit_status_name(s), (unsigned long long)error.offset,
                   s ? error.message : "");
    }
}
#define REFUSED(status, offset, message) \
    refused(PIPIT_E_##status, (offset), (message), true, __LINE__)
/* Only where the file's size is known. */
#define REFUSED_BY_SIZE(status, offset, message) \
    refused(PIPIT_E_##status, (offset), (message), false, __LINE__)

/* ---- what is there ----------------------------------------------------- */

/* One key of each type, an array of each, three tensors. Returns the offset of
 * the data. */
static size_t write_sample(void) {
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

static void reads_scalars(void) {
    pipit_file *f;
    pipit_error error;
    int64_t i;
    uint64_t at;
    double d;
    bool flag;
    pipit_string text;
    pipit_value v;
    write_sample();
    if (!CHECK(read_blob(&f, &error) == PIPIT_OK)) return;
    CHECK_EQ_U64(pipit_file_version(f), 3);
    CHECK_EQ_U64(pipit_file_n_values(f), 18);
    static const struct {
        const char *key;
        int64_t value;
    } integers[] = {{"u8", 200},   {"i8", -128},       {"u16", 65535},
                    {"i16", -1},   {"u32", 4000000000}, {"i32", -294967296},
                    {"i64", -5000000000}};
    for (size_t k = 0; k < sizeof integers / sizeof *integers; k++) {
        CHECK(pipit_file_find(f, integers[k].key, &at) == PIPIT_OK);
        CHECK(pipit_file_integer(f, at, 0, &i) == PIPIT_OK);
        CHECK_EQ_I64(i, integers[k].value);
        CHECK(pipit_file_real(f, at, 0, &d) == PIPIT_OK);
        CHECK(d == (double)integers[k].value);
        CHECK(pipit_file_integer(f, at, 1, &i) == PIPIT_E_ARGUMENT);
        CHECK(pipit_file_text(f, at, 0, &text) == PIPIT_E_ARGUMENT);
        CHECK(pipit_file_flag(f, at, 0, &flag) == PIPIT_E_ARGUMENT);
    }
    CHECK(pipit_file_find(f, "u64", &at) == PIPIT_OK);
    CHECK(pipit_file_integer(f, at, 0, &i) == PIPIT_E_ARGUMENT); /* too big */
    CHECK(pipit_file_real(f, at, 0, &d) == PIPIT_OK && d == 0x1p64);
    CHECK(pipit_file_find(f, "f32", &at) == PIPIT_OK);
    CHECK(pipit_file_real(f, at, 0, &d) == PIPIT_OK && d == (double)0.1f);
    CHECK(pipit_file_integer(f, at, 0, &i) == PIPIT_E_ARGUMENT);
    CHECK(pipit_file_find(f, "f64", &at) == PIPIT_OK);
    CHECK(pipit_file_real(f, at, 0, &d) == PIPIT_OK && d == 1e-3);
    CHECK(pipit_file_find(f, "flag", &at) == PIPIT_OK);
    CHECK(pipit_file_flag(f, at, 0, &flag) == PIPIT_OK && flag);
    CHECK(pipit_file_integer(f, at, 0, &i) == PIPIT_E_ARGUMENT);
    CHECK(pipit_file_real(f, at, 0, &d) == PIPIT_E_ARGUMENT);
    CHECK(pipit_file_find(f, "text", &at) == PIPIT_OK);
    CHECK(pipit_file_text(f, at, 0, &text) == PIPIT_OK);
    CHECK_TEXT(text.bytes, text.n_bytes, "gr\xC3\xBC\xC3\x9F");
    CHECK(pipit_file_value(f, at, &v) == PIPIT_OK);
    CHECK(v.type == PIPIT_STRING && v.n_elements == 1 && at == 8);
    CHECK_TEXT(v.key.bytes, v.key.n_bytes, "text");
    CHECK(pipit_file_find(f, "tex", &at) == PIPIT_E_ARGUMENT);
    CHECK(pipit_file_find(f, "texts", &at) == PIPIT_E_ARGUMENT);
    CHECK(pipit_file_find(f, "", &at) == PIPIT_E_ARGUMENT);
    CHECK(pipit_file_value(f, 18, &v) == PIPIT_E_ARGUMENT);
    CHECK(pipit_file_integer(f, UINT64_MAX, 0, &i) == PIPIT_E_ARGUMENT);
    pipit_file_close(f);
}

static void reads_arrays(void) {
    pipit_file *f;
    pipit_error error;
    pipit_gguf_array a;
    pipit_value v;
    pipit_string text;
    int64_t i;
    bool flag;
    write_sample();
    if (!CHECK(read_blob(&f, &error) == PIPIT_OK)) return;
    CHECK(!pipit_gguf_array_of(f, "array.u32", PIPIT_U32, &a, &error));
    CHECK_EQ_U64(a.n, 3);
    CHECK_EQ_U64(pipit_load_u32(a.bytes + 8), 20);
    CHECK(pipit_file_value(f, a.index, &v) == PIPIT_OK);
    CHECK(v.type == PIPIT_ARRAY && v.element_type == PIPIT_U32);
    CHECK_EQ_U64(v.n_elements, 3);
    CHECK(pipit_file_integer(f, a.index, 2, &i) == PIPIT_OK && i == 20);
    CHECK(pipit_file_integer(f, a.index, 3, &i) == PIPIT_E_ARGUMENT);
    CHECK(!pipit_gguf_array_any(f, "array.flag", &a, &error));
    CHECK(a.type == PIPIT_BOOL && a.n == 2);
    CHECK(pipit_file_flag(f, a.index, 1, &flag) == PIPIT_OK && flag);
    CHECK(!pipit_gguf_array_of(f, "array.text", PIPIT_STRING, &a, &error));
    static const char *const texts[] = {"a", "", "ccc", "dd"};
    CHECK(a.n == 4 && a.bytes == NULL);
    for (uint64_t k = 0; k < 4; k++) {
        text = pipit_gguf_string_at(f, &a, k);
        CHECK_TEXT(text.bytes, text.n_bytes, texts[k]);
        CHECK(pipit_file_text(f, a.index, k, &text) == PIPIT_OK);
        CHECK_TEXT(text.bytes, text.n_bytes, texts[k]);
    }
    CHECK(pipit_file_text(f, a.index, 4, &text) == PIPIT_E_ARGUMENT);
    CHECK(!pipit_gguf_array_of(f, "array.text2", PIPIT_STRING, &a, &error));
    text = pipit_gguf_string_at(f, &a, 0);
    CHECK_TEXT(text.bytes, text.n_bytes, "second");
    CHECK(!pipit_gguf_array_of(f, "array.none", PIPIT_F64, &a, &error));
    CHECK(a.n == 0 && a.index != UINT64_MAX);
    CHECK(!pipit_gguf_array_of(f, "absent", PIPIT_F64, &a, &error));
    CHECK(a.n == 0 && a.index == UINT64_MAX && a.bytes == NULL);
    CHECK(pipit_gguf_array_of(f, "array.u32", PIPIT_I32, &a, &error) ==
          PIPIT_E_MODEL);
    CHECK_HOLDS(error.message, "key array.u32 is an array of another type");
    CHECK(pipit_gguf_array_any(f, "text", &a, &error) == PIPIT_E_MODEL);
    CHECK_HOLDS(error.message, "key text is no array");
    pipit_file_close(f);
}

static void looks_up_with_types(void) {
    pipit_file *f;
    pipit_error error;
    uint32_t u = 7;
    float x = 7;
    bool flag = true;
    pipit_string text = {"kept", 4};
    write_sample();
    if (!CHECK(read_blob(&f, &error) == PIPIT_OK)) return;
    CHECK(!pipit_gguf_u32(f, "absent", &u, &error) && u == 7);
    CHECK(!pipit_gguf_f32(f, "absent", &x, &error) && x == 7);
    CHECK(!pipit_gguf_bool(f, "absent", &flag, &error) && flag);
    CHECK(!pipit_gguf_string(f, "absent", &text, &error));
    CHECK_TEXT(text.bytes, text.n_bytes, "kept");
    CHECK(pipit_gguf_need_u32(f, "absent", &u, &error) == PIPIT_E_MODEL);
    CHECK_HOLDS(error.message, "missing key absent");
    CHECK(!pipit_gguf_need_u32(f, "u32", &u, &error) && u == 4000000000u);
    CHECK(!pipit_gguf_u32(f, "u8", &u, &error) && u == 200);
    CHECK(!pipit_gguf_f32(f, "f64", &x, &error) && x == 0.001f);
    CHECK(!pipit_gguf_bool(f, "flag", &flag, &error) && flag);
    CHECK(!pipit_gguf_string(f, "text", &text, &error) && text.n_bytes == 6);
    static const char *const not_u32[] = {"i8", "i64", "u64", "f32", "flag",
                                          "text", "array.u32"};
    for (size_t k = 0; k < 7; k++) {
        u = 7;
        CHECK(pipit_gguf_u32(f, not_u32[k], &u, &error) == PIPIT_E_MODEL);
        CHECK(u == 7);
        CHECK_HOLDS(error.message, not_u32[k]);
        CHECK(error.offset != PIPIT_NO_OFFSET);
    }
    CHECK(pipit_gguf_f32(f, "u32", &x, &error) == PIPIT_E_MODEL);
    CHECK(pipit_gguf_bool(f, "u8", &flag, &error) == PIPIT_E_MODEL);
    CHECK(pipit_gguf_string(f, "array.text", &text, &error) == PIPIT_E_MODEL);
    pipit_file_close(f);
}

static void refuses_reals_out_of_range(void) {
    static const double values[] = {1e39, -1e39, 1e308 * 10, 3.4028235677973366e38};
    pipit_error error;
    begin(0, 5);
    for (size_t k = 0; k < 4; k++) {
        char key[2] = {(char)('a' + k), 0};
        put_key(key, PIPIT_F64), put(&values[k], 8);
    }
    put_key("nan", PIPIT_F32), put_u32(0x7FC00000);
    pipit_file *f;
    if (!CHECK(read_blob(&f, &error) == PIPIT_OK)) return;
    float x = 7;
    for (size_t k = 0; k < 4; k++) {
        char key[2] = {(char)('a' + k), 0};
        CHECK(pipit_gguf_f32(f, key, &x, &error) == PIPIT_E_MODEL && x == 7);
    }
    CHECK(pipit_gguf_f32(f, "nan", &x, &error) == PIPIT_E_MODEL);
    CHECK_HOLDS(error.message, "key nan is no finite f32");
    pipit_file_close(f);
}

static void reads_tensors(void) {
    pipit_file *f;
    pipit_error error;
    size_t data = write_sample();
    if (!CHECK(read_blob(&f, &error) == PIPIT_OK)) return;
    CHECK_EQ_U64(pipit_file_header_bytes(f), data);
    CHECK_EQ_U64(pipit_gguf_data_offset(f), data);
    CHECK_EQ_U64(pipit_file_n_tensors(f), 3);
    CHECK_EQ_U64(pipit_gguf_tensor_index(f, "a.weight", 8), 1);
    CHECK_EQ_U64(pipit_gguf_tensor_index(f, "b.weight", 8), 0);
    CHECK_EQ_U64(pipit_gguf_tensor_index(f, "norm", 4), 2);
    CHECK_EQ_U64(pipit_gguf_tensor_index(f, "nor", 3), UINT64_MAX);
    pipit_tensor t;
    CHECK(pipit_file_tensor(f, 0, &t) == PIPIT_OK);
    CHECK_TEXT(t.name.bytes, t.name.n_bytes, "b.weight");
    CHECK(t.type == 2 && t.n_dims == 2 && t.dims[0] == 32 && t.dims[1] == 2);
    CHECK(t.dims[2] == 1 && t.dims[3] == 1 && t.n_bytes == 36);
    CHECK_EQ_U64(t.offset, data + 128);
    const pipit_tensor *norm = pipit_gguf_tensor(f, 2);
    CHECK(norm->n_dims == 1 && norm->dims[0] == 7 && norm->dims[1] == 1);
    CHECK(norm->n_bytes == 7 && norm->offset == data + 192);
    CHECK(pipit_file_tensor(f, 3, &t) == PIPIT_E_ARGUMENT);
    pipit_file_close(f);
}

static void names_types(void) {
    CHECK(strcmp(pipit_tensor_type_name(3), "Q4_1") == 0);
    CHECK(strcmp(pipit_tensor_type_name(16), "IQ2_XXS") == 0);
    CHECK(pipit_tensor_type_name(4) == NULL);
    CHECK(pipit_tensor_type_name(UINT32_MAX) == NULL);
}

/* ---- what is not accepted ---------------------------------------------- */

static void refuses_beginnings(void) {
    blob.n = 0;
    REFUSED(TRUNCATED, 0, "the file is empty");
    put("GG", 2);
    REFUSED_BY_SIZE(TRUNCATED, 2, "ends within its header");
    put("MLxxxxxx", 8);
    REFUSED(FORMAT, 0, "not a GGUF file");
    blob.n = 0, put("<!", 2);
    REFUSED(FORMAT, 0, "not a GGUF file");
    begin(0, 0), memcpy(blob.bytes + 4, "\0\0\0\3", 4);
    REFUSED(UNSUPPORTED, 4, "big-endian");
    begin(0, 0), blob.bytes[4] = 0;
    REFUSED(FORMAT, 4, "version 0");
    begin(0, 0), blob.bytes[4] = 1;
    REFUSED(UNSUPPORTED, 4, "version 1;");
    begin(0, 0), blob.bytes[5] = 1;
    REFUSED(UNSUPPORTED, 4, "version 259;");
    begin(65537, 0);
    REFUSED(FORMAT, 8, "claims 65537 tensors, more than 65536");
    begin(0, UINT64_MAX);
    REFUSED(FORMAT, 16, "claims 18446744073709551615 keys");
    begin(2, 0), put_zeros(2 * 33 - 1);
    REFUSED_BY_SIZE(FORMAT, 8, "claims 2 tensors, more than fit");
    begin(0, 3), put_zeros(3 * 14 - 1);
    REFUSED_BY_SIZE(FORMAT, 16, "claims 3 keys, more than fit");
}

static void refuses_keys(void) {
    begin(0, 1), put_key("", PIPIT_U32), put_u32(0), put_zeros(64);
    REFUSED(FORMAT, 24, "key number 0 has a name of 0 bytes");
    begin(0, 1), put_u64(65536), put_zeros(66000);
    REFUSED(FORMAT, 24, "key number 0 has a name of 65536 bytes");
    begin(0, 1), put_u64(UINT64_MAX), put_zeros(64);
    REFUSED(FORMAT, 24, "18446744073709551615 bytes");
    begin(0, 1), put_u64(50), put_zeros(40);
    REFUSED_BY_SIZE(FORMAT, 24, "key number 0 has a name of 50 bytes");
    begin(0, 1), put_u64(3), put("a\0b", 3), put_u32(4), put_u32(0);
    REFUSED(FORMAT, 32, "key a?b: a NUL");
    begin(0, 1), put_key("k", 13), put_zeros(64);
    REFUSED(FORMAT, 33, "key k: its value is of an unknown type");
    begin(0, 1), put_key("k", UINT32_MAX), put_zeros(64);
    REFUSED(FORMAT, 33, "key k: its value is of an unknown type");
    begin(0, 1), put_key("k", PIPIT_BOOL), put_u8(2), put_zeros(64);
    REFUSED(FORMAT, 37, "key k: a bool");
    begin(0, 3), put_key("k", PIPIT_U8), put_u8(2);
    put_key("l", PIPIT_U8), put_u8(2), put_key("k", PIPIT_I8), put_u8(2);
    REFUSED(FORMAT, 24 + 14 + 14 + 8, "key k appears twice");
    begin(0, 1), put_key("k", PIPIT_U64), put_u32(2);
    REFUSED_BY_SIZE(TRUNCATED, 37, "key k: the file is too short");
}

static void refuses_strings_and_arrays(void) {
    begin(0, 1), put_key("k", PIPIT_STRING), put_u64(9), put_zeros(8);
    REFUSED_BY_SIZE(FORMAT, 37, "key k: a string longer than");
    begin(0, 1), put_key("k", PIPIT_STRING), put_u64(UINT64_MAX), put_zeros(8);
    REFUSED_BY_SIZE(FORMAT, 37, "key k: a string longer than");
    begin(0, 1), put_array("k", 13, 0), put_zeros(64);
    REFUSED(FORMAT, 37, "key k: an array of an unknown type");
    begin(0, 1), put_array("k", PIPIT_ARRAY, 1), put_zeros(64);
    REFUSED(FORMAT, 37, "key k: an array of arrays");
    begin(0, 1), put_array("k", PIPIT_U64, 3), put_zeros(16);
    REFUSED_BY_SIZE(FORMAT, 41, "key k: an array longer than");
    begin(0, 1), put_array("k", PIPIT_U64, (uint64_t)1 << 61), put_zeros(64);
    REFUSED(FORMAT, 41, "key k: an array longer than"); /* 2^64 bytes */
    begin(0, 1), put_array("k", PIPIT_STRING, 3), put_zeros(23);
    REFUSED_BY_SIZE(FORMAT, 41, "key k: an array longer than");
    begin(0, 1), put_array("k", PIPIT_STRING, 2), put_text("abc");
    put_u64(30), put_zeros(20);
    REFUSED_BY_SIZE(FORMAT, 60, "key k: a string longer than");
    begin(0, 1), put_array("k", PIPIT_BOOL, 3), put_u8(1), put_u8(0), put_u8(3);
    put_zeros(64);
    REFUSED(FORMAT, 51, "key k: a bool");
}

/* Where the file's size is unknown, a claim is bounded by a limit of ours. */
static void limits_the_header(void) {
    pipit_error error;
    begin(0, 1), put_array("k", PIPIT_U8, ((uint64_t)256 << 20) + 1);
    CHECK(read_bytes(blob.bytes, blob.n, 0, NULL, &error) ==
          PIPIT_E_TOO_LARGE);
    CHECK_HOLDS(error.message, "key k: an array of more than 256 MiB");
    CHECK_EQ_U64(error.offset, 41);
    begin(0, 1), put_array("k", PIPIT_U8, (uint64_t)256 << 20);
    CHECK(read_bytes(blob.bytes, blob.n, 0, NULL, &error) ==
          PIPIT_E_TOO_LARGE);
    CHECK_HOLDS(error.message, "key k: the header would be larger than");
    begin(0, 1), put_key("k", PIPIT_STRING), put_u64((uint64_t)1 << 40);
    CHECK(read_bytes(blob.bytes, blob.n, 0, NULL, &error) ==
          PIPIT_E_TOO_LARGE);
}

static void refuses_alignments(void) {
    static const uint32_t wrong[] = {0, 1, 2, 4, 7, 12, 48, 131072, 1u << 31};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        begin(0, 1), put_key("general.alignment", PIPIT_U32);
        put_u32(wrong[i]), put_zeros(64);
        REFUSED(FORMAT, 53, "general.alignment: must be a power of two");
    }
    begin(0, 1), put_key("general.alignment", PIPIT_U64), put_u64(32);
    REFUSED(FORMAT, 49, "general.alignment: must be a u32");
    begin(0, 1), put_array("general.alignment", PIPIT_U32, 1), put_u32(32);
    REFUSED(FORMAT, 49, "general.alignment: must be a u32");
    for (uint32_t alignment = 8; alignment <= 65536; alignment *= 2) {
        pipit_error error;
        pipit_file *f;
        begin(1, 1), put_key("general.alignment", PIPIT_U32);
        put_u32(alignment), put_tensor("t", 1, 1, 0, 0);
        pad(alignment), put_zeros(4);
        if (!CHECK(read_blob(&f, &error) == PIPIT_OK)) continue;
        CHECK_EQ_U64(pipit_file_header_bytes(f), blob.n - 4);
        pipit_file_close(f);
    }
}

static void refuses_tensors(void) {
    char name[65];
    memset(name, 'n', 64);
    name[64] = '\0';
    begin(1, 0), put_tensor(name, 1, 1, 0, 0), put_zeros(128);
    REFUSED(FORMAT, 24, "tensor number 0 has a name of 64 bytes");
    begin(1, 0), put_tensor("", 1, 1, 0, 0), put_zeros(128);
    REFUSED(FORMAT, 24, "tensor number 0 has a name of 0 bytes");
    begin(1, 0), put_u64(2), put("t\0", 2), put_zeros(128);
    REFUSED(FORMAT, 32, "tensor t?: a NUL");
    begin(1, 0), put_text("t"), put_u32(0), put_zeros(128);
    REFUSED(FORMAT, 33, "tensor t: not 1 to 4 dimensions");
    begin(1, 0), put_text("t"), put_u32(5), put_zeros(128);
    REFUSED(FORMAT, 33, "tensor t: not 1 to 4 dimensions");
    begin(1, 0), put_tensor("t", 1, 0, 0, 0), put_zeros(128);
    REFUSED(FORMAT, 45, "tensor t: a dimension of 0");
    begin(1, 0), put_tensor("t", UINT64_MAX, 1, 24, 0), put_zeros(128);
    REFUSED(FORMAT, 37, "tensor t: 2^63 elements or more");
    begin(1, 0), put_tensor("t", 1u << 31, (uint64_t)1 << 32, 24, 0);
    put_zeros(128);
    REFUSED(FORMAT, 45, "tensor t: 2^63 elements or more");
    begin(1, 0), put_tensor("t", (uint64_t)1 << 32, (uint64_t)1 << 32, 24, 0);
    put_zeros(128); /* wraps to 0 */
    REFUSED(FORMAT, 45, "tensor t: 2^63 elements or more");
    begin(1, 0), put_tensor("t", (uint64_t)1 << 62, 1, 28, 0), put_zeros(128);
    REFUSED(FORMAT, 37, "tensor t: 2^64 bytes or more");
    begin(1, 0), put_tensor("t", 33, 1, 2, 0), put_zeros(128);
    REFUSED(FORMAT, 37, "tensor t: its rows are no whole number");
    static const uint32_t unknown[] = {4, 5, 31, 38, 43, UINT32_MAX};
    for (size_t i = 0; i < 6; i++) {
        begin(1, 0), put_tensor("t", 256, 1, unknown[i], 0), put_zeros(512);
        REFUSED(UNSUPPORTED, 53, "tensor t: of an unknown type");
    }
    begin(1, 0), put_tensor("t", 256, 1, 9, 0), put_zeros(512);
    REFUSED(UNSUPPORTED, 53, "only activations have");
    begin(1, 0), put_tensor("t", 256, 1, 15, 0), put_zeros(512);
    REFUSED(UNSUPPORTED, 53, "only activations have");
    begin(1, 0), put_tensor("t", 1, 1, 0, 16), put_zeros(128);
    REFUSED(FORMAT, 57, "tensor t: its offset is no multiple");
}

static void refuses_extents(void) {
    /* header 24 + 2 * 41 = 106, data at 128 */
    begin(2, 0), put_tensor("a", 32, 1, 0, 0), put_tensor("b", 1, 1, 0, 96);
    pad(32), put_zeros(160);
    REFUSED(FORMAT, 24 + 41 + 9, "tensor b overlaps tensor a");
    begin(2, 0), put_tensor("a", 1, 1, 0, 96), put_tensor("b", 32, 1, 0, 0);
    pad(32), put_zeros(160);
    REFUSED(FORMAT, 24 + 9, "tensor a overlaps tensor b");
    begin(2, 0), put_tensor("a", 32, 1, 0, 0), put_tensor("b", 32, 1, 0, 0);
    pad(32), put_zeros(160);
    REFUSED(FORMAT, 24 + 41 + 9, "tensor b overlaps tensor a");
    begin(2, 0), put_tensor("a", 32, 1, 0, 0), put_tensor("a", 1, 1, 0, 128);
    pad(32), put_zeros(160);
    REFUSED(FORMAT, 24 + 41 + 9, "tensor a appears twice");
    begin(2, 0), put_tensor("a", 32, 1, 0, 0), put_tensor("b", 2, 1, 0, 128);
    pad(32), put_zeros(128 + 7);
    REFUSED_BY_SIZE(TRUNCATED, 24 + 41 + 9,
                    "tensor b ends at byte 264, but the file has only 263");
    begin(1, 0), put_tensor("a", 32, 1, 0, UINT64_MAX - 31), put_zeros(128);
    REFUSED(FORMAT, 33, "tensor a ends past 2^64 bytes");
    begin(1, 0), put_tensor("a", (uint64_t)1 << 60, 1, 28, (uint64_t)1 << 63);
    put_zeros(128);
    REFUSED(FORMAT, 33, "tensor a ends past 2^64 bytes");
    begin(1, 0), put_tensor("a", 1, 1, 0, 0);
    REFUSED_BY_SIZE(TRUNCATED, 33, "tensor a ends at byte 100, but");
}

/* Gaps and any order are fine. */
static void accepts_any_layout(void) {
    pipit_error error;
    begin(3, 0), put_tensor("a", 1, 1, 0, 4096);
    put_tensor("b", 8, 1, 0, 32), put_tensor("c", 9, 1, 0, 64);
    pad(32), put_zeros(4100);
    CHECK(read_blob(NULL, &error) == PIPIT_OK);
}

/* Nothing needs padding where there is no data. */
static void accepts_no_tensors(void) {
    pipit_error error;
    pipit_file *f;
    begin(0, 0);
    CHECK_EQ_U64(blob.n, 24);
    if (!CHECK(read_blob(&f, &error) == PIPIT_OK)) return;
    CHECK_EQ_U64(pipit_file_header_bytes(f), 24);
    CHECK_EQ_U64(pipit_gguf_key(f, "general.architecture"), UINT64_MAX);
    CHECK_EQ_U64(pipit_gguf_tensor_index(f, "a", 1), UINT64_MAX);
    pipit_file_close(f);
    put_zeros(8);
    CHECK(read_blob(NULL, &error) == PIPIT_OK);
}

/* ---- every byte -------------------------------------------------------- */

static void every_truncation(void) {
    size_t data = write_sample(), n = blob.n;
    for (size_t cut = 0; cut < n; cut++) {
        pipit_error error;
        pipit_status s = read_bytes(blob.bytes, cut, 0, NULL, &error);
        if (cut < data) {
            CHECK(s == PIPIT_E_TRUNCATED);
            CHECK_EQ_U64(error.offset, cut);
            CHECK_HOLDS(error.message, cut ? "the file ends within its header"
                                           : "the file is empty");
        } else {
            CHECK(s == PIPIT_OK);
        }
        s = read_bytes(blob.bytes, cut, cut, NULL, &error);
        CHECK(s == PIPIT_E_TRUNCATED || s == PIPIT_E_FORMAT);
        /* The stream is shorter than was said. */
        s = read_bytes(blob.bytes, cut, n, NULL, &error);
        CHECK(s == (cut < data ? PIPIT_E_TRUNCATED : PIPIT_OK));
    }
}

/* Whatever becomes of a changed byte: no crash, the same verdict in all pieces,
 * no memory left behind. What is accepted can be asked everything. */
static void every_flipped_byte(void) {
    static const uint8_t flips[] = {0x01, 0x80, 0xFF, 0x55};
    size_t data = write_sample(), n_accepted = 0, n_refused = 0;
    for (size_t at = 0; at < data; at++)
        for (size_t k = 0; k < sizeof flips; k++) {
            pipit_error error;
            pipit_file *f;
            blob.bytes[at] ^= flips[k];
            pipit_status s =
                read_bytes(blob.bytes, blob.n, k & 1 ? blob.n : 0, &f, &error);
            if (s == PIPIT_OK) {
                n_accepted++;
                for (uint64_t i = 0; i < pipit_file_n_values(f); i++) {
                    pipit_value v;
                    pipit_string text;
                    double d;
                    CHECK(pipit_file_value(f, i, &v) == PIPIT_OK);
                    for (uint64_t j = 0; j < v.n_elements; j++)
                        if (pipit_file_text(f, i, j, &text) == PIPIT_OK)
                            CHECK(text.n_bytes <= blob.n);
                        else
                            (void)pipit_file_real(f, i, j, &d);
                }
                pipit_file_close(f);
            } else {
                n_refused++;
                CHECK(s < 0 && error.status == s && error.message[0]);
            }
            blob.bytes[at] ^= flips[k];
        }
    CHECK(n_accepted > data / 4 && n_refused > data);
}

/* ---- memory ------------------------------------------------------------ */

static void every_allocation_fails(void) {
    write_sample();
    uint64_t n_calls = UINT64_MAX;
    for (uint64_t fail = 1; fail <= n_calls; fail++) {
        check_memory m = {.fail_at = fail};
        pipit_allocator a = check_allocator(&m);
        pipit_file *f = NULL;
        pipit_error error = {0};
        size_t taken;
        pipit_status s = pipit_file_open(0, &a, &f);
        if (s == PIPIT_OK)
            s = feed_all(f, blob.bytes, blob.n, 100, &taken, &error);
        if (m.n_calls < fail) n_calls = 0; /* it never came to the refusal */
        /* Giving back what is too much may fail without harm. */
        CHECK(s == PIPIT_E_MEMORY || s == PIPIT_OK);
        if (fail == 2) CHECK(error.status == PIPIT_E_MEMORY);
        pipit_file_close(f);
        CHECK_EQ_U64(m.n_live, 0);
        CHECK_EQ_U64(m.live_bytes, 0);
    }
}

/* A claim alone takes no memory. */
static void claims_are_free(void) {
    for (int what = 0; what < 4; what++) {
        check_memory m = {0};
        pipit_allocator a = check_allocator(&m);
        pipit_file *f;
        size_t taken;
        begin(what == 0 ? 65536 : 0, what == 1 ? 65536 : 1);
        if (what == 2) put_array("k", PIPIT_U8, (uint64_t)200 << 20);
        if (what == 3) put_array("k", PIPIT_STRING, (uint64_t)30 << 20);
        put_zeros(what == 2 ? 100 : 0);
        CHECK(pipit_file_open(0, &a, &f) == PIPIT_OK);
        CHECK(pipit_file_feed(f, blob.bytes, blob.n, &taken, NULL) ==
              PIPIT_PENDING);
        CHECK(m.peak_bytes < 16384);
        pipit_file_close(f);
    }
}

/* Byte by byte the tables are moved as seldom as at once, and end as small. */
static void grows_by_doubling(void) {
    begin(0, 1), put_array("k", PIPIT_STRING, 50000);
    for (uint32_t i = 0; i < 50000; i++) put_text("token");
    for (size_t p = 0; p < 3; p++) {
        check_memory m = {0};
        pipit_allocator a = check_allocator(&m);
        pipit_file *f;
        size_t taken;
        CHECK(pipit_file_open(0, &a, &f) == PIPIT_OK);
        CHECK(feed_all(f, blob.bytes, blob.n, pieces[p], &taken, NULL) ==
              PIPIT_OK);
        CHECK(m.n_calls < 40);
        CHECK(m.live_bytes < blob.n + 50000 * 4 + 4096);
        CHECK(m.peak_bytes < 4 * blob.n);
        pipit_file_close(f);
    }
}

/* ---- lookups ----------------------------------------------------------- */

static void finds_each_of_many(void) {
    enum { n = 3000 };
    char name[32];
    begin(n, n);
    for (uint32_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "key.%u", (i * 7919u) % n);
        put_key(name, PIPIT_U32), put_u32(i);
    }
    for (uint32_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "t%u", (i * 104729u) % n);
        put_tensor(name, 1, 1, 0, 32 * (uint64_t)(n - 1 - i));
    }
    pad(32), put_zeros(32 * n);
    pipit_file *f;
    pipit_error error;
    if (!CHECK(read_blob(&f, &error) == PIPIT_OK)) return;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = n;
        snprintf(name, sizeof name, "key.%u", (i * 7919u) % n);
        CHECK(!pipit_gguf_need_u32(f, name, &v, &error) && v == i);
        snprintf(name, sizeof name, "t%u", (i * 104729u) % n);
        CHECK_EQ_U64(pipit_gguf_tensor_index(f, name, strlen(name)), i);
    }
    CHECK_EQ_U64(pipit_gguf_key(f, "key.3000"), UINT64_MAX);
    CHECK_EQ_U64(pipit_gguf_key(f, "key."), UINT64_MAX);
    pipit_file_close(f);
}

/* ---- states ------------------------------------------------------------ */

static void needs_a_complete_header(void) {
    pipit_file *f;
    size_t taken;
    uint64_t at;
    int64_t i;
    pipit_value v;
    pipit_tensor t;
    pipit_string text;
    size_t data = write_sample();
    CHECK(pipit_file_open(0, NULL, &f) == PIPIT_OK);
    CHECK(pipit_file_feed(f, NULL, 0, &taken, NULL) == PIPIT_PENDING);
    CHECK(pipit_file_feed(f, blob.bytes, data - 1, &taken, NULL) ==
          PIPIT_PENDING);
    CHECK_EQ_U64(taken, data - 1);
    CHECK_EQ_U64(pipit_file_header_bytes(f), 0);
    CHECK_EQ_U64(pipit_file_n_values(f), 0);
    CHECK_EQ_U64(pipit_file_n_tensors(f), 0);
    CHECK_EQ_U64(pipit_file_version(f), 0);
    CHECK(pipit_file_find(f, "u8", &at) == PIPIT_E_STATE);
    CHECK(pipit_file_value(f, 0, &v) == PIPIT_E_STATE);
    CHECK(pipit_file_integer(f, 0, 0, &i) == PIPIT_E_STATE);
    CHECK(pipit_file_text(f, 0, 0, &text) == PIPIT_E_STATE);
    CHECK(pipit_file_tensor(f, 0, &t) == PIPIT_E_STATE);
    CHECK_EQ_U64(pipit_gguf_key(f, "u8"), UINT64_MAX);
    CHECK(pipit_file_feed(f, blob.bytes + data - 1, 50, &taken, NULL) ==
          PIPIT_OK);
    CHECK_EQ_U64(taken, 1); /* the rest is tensor data */
    CHECK(pipit_file_feed(f, blob.bytes, 50, &taken, NULL) == PIPIT_OK);
    CHECK_EQ_U64(taken, 0);
    CHECK(pipit_file_end(f, NULL) == PIPIT_OK);
    CHECK(pipit_file_find(f, "u8", &at) == PIPIT_OK && at == 0);
    pipit_file_close(f);
}

static void failure_stays(void) {
    pipit_file *f;
    pipit_error first, again;
    size_t taken = 99;
    begin(0, 1), put_key("k", 13), put_zeros(64);
    CHECK(pipit_file_open(0, NULL, &f) == PIPIT_OK);
    CHECK(pipit_file_feed(f, blob.bytes, blob.n, &taken, &first) ==
          PIPIT_E_FORMAT);
    CHECK_EQ_U64(taken, 99);
    CHECK(pipit_file_feed(f, blob.bytes, 1, &taken, &again) == PIPIT_E_FORMAT);
    CHECK(strcmp(first.message, again.message) == 0);
    CHECK(pipit_file_end(f, &again) == PIPIT_E_FORMAT);
    CHECK_EQ_U64(again.offset, first.offset);
    CHECK_EQ_U64(pipit_file_n_values(f), 0);
    pipit_file_close(f);
}

static void refuses_arguments(void) {
    size_t taken;
    pipit_file *f;
    pipit_file_close(NULL);
    CHECK(pipit_file_open(0, NULL, NULL) == PIPIT_E_ARGUMENT);
    CHECK(pipit_file_feed(NULL, NULL, 0, &taken, NULL) == PIPIT_E_ARGUMENT);
    CHECK(pipit_file_end(NULL, NULL) == PIPIT_E_ARGUMENT);
    CHECK(pipit_file_open(0, NULL, &f) == PIPIT_OK);
    CHECK(pipit_file_feed(f, NULL, 1, &taken, NULL) == PIPIT_E_ARGUMENT);
    CHECK(pipit_file_feed(f, (const uint8_t *)"G", 1, NULL, NULL) ==
          PIPIT_E_ARGUMENT);
    CHECK(pipit_file_feed(f, (const uint8_t *)"G", 1, &taken, NULL) ==
          PIPIT_PENDING); /* nothing was lost */
    pipit_file_close(f);
    CHECK_EQ_U64(pipit_file_header_bytes(NULL), 0);
    CHECK(pipit_file_value(NULL, 0, NULL) == PIPIT_E_ARGUMENT);
}

/* ---- reference files --------------------------------------------------- */

static void malformed_reference_files(void) {
    static const struct {
        const char *name;
        pipit_status status;
        uint64_t offset;
        const char *message;
    } files[] = {
        {"align0", PIPIT_E_FORMAT, 53, "general.alignment"},
        {"align_u64", PIPIT_E_FORMAT, 49, "general.alignment"},
        {"arr_str_huge_count", PIPIT_E_FORMAT, 41, "key k: an array longer"},
        {"arr_type13_huge_count", PIPIT_E_FORMAT, 37, "unknown type"},
        {"arrbig", PIPIT_E_FORMAT, 41, "key k: an array longer"},
        {"be", PIPIT_E_UNSUPPORTED, 4, "big-endian"},
        {"bool2", PIPIT_E_FORMAT, 37, "key k: a bool"},
        {"data_section_past_eof", PIPIT_E_FORMAT, 8, "1 tensors"},
        {"dupkey", PIPIT_E_FORMAT, 49, "key k appears twice"},
        {"empty", PIPIT_E_TRUNCATED, 0, "empty"},
        {"header_only_24", PIPIT_OK, 0, ""},
        {"intmax_x2_i8", PIPIT_E_FORMAT, 45, "tensor a: 2^63"},
        {"intmax_x3_q8_0", PIPIT_E_FORMAT, 45, "tensor a: 2^63"},
        {"key_nul", PIPIT_E_FORMAT, 32, "NUL"},
        {"kvtype13", PIPIT_E_FORMAT, 33, "unknown type"},
        {"magic_ggml", PIPIT_E_FORMAT, 0, "not a GGUF file"},
        {"magic_only", PIPIT_E_TRUNCATED, 4, "too short"},
        {"name63", PIPIT_OK, 0, ""},
        {"name64", PIPIT_E_FORMAT, 24, "64 bytes"},
        {"ne_neg", PIPIT_E_FORMAT, 37, "tensor a: 2^63"},
        {"no_tensors_ok", PIPIT_OK, 0, ""},
        {"nt_more_than_present", PIPIT_E_FORMAT, 8, "3 tensors"},
        {"offset_huge", PIPIT_E_FORMAT, 33, "tensor a ends past"},
        {"overlap", PIPIT_E_FORMAT, 66, "tensor b overlaps tensor a"},
        {"pad_wrap", PIPIT_E_FORMAT, 66, "tensor b ends past"},
        {"q8k", PIPIT_E_UNSUPPORTED, 45, "activations"},
        {"short", PIPIT_E_TRUNCATED, 33, "ends at byte 4160"},
        {"type4", PIPIT_E_UNSUPPORTED, 45, "unknown type"},
        {"ver0", PIPIT_E_FORMAT, 4, "version 0"},
        {"ver1", PIPIT_E_UNSUPPORTED, 4, "version 1"},
        {"ver2", PIPIT_OK, 0, ""},
        {"ver4", PIPIT_E_UNSUPPORTED, 4, "version 4"},
        {"wrap0_2d", PIPIT_E_FORMAT, 45, "tensor t: 2^63"},
        {"wrapneg", PIPIT_E_FORMAT, 45, "tensor t: 2^63"},
        {"zerodims_n", PIPIT_E_FORMAT, 33, "1 to 4 dimensions"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char name[128];
        size_t n;
        pipit_error error = {0};
        snprintf(name, sizeof name, "peerdata/gguf-malformed/%s.gguf",
                 files[i].name);
        uint8_t *bytes = check_read_shared(name, &n);
        if (!bytes) continue;
        pipit_status s = read_bytes(bytes, n, n, NULL, &error);
        if (!CHECK(s == files[i].status) ||
            !CHECK_EQ_U64(error.offset, files[i].offset) ||
            !CHECK_HOLDS(error.message, files[i].message))
            printf("(%s)\n", files[i].name);
        free(bytes);
    }
}

static void real_vocabulary(void) {
    size_t n;
    pipit_error error;
    pipit_file *f;
    pipit_gguf_array tokens;
    uint8_t *bytes =
        check_read_shared("peerdata/tokenizer/ggml-vocab-gpt-2.gguf", &n);
    if (!bytes) return;
    if (CHECK(read_bytes(bytes, n, n, &f, &error) == PIPIT_OK)) {
        CHECK(!pipit_gguf_array_of(f, "tokenizer.ggml.tokens", PIPIT_STRING,
                                   &tokens, &error));
        CHECK_EQ_U64(tokens.n, 50257);
        pipit_string last = pipit_gguf_string_at(f, &tokens, 50256);
        CHECK_TEXT(last.bytes, last.n_bytes, "<|endoftext|>");
        CHECK(!pipit_gguf_array_of(f, "tokenizer.ggml.merges", PIPIT_STRING,
                                   &tokens, &error));
        CHECK_EQ_U64(tokens.n, 50000);
        pipit_string first = pipit_gguf_string_at(f, &tokens, 0);
        CHECK_TEXT(first.bytes, first.n_bytes, "\xC4\xA0 t");
        pipit_file_close(f);
    }
    free(bytes);
}

static void real_model(void) {
    size_t n;
    pipit_error error;
    pipit_file *f;
    uint8_t *bytes = check_read_shared("peerdata/models/quant-Q4_K.gguf", &n);
    if (!bytes) return;
    if (CHECK(read_bytes(bytes, n, n, &f, &error) == PIPIT_OK)) {
        uint64_t end = pipit_gguf_data_offset(f);
        for (uint64_t i = 0; i < pipit_file_n_tensors(f); i++) {
            const pipit_tensor *t = pipit_gguf_tensor(f, i);
            CHECK(t->offset >= end && t->offset < end + 32);
            end = t->offset + t->n_bytes;
        }
        CHECK(end <= n && end + 32 > n);
        pipit_file_close(f);
    }
    free(bytes);
}

int main(void) {
    CASE(reads_scalars);
    CASE(reads_arrays);
    CASE(looks_up_with_types);
    CASE(refuses_reals_out_of_range);
    CASE(reads_tensors);
    CASE(names_types);
    CASE(refuses_beginnings);
    CASE(refuses_keys);
    CASE(refuses_strings_and_arrays);
    CASE(limits_the_header);
    CASE(refuses_alignments);
    CASE(refuses_tensors);
    CASE(refuses_extents);
    CASE(accepts_any_layout);
    CASE(accepts_no_tensors);
    CASE(every_truncation);
    CASE(every_flipped_byte);
    CASE(every_allocation_fails);
    CASE(claims_are_free);
    CASE(grows_by_doubling);
    CASE(finds_each_of_many);
    CASE(needs_a_complete_header);
    CASE(failure_stays);
    CASE(refuses_arguments);
    CASE(malformed_reference_files);
    CASE(real_vocabulary);
    CASE(real_model);
    return check_done();
}

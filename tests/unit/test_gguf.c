/* What a header holds, and when it may be asked. */
#include "gguf_blob.h"

#include <math.h>

/* ---- what is there ----------------------------------------------------- */

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
    static const double values[] = {1e39, -1e39, (double)INFINITY,
                                    3.4028235677973366e38};
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
    CHECK_EQ_U64(pipit_gguf_data_offset(f, 0), data);
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

/* ---- what is accepted -------------------------------------------------- */

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
        uint64_t end = pipit_gguf_data_offset(f, 0);
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
    CASE(accepts_any_layout);
    CASE(accepts_no_tensors);
    CASE(finds_each_of_many);
    CASE(needs_a_complete_header);
    CASE(failure_stays);
    CASE(refuses_arguments);
    CASE(real_vocabulary);
    CASE(real_model);
    return check_done();
}

/* What a file may try: every error with its offset, every truncation, every
 * flipped byte, memory that is claimed or refused. */
#include "gguf_blob.h"

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

int main(void) {
    CASE(refuses_beginnings);
    CASE(refuses_keys);
    CASE(refuses_strings_and_arrays);
    CASE(limits_the_header);
    CASE(refuses_alignments);
    CASE(refuses_tensors);
    CASE(refuses_extents);
    CASE(every_truncation);
    CASE(every_flipped_byte);
    CASE(every_allocation_fails);
    CASE(claims_are_free);
    CASE(grows_by_doubling);
    CASE(malformed_reference_files);
    return check_done();
}

/* Adapters: read, written, refused, and the same bits from every kernel. */
#include "adapter.h"

#include "tiny_model.h"

enum { RANK = 3, N = 20 };

static uint32_t tokens[N];

static float noise(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)((int64_t)(*state >> 40) - (1 << 23)) / (float)(1 << 26);
}

/* An adapter of noise on every matrix but one. */
static pipit_adapter *noisy(const tiny *t, uint64_t seed) {
    uint32_t ranks[TINY_LAYERS * PIPIT_N_TARGETS];
    pipit_adapter *a = NULL;
    for (size_t i = 0; i < TINY_LAYERS * PIPIT_N_TARGETS; i++)
        ranks[i] = i == 4 ? 0 : RANK + (uint32_t)i % 3;
    CHECK(pipit_adapter_make(t->model, 6, ranks, NULL, &a, NULL) == PIPIT_OK);
    for (size_t i = 0; i < TINY_LAYERS * PIPIT_N_TARGETS; i++) {
        pipit_lora *x = &a->layers[i / PIPIT_N_TARGETS][i % PIPIT_N_TARGETS];
        for (size_t k = 0; k < (size_t)x->rank * x->n_in; k++)
            x->a[k] = noise(&seed);
        for (size_t k = 0; k < (size_t)x->rank * x->n_out; k++)
            x->b[k] = noise(&seed);
    }
    pipit_adapter_freeze(a);
    return a;
}

/* Into `blob`. */
static void write_blob(const pipit_adapter *a) {
    pipit_note note = {pipit_string_of("test.note", 9),
                       pipit_string_of("seven", 5)};
    size_t n = 0, again = 0;
    CHECK(pipit_adapter_write(a, &note, 1, NULL, 0, &n, NULL) == PIPIT_OK);
    uint8_t *bytes = malloc(n);
    CHECK(pipit_adapter_write(a, &note, 1, bytes, n, &again, NULL) ==
          PIPIT_OK);
    CHECK_EQ_U64(again, n);
    blob.n = 0;
    put(bytes, n);
    free(bytes);
}

/* An adapter from `blob`, in pieces. */
static pipit_status read_adapter(const tiny *t, uint32_t flags, size_t piece,
                                 const pipit_allocator *m, pipit_adapter **out,
                                 pipit_error *error) {
    pipit_file *file = NULL;
    size_t at = 0;
    *out = NULL;
    pipit_status s = pipit_file_open(0, m, &file);
    if (s == PIPIT_OK)
        s = pipit_file_feed(file, blob.bytes, blob.n, &at, error);
    if (s == PIPIT_PENDING) s = pipit_file_end(file, error);
    if (s == PIPIT_OK)
        s = pipit_adapter_open(file, t->model, flags, m, out, error);
    if (s == PIPIT_OK) {
        s = PIPIT_PENDING;
        for (; at < blob.n && s == PIPIT_PENDING; at += piece)
            s = pipit_adapter_feed(
                *out, blob.bytes + at,
                blob.n - at < piece ? blob.n - at : piece, error);
        if (s == PIPIT_PENDING) s = pipit_adapter_end(*out, error);
    }
    pipit_file_close(file);
    if (s == PIPIT_OK) return s;
    pipit_adapter_close(*out);
    *out = NULL;
    return s;
}

static void eval(tiny *t, pipit_adapter *a, float scale, size_t split,
                 float *out) {
    pipit_session *s = tiny_session(t, TINY_CONTEXT);
    CHECK(pipit_session_set_adapters(s, &a, &scale, a ? 1 : 0, NULL) ==
          PIPIT_OK);
    for (size_t at = 0; at < N; at += split)
        CHECK(pipit_session_eval(s, tokens + at, N - at < split ? N - at : split,
                                 0, NULL, NULL, NULL) == PIPIT_OK);
    memcpy(out, pipit_session_logits(s, 0), TINY_VOCAB * sizeof(float));
    pipit_session_close(s);
}

static void what_is_written_is_read(void) {
    tiny_options o = tiny_defaults();
    tiny t = tiny_open(&o);
    pipit_adapter *a = noisy(&t, 1);
    write_blob(a);
    static const size_t sizes[] = {1, 7, 1 << 20};
    for (size_t i = 0; i < 3; i++) {
        pipit_adapter *b;
        pipit_error error = {0};
        check_memory memory = {0};
        pipit_allocator m = check_allocator(&memory);
        if (!CHECK(read_adapter(&t, 0, sizes[i], &m, &b, &error) == PIPIT_OK)) {
            printf("  %s\n", error.message);
            break;
        }
        for (size_t k = 0; k < TINY_LAYERS * PIPIT_N_TARGETS; k++) {
            const pipit_lora *x = &a->layers[k / 7][k % 7];
            const pipit_lora *y = &b->layers[k / 7][k % 7];
            CHECK_EQ_U64(x->rank, y->rank);
            CHECK_BITS(x->a, y->a, (size_t)x->rank * x->n_in);
            CHECK_BITS(x->b, y->b, (size_t)x->rank * x->n_out);
        }
        pipit_adapter_close(b);
        CHECK_EQ_U64(memory.live_bytes, 0);
    }
    pipit_adapter_close(a);
    tiny_close(&t);
}

static void every_kernel_and_batch_gives_the_same_bits(void) {
    float first[TINY_VOCAB], plain[TINY_VOCAB], logits[TINY_VOCAB];
    tiny_tokens(tokens, N);
    const char *name;
    for (uint32_t i = 0; (name = pipit_kernels_list(i)); i++)
        for (uint32_t threads = 1; threads < 4; threads++) {
            tiny_options o = tiny_defaults();
            tiny t;
            tiny_write(&o);
            CHECK(tiny_load(threads, name, 4096, NULL, &t, NULL) == PIPIT_OK);
            pipit_adapter *a = noisy(&t, 5);
            eval(&t, NULL, 1, N, plain);
            for (size_t split = 1; split <= N; split += 6) {
                eval(&t, a, 0.75f, split, logits);
                if (i == 0 && threads == 1 && split == 1)
                    memcpy(first, logits, sizeof first);
                CHECK_BITS(logits, first, TINY_VOCAB);
            }
            CHECK(memcmp(first, plain, sizeof first) != 0);
            eval(&t, a, 0, N, logits);
            CHECK_BITS(logits, plain, TINY_VOCAB);
            pipit_adapter_close(a);
            tiny_close(&t);
        }
}

static void memory_refused_at_any_call_leaves_nothing(void) {
    tiny_options o = tiny_defaults();
    tiny t = tiny_open(&o);
    pipit_adapter *a = noisy(&t, 2), *b;
    write_blob(a);
    for (uint64_t at = 1;; at++) {
        check_memory memory = {.fail_at = at};
        pipit_allocator m = check_allocator(&memory);
        pipit_status s = read_adapter(&t, 0, 999, &m, &b, NULL);
        pipit_adapter_close(b);
        CHECK_EQ_U64(memory.live_bytes, 0);
        if (s == PIPIT_OK) break;
        CHECK(s == PIPIT_E_MEMORY);
    }
    pipit_adapter_close(a);
    tiny_close(&t);
}

/* One pair, written by hand. */
typedef struct hand {
    const char *type, *arch, *base, *a, *b;
    uint64_t a_cols, a_rows, b_cols, b_rows;
    float value;
} hand;

static void write_hand(const hand *h) {
    size_t a = (size_t)(h->a_cols * h->a_rows), b = (size_t)(h->b_cols * h->b_rows);
    begin((h->a ? 1u : 0u) + (h->b ? 1u : 0u), h->base ? 5 : 4);
    const char *keys[] = {"general.type", "general.architecture",
                          "adapter.type", "pipit.base.fingerprint"};
    const char *values[] = {h->type, h->arch, "lora", h->base};
    for (size_t i = 0; i < 4; i++) {
        if (!values[i]) continue;
        put_key(keys[i], PIPIT_STRING);
        put_text(values[i]);
    }
    put_key("adapter.lora.alpha", PIPIT_F32);
    put_f32(8);
    if (h->a) put_tensor(h->a, h->a_cols, h->a_rows, PIPIT_TYPE_F32, 0);
    size_t a_bytes = h->a ? (4 * a + 31) / 32 * 32 : 0;
    if (h->b) put_tensor(h->b, h->b_cols, h->b_rows, PIPIT_TYPE_F32, a_bytes);
    pad(32);
    for (size_t i = 0; h->a && i < a; i++) put_f32(h->value);
    pad(32);
    for (size_t i = 0; h->b && i < b; i++) put_f32(h->value);
    pad(32);
}

static void what_contradicts_the_model_is_refused_by_name(void) {
    tiny_options o = tiny_defaults();
    tiny t = tiny_open(&o);
    static const char qa[] = "blk.0.attn_q.weight.lora_a";
    static const char qb[] = "blk.0.attn_q.weight.lora_b";
    const hand good = {"adapter", "llama", NULL, qa, qb, 32, 2, 2, 32, 0.5f};
    hand h[14];
    for (size_t i = 0; i < 14; i++) h[i] = good;
    h[0].type = "model";
    h[1].arch = "qwen2";
    h[2].b = NULL;
    h[3].a = NULL;
    h[4].a_cols = 2, h[4].a_rows = 32;
    h[5].b_cols = 32, h[5].b_rows = 2;
    h[6].a_rows = h[6].b_cols = 33;
    h[7].a_cols = 31;
    h[8].b_cols = 3;
    h[9].a = "blk.3.attn_q.weight.lora_a";
    h[10].b = "blk.0.attn_q.weight.lora_c";
    h[11].a = "token_embd.weight.lora_a";
    h[12].value = (float)(1e300 * 1e10) * 0.0f;
    h[13].base = "0123456789abcdef";
    static const char *const why[14] = {
        "general.type", "general.architecture", "lora_b is missing",
        "lora_a is missing", "lora_a is 2 x 32 x 1, expected 32 x 2: it is tra",
        "lora_b is 32 x 2", "lora_b has rank 33", "lora_a is 31 x 2",
        "lora_a is 32 x 2 x 1, expected 32 x 3", "blk.3.attn_q.weight.lora_a",
        "lora_c is no half", "token_embd.weight.lora_a", "not finite",
        "another base"};
    pipit_adapter *a;
    write_hand(&good);
    CHECK(read_adapter(&t, 0, 64, NULL, &a, NULL) == PIPIT_OK);
    pipit_adapter_close(a);
    for (size_t i = 0; i < 14; i++) {
        pipit_error error = {0};
        write_hand(&h[i]);
        pipit_status s = read_adapter(&t, 0, 64, NULL, &a, &error);
        CHECK(s == PIPIT_E_MODEL || s == PIPIT_E_UNSUPPORTED);
        CHECK(error.status == s);
        CHECK_HOLDS(error.message, why[i]);
    }
    CHECK(read_adapter(&t, PIPIT_ANY_BASE, 64, NULL, &a, NULL) == PIPIT_OK);
    pipit_adapter_close(a);
    tiny_close(&t);
}

static void closing_takes_it_off(void) {
    tiny_options o = tiny_defaults();
    tiny t = tiny_open(&o);
    pipit_adapter *a = noisy(&t, 9);
    float plain[TINY_VOCAB], scale = 1;
    tiny_tokens(tokens, N);
    eval(&t, NULL, 1, N, plain);
    pipit_session *s = tiny_session(&t, TINY_CONTEXT);
    CHECK(pipit_session_set_adapters(s, &a, &scale, 1, NULL) == PIPIT_OK);
    CHECK(pipit_session_eval(s, tokens, N - 1, 0, NULL, NULL, NULL) ==
          PIPIT_OK);
    pipit_adapter_close(a);
    CHECK(pipit_session_logits(s, 0) == NULL);
    CHECK_EQ_U64(pipit_session_length(s), N - 1);
    CHECK(pipit_session_eval(s, tokens + N - 1, 1, 0, NULL, NULL, NULL) ==
          PIPIT_OK);
    CHECK_BITS(pipit_session_logits(s, 0), plain, TINY_VOCAB);
    pipit_session_close(s);
    tiny_close(&t);
}

int main(void) {
    CASE(what_is_written_is_read);
    CASE(every_kernel_and_batch_gives_the_same_bits);
    CASE(memory_refused_at_any_call_leaves_nothing);
    CASE(what_contradicts_the_model_is_refused_by_name);
    CASE(closing_takes_it_off);
    return check_done();
}

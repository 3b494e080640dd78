/* Architectures, binding, loading: from a header to weights. */
#include "model.h"

#include "tiny_model.h"

/* Opens what the options make; the message of the refusal must hold `part`. */
static void refuses(const tiny_options *o, pipit_status status,
                    const char *part) {
    tiny t;
    pipit_error error = {0};
    tiny_write(o);
    pipit_status s =
        tiny_load(1, "scalar", SIZE_MAX / 2, NULL, &t, &error);
    CHECK_EQ_I64(s, status);
    CHECK_EQ_I64(error.status, status);
    CHECK_HOLDS(error.message, part);
    tiny_close(&t);
}

static void missing_tensors_are_named(void) {
    static const char *const names[] = {
        "token_embd.weight", "output_norm.weight", "blk.0.attn_norm.weight",
        "blk.1.attn_q.weight", "blk.2.ffn_down.weight"};
    for (size_t i = 0; i < 5; i++) {
        tiny_options o = tiny_defaults();
        o.without = names[i];
        refuses(&o, PIPIT_E_MODEL, names[i]);
    }
}

static void misshapen_tensors_are_named(void) {
    static const char *const names[] = {
        "token_embd.weight", "output_norm.weight", "blk.0.ffn_norm.weight",
        "blk.1.attn_k.weight", "blk.2.ffn_up.weight"};
    for (size_t i = 0; i < 5; i++) {
        tiny_options o = tiny_defaults();
        o.misshapen = names[i];
        refuses(&o, PIPIT_E_MODEL, names[i]);
    }
}

static void types_without_kernels_are_named(void) {
    tiny_options o = tiny_defaults();
    o.n_embd = 256;
    o.n_layers = 1;
    o.other_type = "blk.0.attn_q.weight";
    refuses(&o, PIPIT_E_UNSUPPORTED, "IQ2_XXS");
    refuses(&o, PIPIT_E_UNSUPPORTED, "blk.0.attn_q.weight");
}

static void contradictory_numbers_are_named(void) {
    tiny_options o = tiny_defaults();
    o.arch = "abacus";
    refuses(&o, PIPIT_E_UNSUPPORTED, "\"abacus\"");
    o = tiny_defaults();
    o.n_kv_heads = 3;
    refuses(&o, PIPIT_E_MODEL, "3 key-value heads");
    o = tiny_defaults();
    o.n_heads = 0;
    refuses(&o, PIPIT_E_MODEL, "llama.attention.head_count");
    o = tiny_defaults();
    o.n_context = 0;
    refuses(&o, PIPIT_E_MODEL, "context_length");
    o = tiny_defaults();
    o.n_heads = 16; /* heads of two dimensions */
    o.n_kv_heads = 16;
    refuses(&o, PIPIT_E_UNSUPPORTED, "multiple of 4");
}

static uint64_t hash_of(tiny *t) {
    uint64_t hash = 14695981039346656037u;
    uint32_t tokens[9];
    pipit_session *s = tiny_session(t, 0);
    tiny_tokens(tokens, 9);
    CHECK(pipit_session_eval(s, tokens, 9, 0, NULL, NULL, NULL) == PIPIT_OK);
    const uint8_t *bytes = (const uint8_t *)pipit_session_logits(s, 0);
    for (size_t i = 0; i < TINY_VOCAB * 4; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    pipit_session_close(s);
    return hash;
}

static void pieces_order_and_threads_do_not_matter(void) {
    static const size_t sizes[] = {1, 7, 64, 1000, SIZE_MAX / 2};
    uint64_t expected = 0;
    tiny_options o = tiny_defaults();
    tiny_write(&o);
    for (size_t i = 0; i < 5; i++)
        for (uint32_t threads = 1; threads <= 4; threads++) {
            tiny t;
            CHECK(tiny_load(threads, "scalar", sizes[i], NULL, &t, NULL) ==
                  PIPIT_OK);
            uint64_t hash = hash_of(&t);
            if (expected == 0) expected = hash;
            CHECK_EQ_U64(hash, expected);
            tiny_close(&t);
        }
}

static void data_may_come_in_any_order(void) {
    tiny_options o = tiny_defaults();
    tiny t;
    o.backwards = true;
    tiny_write(&o);
    CHECK(tiny_load(2, "scalar", 100, NULL, &t, NULL) == PIPIT_OK);
    CHECK(pipit_session_logits(NULL, 0) == NULL);
    hash_of(&t);
    tiny_close(&t);
}

static void a_torn_stream_names_the_tensor(void) {
    tiny_options o = tiny_defaults();
    pipit_error error = {0};
    tiny t;
    size_t whole = (tiny_write(&o), blob.n), taken;
    CHECK(pipit_file_open(0, NULL, &t.file) == PIPIT_OK);
    CHECK(pipit_engine_open(1, "scalar", NULL, &t.engine) == PIPIT_OK);
    CHECK(pipit_file_feed(t.file, blob.bytes, whole, &taken, NULL) == PIPIT_OK);
    CHECK(pipit_model_open(t.file, t.engine, NULL, &t.model, NULL) == PIPIT_OK);
    CHECK(pipit_model_feed(t.model, blob.bytes + taken, whole - taken - 300,
                           &error) == PIPIT_PENDING);
    CHECK(pipit_model_end(t.model, &error) == PIPIT_E_TRUNCATED);
    CHECK_HOLDS(error.message, "blk.2.ffn_down.weight");
    CHECK_EQ_U64(error.offset, whole - 300);
    pipit_session *session = NULL;
    CHECK(pipit_session_open(t.model, NULL, NULL, &session, &error) ==
          PIPIT_E_STATE);
    /* The rest may still come. */
    CHECK(pipit_model_feed(t.model, blob.bytes + whole - 300, 300, NULL) ==
          PIPIT_OK);
    CHECK(pipit_model_end(t.model, NULL) == PIPIT_OK);
    hash_of(&t);
    tiny_close(&t);
}

static void refused_memory_leaves_nothing_behind(void) {
    tiny_options o = tiny_defaults();
    tiny_write(&o);
    for (uint64_t fail_at = 1;; fail_at++) {
        check_memory memory = {.fail_at = fail_at};
        pipit_allocator a = check_allocator(&memory);
        tiny t;
        pipit_status s = tiny_load(1, "scalar", 999, &a, &t, NULL);
        tiny_close(&t);
        CHECK_EQ_U64(memory.n_live, 0);
        CHECK_EQ_U64(memory.live_bytes, 0);
        if (s == PIPIT_OK) {
            CHECK(fail_at > 4);
            break;
        }
        CHECK_EQ_I64(s, PIPIT_E_MEMORY);
    }
}

static void the_forecast_is_what_is_taken(void) {
    tiny_options o = tiny_defaults();
    check_memory memory = {0}, of_session = {0};
    pipit_allocator a = check_allocator(&memory);
    pipit_allocator b = check_allocator(&of_session);
    pipit_session_options so = {.n_context = 50, .kv_type = PIPIT_KV_F32};
    pipit_hparams h;
    pipit_layer_params layers[PIPIT_MAX_LAYERS];
    uint64_t weights, loader;
    pipit_session *session;
    tiny t;
    tiny_write(&o);
    CHECK(tiny_load(2, "scalar", SIZE_MAX / 2, &a, &t, NULL) == PIPIT_OK);
    CHECK(pipit_model_measure(t.file, &h, layers, &weights, &loader, NULL) ==
          PIPIT_OK);
    CHECK_EQ_U64(pipit_model_bytes(t.model), weights);
    CHECK_EQ_U64(pipit_model_n_parameters(t.model),
                 TINY_VOCAB * 32 + 32 + 3 * (2 * 32 + 2 * 32 * 32 +
                                             2 * 32 * 16 + 3 * 32 * 48));
    CHECK(pipit_session_open(t.model, &so, &b, &session, NULL) == PIPIT_OK);
    CHECK_EQ_U64(pipit_session_bytes(session), of_session.live_bytes);
    /* 3 layers, keys and values, 2 heads of 8, 52 slots. */
    CHECK(of_session.live_bytes > 3 * 2 * 2 * 8 * 52 * 4);
    pipit_session_close(session);
    CHECK_EQ_U64(of_session.n_live, 0);
    tiny_close(&t);
}

static void impossible_arguments_are_refused(void) {
    tiny_options o = tiny_defaults();
    pipit_model *model = NULL;
    pipit_file *empty;
    tiny t = tiny_open(&o);
    CHECK(pipit_file_open(0, NULL, &empty) == PIPIT_OK);
    CHECK(pipit_model_open(empty, t.engine, NULL, &model, NULL) ==
          PIPIT_E_STATE);
    CHECK(pipit_model_open(NULL, t.engine, NULL, &model, NULL) ==
          PIPIT_E_ARGUMENT);
    CHECK(pipit_model_feed(NULL, NULL, 0, NULL) == PIPIT_E_ARGUMENT);
    CHECK(pipit_model_feed(t.model, NULL, 5, NULL) == PIPIT_E_ARGUMENT);
    CHECK(pipit_model_feed(t.model, blob.bytes, 5, NULL) == PIPIT_OK);
    CHECK_EQ_U64(pipit_model_n_vocab(NULL), 0);
    CHECK_EQ_U64(pipit_model_context_length(t.model), TINY_CONTEXT);
    pipit_file_close(empty);
    pipit_model_close(NULL);
    tiny_close(&t);
}

int main(void) {
    CASE(missing_tensors_are_named);
    CASE(misshapen_tensors_are_named);
    CASE(types_without_kernels_are_named);
    CASE(contradictory_numbers_are_named);
    CASE(pieces_order_and_threads_do_not_matter);
    CASE(data_may_come_in_any_order);
    CASE(a_torn_stream_names_the_tensor);
    CASE(refused_memory_leaves_nothing_behind);
    CASE(the_forecast_is_what_is_taken);
    CASE(impossible_arguments_are_refused);
    return check_done();
}

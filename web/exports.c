/* exports.c — the module's face: pipit.h made of scalars and addresses.
 *
 * JavaScript knows no struct of ours. Options are parameters; results that are
 * more than one number go to `out`, an array of 8-byte slots, each an integer
 * (addresses and lengths too) or, where it says so, a double. Byte counts that
 * may pass 2^32 travel as doubles. exports.txt lists every function with its
 * reason; a test holds this file, that list and the TypeScript declarations
 * equal. */
#include "alloc.h"
#include "exports.h"

/* Stop strings are few, and answers at a time; the arrays live on the stack. */
#define MAX_STOP 64u
#define MAX_TOGETHER 32u

static void put_string(uint64_t *slots, pipit_string s) {
    slots[0] = address(s.bytes);
    slots[1] = s.n_bytes;
}

/* ---- memory, errors, names --------------------------------------------- */

EXPORT(void *, alloc, size_t bytes) {
    return pipit_take(pipit_platform_allocator(), bytes);
}

EXPORT(void, release, void *block, size_t bytes) {
    pipit_give(pipit_platform_allocator(), block, bytes);
}

EXPORT(size_t, heap_used, void) {
    return pipit_heap_used();
}

EXPORT(size_t, error_bytes, void) {
    return sizeof(pipit_error);
}

/* -1 when the error is about no byte in particular. */
EXPORT(double, error_offset, const pipit_error *error) {
    return error->offset == UINT64_MAX ? -1.0 : (double)error->offset;
}

EXPORT(const char *, error_message, const pipit_error *error) {
    return error->message;
}

EXPORT(const char *, status_name, pipit_status status) {
    return pipit_status_name(status);
}

EXPORT(const char *, version, void) {
    return pipit_version();
}

/* ---- engine ------------------------------------------------------------ */

EXPORT(const char *, kernels_list, uint32_t i) {
    return pipit_kernels_list(i);
}

EXPORT(pipit_status, engine_open, uint32_t n_threads, const char *kernels,
       uint64_t *out) {
    pipit_engine *engine;
    pipit_status status = pipit_engine_open(n_threads, kernels, NULL, &engine);
    if (status == PIPIT_OK) *out = address(engine);
    return status;
}

EXPORT(void, engine_close, pipit_engine *engine) {
    pipit_engine_close(engine);
}

EXPORT(const char *, engine_kernels, const pipit_engine *engine) {
    return pipit_engine_kernels(engine);
}

/* The life of a further thread; returns when the engine closes. */
EXPORT(void, engine_worker, pipit_engine *engine, uint32_t thread) {
    pipit_engine_worker(engine, thread);
}

/* ---- files ------------------------------------------------------------- */

EXPORT(pipit_status, file_open, double total_bytes, uint64_t *out) {
    pipit_file *file;
    pipit_status status = pipit_file_open(bytes_of(total_bytes), NULL, &file);
    if (status == PIPIT_OK) *out = address(file);
    return status;
}

EXPORT(void, file_close, pipit_file *file) {
    pipit_file_close(file);
}

/* out: bytes taken. */
EXPORT(pipit_status, file_feed, pipit_file *file, const uint8_t *bytes,
       size_t n, uint64_t *out, pipit_error *error) {
    size_t n_taken = 0;
    pipit_status status = pipit_file_feed(file, bytes, n, &n_taken, error);
    *out = n_taken;
    return status;
}

EXPORT(pipit_status, file_end, pipit_file *file, pipit_error *error) {
    return pipit_file_end(file, error);
}

EXPORT(uint32_t, file_version, const pipit_file *file) {
    return pipit_file_version(file);
}

EXPORT(uint32_t, file_n_parts, const pipit_file *file) {
    return pipit_file_n_parts(file);
}

EXPORT(pipit_status, file_next_part, pipit_file *file, double total_bytes,
       pipit_error *error) {
    return pipit_file_next_part(file, bytes_of(total_bytes), error);
}

EXPORT(double, file_header_bytes, const pipit_file *file) {
    return (double)pipit_file_header_bytes(file);
}

EXPORT(double, file_n_values, const pipit_file *file) {
    return (double)pipit_file_n_values(file);
}

EXPORT(double, file_n_tensors, const pipit_file *file) {
    return (double)pipit_file_n_tensors(file);
}

/* out: key (address, length), type, type of elements, number of elements. */
EXPORT(pipit_status, file_value, const pipit_file *file, uint32_t i,
       uint64_t *out) {
    pipit_value value;
    pipit_status status = pipit_file_value(file, i, &value);
    if (status != PIPIT_OK) return status;
    put_string(out, value.key);
    out[2] = value.type;
    out[3] = value.element_type;
    out[4] = value.n_elements;
    return status;
}

EXPORT(pipit_status, file_integer, const pipit_file *file, uint32_t i,
       uint32_t j, int64_t *out) {
    return pipit_file_integer(file, i, j, out);
}

/* out: a double. */
EXPORT(pipit_status, file_real, const pipit_file *file, uint32_t i, uint32_t j,
       double *out) {
    return pipit_file_real(file, i, j, out);
}

/* out: text (address, length). */
EXPORT(pipit_status, file_text, const pipit_file *file, uint32_t i, uint32_t j,
       uint64_t *out) {
    pipit_string text;
    pipit_status status = pipit_file_text(file, i, j, &text);
    if (status == PIPIT_OK) put_string(out, text);
    return status;
}

EXPORT(pipit_status, file_flag, const pipit_file *file, uint32_t i, uint32_t j,
       uint64_t *out) {
    bool flag;
    pipit_status status = pipit_file_flag(file, i, j, &flag);
    if (status == PIPIT_OK) *out = flag;
    return status;
}

/* out: name (address, length), type, number of dimensions, the four of them,
 * offset, bytes. */
EXPORT(pipit_status, file_tensor, const pipit_file *file, uint32_t i,
       uint64_t *out) {
    pipit_tensor tensor;
    pipit_status status = pipit_file_tensor(file, i, &tensor);
    if (status != PIPIT_OK) return status;
    put_string(out, tensor.name);
    out[2] = tensor.type;
    out[3] = tensor.n_dims;
    memcpy(out + 4, tensor.dims, sizeof tensor.dims);
    out[8] = tensor.offset;
    out[9] = tensor.n_bytes;
    out[10] = tensor.part;
    return status;
}

EXPORT(const char *, tensor_type_name, uint32_t type) {
    return pipit_tensor_type_name(type);
}

/* out: doubles: weights, vocabulary, keys and values, scratch, total. */
EXPORT(pipit_status, file_forecast, const pipit_file *file, uint32_t n_context,
       uint32_t kv_type, uint32_t n_threads, uint64_t *out,
       pipit_error *error) {
    pipit_session_options options = {n_context, (pipit_kv_type)kv_type};
    pipit_forecast forecast;
    pipit_status status =
        pipit_file_forecast(file, &options, n_threads, &forecast, error);
    if (status != PIPIT_OK) return status;
    put_real(out + 0, (double)forecast.weights_bytes);
    put_real(out + 1, (double)forecast.vocabulary_bytes);
    put_real(out + 2, (double)forecast.kv_bytes);
    put_real(out + 3, (double)forecast.scratch_bytes);
    put_real(out + 4, (double)forecast.total_bytes);
    return status;
}

/* ---- tokenizer --------------------------------------------------------- */

EXPORT(pipit_status, tokenizer_open, const pipit_file *file, uint64_t *out,
       pipit_error *error) {
    pipit_tokenizer *tokenizer;
    pipit_status status = pipit_tokenizer_open(file, NULL, &tokenizer, error);
    if (status == PIPIT_OK) *out = address(tokenizer);
    return status;
}

EXPORT(void, tokenizer_close, pipit_tokenizer *tokenizer) {
    pipit_tokenizer_close(tokenizer);
}

/* out: number of tokens. */
EXPORT(pipit_status, tokenize, const pipit_tokenizer *tokenizer,
       const char *text, size_t n_bytes, uint32_t flags, uint32_t *tokens,
       size_t capacity, uint64_t *out, pipit_error *error) {
    size_t n;
    pipit_status status = pipit_tokenize(tokenizer, text, n_bytes, flags,
                                         tokens, capacity, &n, error);
    if (status == PIPIT_OK) *out = n;
    return status;
}

/* out: number of bytes. */
EXPORT(pipit_status, detokenize, const pipit_tokenizer *tokenizer,
       const uint32_t *tokens, size_t n_tokens, uint32_t flags, uint8_t *bytes,
       size_t capacity, uint64_t *out, pipit_error *error) {
    size_t n;
    pipit_status status = pipit_detokenize(tokenizer, tokens, n_tokens, flags,
                                           bytes, capacity, &n, error);
    if (status == PIPIT_OK) *out = n;
    return status;
}

EXPORT(uint32_t, tokenizer_n_tokens, const pipit_tokenizer *tokenizer) {
    return pipit_tokenizer_n_tokens(tokenizer);
}

/* out: text (address, length). */
EXPORT(pipit_status, tokenizer_text, const pipit_tokenizer *tokenizer,
       uint32_t token, uint64_t *out) {
    pipit_string text;
    pipit_status status = pipit_tokenizer_text(tokenizer, token, &text);
    if (status == PIPIT_OK) put_string(out, text);
    return status;
}

EXPORT(uint32_t, tokenizer_special, const pipit_tokenizer *tokenizer,
       uint32_t role) {
    return pipit_tokenizer_special(tokenizer, (pipit_special)role);
}

/* ---- model ------------------------------------------------------------- */

EXPORT(pipit_status, model_open, const pipit_file *file, pipit_engine *engine,
       uint64_t *out, pipit_error *error) {
    pipit_model *model;
    pipit_status status = pipit_model_open(file, engine, NULL, &model, error);
    if (status == PIPIT_OK) *out = address(model);
    return status;
}

EXPORT(void, model_close, pipit_model *model) {
    pipit_model_close(model);
}

EXPORT(pipit_status, model_feed, pipit_model *model, const uint8_t *bytes,
       size_t n, pipit_error *error) {
    return pipit_model_feed(model, bytes, n, error);
}

EXPORT(pipit_status, model_end, pipit_model *model, pipit_error *error) {
    return pipit_model_end(model, error);
}

EXPORT(uint32_t, model_n_vocab, const pipit_model *model) {
    return pipit_model_n_vocab(model);
}

EXPORT(uint32_t, model_context_length, const pipit_model *model) {
    return pipit_model_context_length(model);
}

EXPORT(double, model_n_parameters, const pipit_model *model) {
    return (double)pipit_model_n_parameters(model);
}

EXPORT(double, model_bytes, const pipit_model *model) {
    return (double)pipit_model_bytes(model);
}

/* ---- adapters ---------------------------------------------------------- */

EXPORT(pipit_status, adapter_open, const pipit_file *file, pipit_model *model,
       uint32_t flags, uint64_t *out, pipit_error *error) {
    pipit_adapter *adapter;
    pipit_status status =
        pipit_adapter_open(file, model, flags, NULL, &adapter, error);
    if (status == PIPIT_OK) *out = address(adapter);
    return status;
}

EXPORT(void, adapter_close, pipit_adapter *adapter) {
    pipit_adapter_close(adapter);
}

EXPORT(pipit_status, adapter_feed, pipit_adapter *adapter, const uint8_t *bytes,
       size_t n, pipit_error *error) {
    return pipit_adapter_feed(adapter, bytes, n, error);
}

EXPORT(pipit_status, adapter_end, pipit_adapter *adapter, pipit_error *error) {
    return pipit_adapter_end(adapter, error);
}

EXPORT(double, adapter_bytes, const pipit_adapter *adapter) {
    return (double)pipit_adapter_bytes(adapter);
}

/* notes: keys and values by turns, one behind the other, their lengths in
 * lengths (2 n_notes). out: the length of the file. */
EXPORT(pipit_status, adapter_write, const pipit_adapter *adapter,
       const char *notes, const uint32_t *lengths, size_t n_notes,
       uint8_t *bytes, size_t capacity, uint64_t *out, pipit_error *error) {
    if (n_notes > MAX_NOTES)
        return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                          "%u notes, at most %u", (uint64_t)n_notes,
                          (uint64_t)MAX_NOTES);
    pipit_note all[MAX_NOTES];
    for (size_t i = 0; i < n_notes; i++) {
        all[i].key = pipit_string_of(notes, lengths[2 * i]);
        notes += lengths[2 * i];
        all[i].value = pipit_string_of(notes, lengths[2 * i + 1]);
        notes += lengths[2 * i + 1];
    }
    size_t n;
    pipit_status status = pipit_adapter_write(adapter, all, n_notes, bytes,
                                              capacity, &n, error);
    if (status == PIPIT_OK) *out = n;
    return status;
}

/* ---- session ----------------------------------------------------------- */

EXPORT(pipit_status, session_open, pipit_model *model, uint32_t n_context,
       uint32_t kv_type, uint64_t *out, pipit_error *error) {
    pipit_session_options options = {n_context, (pipit_kv_type)kv_type};
    pipit_session *session;
    pipit_status status =
        pipit_session_open(model, &options, NULL, &session, error);
    if (status == PIPIT_OK) *out = address(session);
    return status;
}

EXPORT(void, session_close, pipit_session *session) {
    pipit_session_close(session);
}

EXPORT(pipit_status, session_begin, pipit_session *session,
       const uint32_t *tokens, size_t n_tokens, uint32_t flags,
       pipit_error *error) {
    return pipit_session_begin(session, tokens, n_tokens, flags, error);
}

EXPORT(pipit_status, session_step, pipit_session *session) {
    return pipit_session_step(session);
}

/* out: number of tokens kept. */
EXPORT(pipit_status, session_sync, pipit_session *session,
       const uint32_t *tokens, size_t n_tokens, uint64_t *out,
       pipit_error *error) {
    size_t n_kept;
    pipit_status status =
        pipit_session_sync(session, tokens, n_tokens, &n_kept, error);
    if (status == PIPIT_OK || status == PIPIT_PENDING) *out = n_kept;
    return status;
}

EXPORT(pipit_status, session_rewind, pipit_session *session, size_t n) {
    return pipit_session_rewind(session, n);
}

/* adapters: n addresses of 32 bits. */
EXPORT(pipit_status, session_set_adapters, pipit_session *session,
       const uint32_t *adapters, const float *scales, size_t n,
       pipit_error *error) {
    pipit_adapter *all[PIPIT_MAX_ADAPTERS];
    for (size_t i = 0; i < n && i < PIPIT_MAX_ADAPTERS; i++)
        all[i] = (pipit_adapter *)(uintptr_t)adapters[i];
    return pipit_session_set_adapters(session, all, scales, n, error);
}

EXPORT(size_t, session_length, const pipit_session *session) {
    return pipit_session_length(session);
}

EXPORT(size_t, session_capacity, const pipit_session *session) {
    return pipit_session_capacity(session);
}

/* out: tokens done, tokens in all. */
EXPORT(void, session_progress, const pipit_session *session, uint64_t *out) {
    size_t n_done, n_total;
    pipit_session_progress(session, &n_done, &n_total);
    out[0] = n_done;
    out[1] = n_total;
}

EXPORT(const uint32_t *, session_tokens, const pipit_session *session) {
    return pipit_session_tokens(session);
}

EXPORT(const float *, session_logits, const pipit_session *session, size_t i) {
    return pipit_session_logits(session, i);
}

EXPORT(size_t, session_n_logits, const pipit_session *session) {
    return pipit_session_n_logits(session);
}

EXPORT(double, session_bytes, const pipit_session *session) {
    return (double)pipit_session_bytes(session);
}

/* ---- sampling ---------------------------------------------------------- */

_Static_assert(sizeof(pipit_logprob) == 8 && sizeof(pipit_logit_bias) == 8,
               "pairs of a token and a float are 8-byte slots");

EXPORT(float, logprob_of, const float *logits, uint32_t n_vocab,
       uint32_t token) {
    return pipit_logprob_of(logits, n_vocab, token);
}

/* out: n pairs of a token and a float. */
EXPORT(void, logprob_best, const float *logits, uint32_t n_vocab, uint32_t n,
       pipit_logprob *out) {
    pipit_logprob_best(logits, n_vocab, n, out);
}

/* stop: n_stop texts one behind the other, their lengths in stop_lengths.
 * n_logprobs: -1 reports none, 0 the chosen token's only. */
EXPORT(pipit_status, generation_open, pipit_session *session,
       const pipit_tokenizer *tokenizer, float temperature, uint32_t top_k,
       float top_p, float min_p, float repetition_penalty,
       float presence_penalty, float frequency_penalty,
       uint32_t penalty_window, uint64_t seed, const pipit_logit_bias *bias,
       size_t n_bias, uint32_t max_tokens, const char *stop,
       const uint32_t *stop_lengths, size_t n_stop, int32_t n_logprobs,
       uint32_t ignore_end, uint32_t lookup, uint64_t *out,
       pipit_error *error) {
    if (n_stop > MAX_STOP)
        return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                          "%u stop strings, at most %u", (uint64_t)n_stop,
                          (uint64_t)MAX_STOP);
    pipit_string strings[MAX_STOP];
    for (size_t i = 0; i < n_stop; i++) {
        strings[i] = pipit_string_of(stop, stop_lengths[i]);
        stop += stop_lengths[i];
    }
    pipit_generation_options options = {
        .sampling = {
            .temperature = temperature, .top_k = top_k, .top_p = top_p,
            .min_p = min_p, .repetition_penalty = repetition_penalty,
            .presence_penalty = presence_penalty,
            .frequency_penalty = frequency_penalty,
            .penalty_window = penalty_window, .seed = seed, .bias = bias,
            .n_bias = n_bias},
        .max_tokens = max_tokens,
        .stop = n_stop ? strings : NULL,
        .n_stop = n_stop,
        .n_logprobs = n_logprobs > 0 ? (uint32_t)n_logprobs : 0,
        .logprobs = n_logprobs >= 0,
        .ignore_end = ignore_end != 0,
        .lookup = lookup != 0};
    pipit_generation *generation;
    pipit_status status = pipit_generation_open(session, tokenizer, &options,
                                                NULL, &generation, error);
    if (status == PIPIT_OK) *out = address(generation);
    return status;
}

EXPORT(void, generation_close, pipit_generation *generation) {
    pipit_generation_close(generation);
}

/* all: eight slots for each of n <= 32. In: its address. Out: status, and with
 * PIPIT_OK token, finish, text (address, length), logprob (a double), best
 * (address of pairs, number). */
EXPORT(void, generations_step, uint64_t *all, size_t n) {
    pipit_generation *generations[MAX_TOGETHER];
    pipit_sampled sampled[MAX_TOGETHER];
    pipit_status statuses[MAX_TOGETHER];
    for (size_t i = 0; i < n; i++)
        generations[i] = (pipit_generation *)(uintptr_t)all[8 * i];
    pipit_generations_step(generations, n, sampled, statuses);
    for (size_t i = 0; i < n; i++, all += 8) {
        all[0] = (uint64_t)statuses[i];
        if (statuses[i] != PIPIT_OK) continue;
        all[1] = sampled[i].token;
        all[2] = sampled[i].finish;
        put_string(all + 3, sampled[i].text);
        put_real(all + 5, (double)sampled[i].logprob);
        all[6] = address(sampled[i].best);
        all[7] = sampled[i].n_best;
    }
}

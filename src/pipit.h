/* pipit.h — the only public header, and the manual.
 *
 * A *file* is a GGUF read as a stream: header first, then tensors.
 * A *model* is a loaded file: immutable weights in kernel layout.
 * A *tokenizer* is a file's vocabulary: text <-> tokens.
 * A *session* is one mutable timeline over a model: tokens, their keys and
 * values, and the logits after the last of them. Many sessions share a model.
 * A *generation* drives a session: sample, stop, text in whole characters.
 *
 * Conventions
 * - Every fallible function returns a pipit_status; outputs are written only on
 *   PIPIT_OK. Where a `pipit_error *` is taken it may be NULL; on failure it is
 *   filled with the status and a sentence naming the key, tensor or byte.
 * - Every object is made by `…_open` and released by `…_close`, which accepts
 *   NULL. An object may be closed after any failure. Models and tokenizers must
 *   outlive what was opened over them.
 * - One thread at a time may call into objects that share a model.
 * - Long work is a sequence of short steps: PIPIT_PENDING says "call again".
 *   Between steps the caller may do other things, or drop the work.
 * - Text is UTF-8 with a length in bytes, never NUL-terminated unless said.
 * - The same inputs give the same bits on every machine, build and number of
 *   threads.
 */
#ifndef PIPIT_H
#define PIPIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status ------------------------------------------------------------ */

typedef enum pipit_status {
    PIPIT_OK = 0,
    PIPIT_PENDING = 1,          /* not finished: call the step again */
    PIPIT_E_ARGUMENT = -1,      /* the caller passed something impossible */
    PIPIT_E_MEMORY = -2,        /* the allocator refused */
    PIPIT_E_FORMAT = -3,        /* not a GGUF, or a malformed one */
    PIPIT_E_TRUNCATED = -4,     /* the stream ended too early */
    PIPIT_E_UNSUPPORTED = -5,   /* valid, but an unknown architecture, tensor
                                   type, tokenizer or feature */
    PIPIT_E_MODEL = -6,         /* tensors or hyper-parameters missing, misshapen
                                   or contradictory */
    PIPIT_E_VOCABULARY = -7,    /* the vocabulary is missing or malformed */
    PIPIT_E_TOKEN = -8,         /* a token id is out of range */
    PIPIT_E_CONTEXT = -9,       /* does not fit the session's context */
    PIPIT_E_STATE = -10,        /* not possible now (no logits yet, …) */
    PIPIT_E_TOO_LARGE = -11,    /* more than this address space can hold */
    PIPIT_E_CANCELLED = -12     /* the stop callback asked for it */
} pipit_status;

/* A short constant name, "PIPIT_E_FORMAT"; "PIPIT_E_?" for an unknown one. */
const char *pipit_status_name(pipit_status status);

typedef struct pipit_error {
    pipit_status status;
    uint64_t offset;   /* byte offset in the file, UINT64_MAX when none */
    char message[232]; /* NUL-terminated UTF-8, one sentence */
} pipit_error;

/* "0.1.0" */
const char *pipit_version(void);

/* ---- memory and engine ------------------------------------------------- */

/* The host's allocator. `alloc` returns 64-byte aligned memory or NULL;
 * `release` gets the same size. Blocks are few and large. NULL wherever an
 * allocator is taken means the platform's own (natively malloc; in a module the
 * linear memory). */
typedef struct pipit_allocator {
    void *(*alloc)(void *context, size_t bytes);
    void (*release)(void *context, void *block, size_t bytes);
    void *context;
} pipit_allocator;

/* The threads and the arithmetic that models run on.
 * n_threads: the caller is one of them; natively the others are started here,
 * in a module the host runs pipit_engine_worker on them. 1 never waits.
 * kernels: which implementation of the arithmetic, NULL = the fastest of this
 * build, measured on opening in a few milliseconds. All give the same bits.
 * PIPIT_E_UNSUPPORTED: this build has no implementation of that name. */
typedef struct pipit_engine pipit_engine;
pipit_status pipit_engine_open(uint32_t n_threads, const char *kernels,
                               const pipit_allocator *a, pipit_engine **out);
void pipit_engine_close(pipit_engine *engine);
uint32_t pipit_engine_n_threads(const pipit_engine *engine);
/* "scalar", "simd128", "relaxed-dot16", "relaxed-dot-add" */
const char *pipit_engine_kernels(const pipit_engine *engine);
/* The i-th implementation of this build, NULL past the last. */
const char *pipit_kernels_list(uint32_t i);

/* ---- files ------------------------------------------------------------- */

/* A GGUF being read. Feed it bytes in file order, in pieces of any size.
 * total_bytes bounds what the header may claim; 0 = unknown. */
typedef struct pipit_file pipit_file;
pipit_status pipit_file_open(uint64_t total_bytes, const pipit_allocator *a,
                             pipit_file **out);
void pipit_file_close(pipit_file *file);

/* Takes header bytes. *n_taken says how many of n were used: after PIPIT_OK the
 * header is complete, including the padding before the tensor data; the rest of
 * the bytes are the tensor data's. PIPIT_PENDING: all were taken, more are
 * needed. */
pipit_status pipit_file_feed(pipit_file *file, const uint8_t *bytes, size_t n,
                             size_t *n_taken, pipit_error *error);
/* The stream ended: PIPIT_OK if the header is complete, else
 * PIPIT_E_TRUNCATED (PIPIT_E_FORMAT if what came is no GGUF). */
pipit_status pipit_file_end(pipit_file *file, pipit_error *error);

/* A model in several files (`split.count`): 1 where it is in one. The first part
 * has the metadata. When its header is complete, say pipit_file_next_part and
 * feed the header of the next, and so on for all; then feed the tensor data of
 * each part in order, with pipit_model_end between them. Strings and tensors
 * that were asked for before don't live on.
 * PIPIT_E_ARGUMENT: there are no more; PIPIT_E_STATE: the header being read is
 * not complete. total_bytes as in pipit_file_open. */
uint32_t pipit_file_n_parts(const pipit_file *file);
pipit_status pipit_file_next_part(pipit_file *file, uint64_t total_bytes,
                                  pipit_error *error);

/* Everything below needs a complete header (else 0, NULL, PIPIT_E_STATE). */

typedef enum pipit_value_type { /* GGUF's own numbers */
    PIPIT_U8 = 0, PIPIT_I8 = 1, PIPIT_U16 = 2, PIPIT_I16 = 3, PIPIT_U32 = 4,
    PIPIT_I32 = 5, PIPIT_F32 = 6, PIPIT_BOOL = 7, PIPIT_STRING = 8,
    PIPIT_ARRAY = 9, PIPIT_U64 = 10, PIPIT_I64 = 11, PIPIT_F64 = 12
} pipit_value_type;

typedef struct pipit_string {
    const char *bytes; /* not NUL-terminated; lives as long as the file */
    size_t n_bytes;
} pipit_string;

typedef struct pipit_value {
    pipit_string key;
    pipit_value_type type;         /* PIPIT_ARRAY for arrays */
    pipit_value_type element_type; /* of an array */
    uint64_t n_elements;           /* of an array, else 1 */
} pipit_value;

typedef struct pipit_tensor {
    pipit_string name;
    uint32_t type; /* GGUF's tensor type number */
    uint32_t n_dims;
    uint64_t dims[4];   /* dims[0] is the contiguous one; unused are 1 */
    uint64_t offset;    /* in the file of its part */
    uint64_t n_bytes;   /* there */
    uint32_t part;      /* of a model in several files; else 0 */
} pipit_tensor;

uint32_t pipit_file_version(const pipit_file *file);
/* Of the part read last. */
uint64_t pipit_file_header_bytes(const pipit_file *file);
uint64_t pipit_file_n_values(const pipit_file *file);
uint64_t pipit_file_n_tensors(const pipit_file *file);
pipit_status pipit_file_value(const pipit_file *file, uint64_t i,
                              pipit_value *out);
/* The index of a key, or PIPIT_E_ARGUMENT when the file has none. */
pipit_status pipit_file_find(const pipit_file *file, const char *key,
                             uint64_t *out);
/* Element j of value i (j = 0 for a scalar). Each refuses what does not fit:
 * _integer takes integer types, _real any number, _text strings and _flag
 * bools; PIPIT_E_ARGUMENT otherwise. */
pipit_status pipit_file_integer(const pipit_file *file, uint64_t i, uint64_t j,
                                int64_t *out);
pipit_status pipit_file_real(const pipit_file *file, uint64_t i, uint64_t j,
                             double *out);
pipit_status pipit_file_text(const pipit_file *file, uint64_t i, uint64_t j,
                             pipit_string *out);
pipit_status pipit_file_flag(const pipit_file *file, uint64_t i, uint64_t j,
                             bool *out);
pipit_status pipit_file_tensor(const pipit_file *file, uint64_t i,
                               pipit_tensor *out);
/* "Q4_1"; NULL for a number that names no type. */
const char *pipit_tensor_type_name(uint32_t type);

/* ---- forecast ---------------------------------------------------------- */

/* Numbers that keys and values are kept as. Q8: 8-bit integers, a scale for 32
 * elements of a key and one for a value, where heads have a multiple of 32
 * elements; half the memory of F16 and several times its speed over long
 * contexts. AUTO: Q8 where it can be had, else F16. */
typedef enum pipit_kv_type {
    PIPIT_KV_AUTO = 0,
    PIPIT_KV_F16 = 1,
    PIPIT_KV_F32 = 2,
    PIPIT_KV_Q8 = 3
} pipit_kv_type;

typedef struct pipit_session_options {
    uint32_t n_context;   /* positions; 0 = the smaller of the model's own
                             context length and 4096 */
    pipit_kv_type kv_type;
} pipit_session_options;

typedef struct pipit_forecast {
    uint64_t weights_bytes; /* weights and tables in kernel layout */
    uint64_t vocabulary_bytes; /* header and tokenizer tables */
    uint64_t kv_bytes;      /* keys and values of one session */
    uint64_t scratch_bytes; /* activations, logits, staging */
    uint64_t total_bytes;
} pipit_forecast;

/* What a model and one session of it will need, from the header alone. Fails
 * like pipit_model_open where the file can't become a model. */
pipit_status pipit_file_forecast(const pipit_file *file,
                                 const pipit_session_options *options,
                                 uint32_t n_threads, pipit_forecast *out,
                                 pipit_error *error);

/* ---- tokenizer --------------------------------------------------------- */

typedef struct pipit_tokenizer pipit_tokenizer;

/* The vocabulary of a file with a complete header; tensors are not needed.
 * The file must outlive the tokenizer. */
pipit_status pipit_tokenizer_open(const pipit_file *file,
                                  const pipit_allocator *a,
                                  pipit_tokenizer **out, pipit_error *error);
void pipit_tokenizer_close(pipit_tokenizer *tokenizer);

#define PIPIT_ADD_SPECIAL 1u   /* BOS/EOS as the vocabulary asks */
#define PIPIT_PARSE_SPECIAL 2u /* control tokens written out in the text */

/* Text (any bytes) to tokens. *n_out is always the number of tokens the text
 * has; at most capacity are written. tokens may be NULL with capacity 0. A text
 * of n bytes never has more than 4 n + 5 tokens. Linear in n_bytes. Working
 * memory comes from the tokenizer's allocator and is given back.
 * PIPIT_E_TOO_LARGE: a text of more than 64 MiB. */
pipit_status pipit_tokenize(const pipit_tokenizer *tokenizer, const char *text,
                            size_t n_bytes, uint32_t flags, uint32_t *tokens,
                            size_t capacity, size_t *n_out, pipit_error *error);

#define PIPIT_KEEP_CONTROL 1u /* control tokens as their text, else nothing */
#define PIPIT_DROP_LEADING_SPACE 2u /* the space that SPM put in front */

/* Tokens to bytes, lossless: the bytes of all pieces joined. As above for
 * *n_out and capacity. PIPIT_E_TOKEN names the first bad id. */
pipit_status pipit_detokenize(const pipit_tokenizer *tokenizer,
                              const uint32_t *tokens, size_t n_tokens,
                              uint32_t flags, uint8_t *bytes, size_t capacity,
                              size_t *n_out, pipit_error *error);

uint32_t pipit_tokenizer_n_tokens(const pipit_tokenizer *tokenizer);
/* The raw text of a token as the file has it. */
pipit_status pipit_tokenizer_text(const pipit_tokenizer *tokenizer,
                                  uint32_t token, pipit_string *out);
typedef enum pipit_token_kind { /* GGUF's own numbers */
    PIPIT_TOKEN_UNDEFINED = 0, PIPIT_TOKEN_NORMAL = 1, PIPIT_TOKEN_UNKNOWN = 2,
    PIPIT_TOKEN_CONTROL = 3, PIPIT_TOKEN_USER_DEFINED = 4,
    PIPIT_TOKEN_UNUSED = 5, PIPIT_TOKEN_BYTE = 6
} pipit_token_kind;
pipit_token_kind pipit_tokenizer_kind(const pipit_tokenizer *tokenizer,
                                      uint32_t token);
/* Ends a generation: eos, eot, eom and the like. */
bool pipit_tokenizer_is_end(const pipit_tokenizer *tokenizer, uint32_t token);

#define PIPIT_NO_TOKEN UINT32_MAX
typedef enum pipit_special {
    PIPIT_BOS, PIPIT_EOS, PIPIT_EOT, PIPIT_UNKNOWN, PIPIT_PADDING
} pipit_special;
/* The token of that role, PIPIT_NO_TOKEN when the vocabulary has none. */
uint32_t pipit_tokenizer_special(const pipit_tokenizer *tokenizer,
                                 pipit_special role);
bool pipit_tokenizer_adds_bos(const pipit_tokenizer *tokenizer);

/* ---- model ------------------------------------------------------------- */

typedef struct pipit_model pipit_model;

/* Checks architecture, hyper-parameters and every tensor's shape and type, then
 * takes the memory for the weights in one block. Feed the tensor data after.
 * The file and the engine must outlive the model. */
pipit_status pipit_model_open(const pipit_file *file, pipit_engine *engine,
                              const pipit_allocator *a, pipit_model **out,
                              pipit_error *error);
void pipit_model_close(pipit_model *model);
/* Takes the bytes that follow the header, in file order, in pieces of any size;
 * each tensor is repacked as it arrives. PIPIT_OK: the last tensor is complete
 * (what follows is ignored); PIPIT_PENDING: more are needed. */
pipit_status pipit_model_feed(pipit_model *model, const uint8_t *bytes,
                              size_t n, pipit_error *error);
/* The stream ended: PIPIT_OK if the weights are complete, PIPIT_PENDING if they
 * go on in the next part, else PIPIT_E_TRUNCATED naming the tensor. */
pipit_status pipit_model_end(pipit_model *model, pipit_error *error);

uint32_t pipit_model_n_vocab(const pipit_model *model);
uint32_t pipit_model_context_length(const pipit_model *model);
uint64_t pipit_model_n_parameters(const pipit_model *model);
/* Bytes this model holds now. */
uint64_t pipit_model_bytes(const pipit_model *model);

/* Sixteen hexadecimal letters and a NUL that tell which weights these are: of
 * their values, so another quantization has others, another chat template not.
 * Adapters name their base by it. The weights must be complete. */
void pipit_model_fingerprint(const pipit_model *model, char out[17]);

/* ---- adapters ---------------------------------------------------------- */

/* Low-rank additions (LoRA) to the matrices of a model's layers, as llama.cpp's
 * files have them: y += scale * (alpha / rank) * B (A x). Any number of sessions
 * may use one. */
typedef struct pipit_adapter pipit_adapter;

#define PIPIT_ANY_BASE 1u /* also one that names another base */

/* Checks keys, names and shapes, then takes the memory. PIPIT_E_MODEL: no
 * adapter, one for another architecture or base, or tensors that contradict the
 * model; PIPIT_E_UNSUPPORTED: it adapts what can't be (embeddings, experts,
 * short convolutions). Halves may be of any tensor type that has blocks; they
 * become f32. The file may be closed once the adapter is complete, the model
 * must outlive it. */
pipit_status pipit_adapter_open(const pipit_file *file, pipit_model *model,
                                uint32_t flags, const pipit_allocator *a,
                                pipit_adapter **out, pipit_error *error);
/* Sessions that use it go on without it, as if pipit_session_set_adapters had
 * been called with the others. */
void pipit_adapter_close(pipit_adapter *adapter);
/* Like pipit_model_feed and _end. PIPIT_E_MODEL: a value that is not finite. */
pipit_status pipit_adapter_feed(pipit_adapter *adapter, const uint8_t *bytes,
                                size_t n, pipit_error *error);
pipit_status pipit_adapter_end(pipit_adapter *adapter, pipit_error *error);
/* Bytes it holds. */
uint64_t pipit_adapter_bytes(const pipit_adapter *adapter);

typedef struct pipit_note { /* a further text in the metadata */
    pipit_string key, value;
} pipit_note;
/* The GGUF that llama.cpp and pipit_adapter_open load, with the fingerprint of
 * its base (pipit.base.fingerprint) and the notes. *n_out is always its length;
 * written only if it fits. */
pipit_status pipit_adapter_write(const pipit_adapter *adapter,
                                 const pipit_note *notes, size_t n_notes,
                                 uint8_t *bytes, size_t capacity, size_t *n_out,
                                 pipit_error *error);

/* ---- session ----------------------------------------------------------- */

typedef struct pipit_session pipit_session;

pipit_status pipit_session_open(pipit_model *model,
                                const pipit_session_options *options,
                                const pipit_allocator *a, pipit_session **out,
                                pipit_error *error);
void pipit_session_close(pipit_session *session);

#define PIPIT_ALL_LOGITS 1u /* keep the logits of every position */

/* Appends n >= 1 tokens. Checks everything first: PIPIT_E_TOKEN,
 * PIPIT_E_CONTEXT (nothing was computed). Then evaluates step by step, a step
 * being a few milliseconds of work, until pipit_session_step says PIPIT_OK.
 * The tokens are copied. Starting again, rewinding or closing drops what is
 * pending; the session then holds the tokens whose batch was complete
 * (pipit_session_length) and has no logits until the next evaluation. */
pipit_status pipit_session_begin(pipit_session *session, const uint32_t *tokens,
                                 size_t n_tokens, uint32_t flags,
                                 pipit_error *error);
pipit_status pipit_session_step(pipit_session *session);
/* begin and step to the end. `stop` may be NULL; it is asked between steps and
 * ends the work with PIPIT_E_CANCELLED. */
pipit_status pipit_session_eval(pipit_session *session, const uint32_t *tokens,
                                size_t n_tokens, uint32_t flags,
                                bool (*stop)(void *), void *stop_context,
                                pipit_error *error);
/* Makes the timeline equal to tokens[0..n): keeps the common prefix of the
 * cache, drops the rest and begins to evaluate what is new (at least the last
 * token, so that there are logits). Where another session of the model has more
 * of the tokens, its keys and values are copied instead of evaluating them anew.
 * *n_kept, which may be NULL: the tokens that need no evaluation. Step as after
 * begin. */
pipit_status pipit_session_sync(pipit_session *session, const uint32_t *tokens,
                                size_t n_tokens, size_t *n_kept,
                                pipit_error *error);
/* Keeps the first n tokens. PIPIT_E_ARGUMENT if it has fewer. */
pipit_status pipit_session_rewind(pipit_session *session, size_t n);

#define PIPIT_MAX_ADAPTERS 16u

/* The adapters of this session, each with the factor its user gives it: those
 * before are taken off. Nothing of the model is touched. Keys and values were
 * computed through the old ones, at every layer after the first: unless the set
 * is the same (order and scales too; those with scale 0 don't count) all are
 * dropped, with the logits and what is pending. The tokens stay; the next
 * evaluation computes them anew. PIPIT_E_ARGUMENT: more than PIPIT_MAX_ADAPTERS,
 * one twice, one of another model, a scale that is not finite; PIPIT_E_STATE:
 * one that is not complete. */
pipit_status pipit_session_set_adapters(pipit_session *session,
                                        pipit_adapter *const *adapters,
                                        const float *scales, size_t n,
                                        pipit_error *error);

size_t pipit_session_length(const pipit_session *session);
size_t pipit_session_capacity(const pipit_session *session);
/* Tokens of the running evaluation that are done, and in all. */
void pipit_session_progress(const pipit_session *session, size_t *n_done,
                            size_t *n_total);
const uint32_t *pipit_session_tokens(const pipit_session *session);
/* n_vocab floats, owned by the session, valid until it next changes.
 * Position i counts the tokens of the last evaluation when it was told to keep
 * all logits, else only i = 0, the last token's. NULL when there are none. */
const float *pipit_session_logits(const pipit_session *session, size_t i);
size_t pipit_session_n_logits(const pipit_session *session);
uint64_t pipit_session_bytes(const pipit_session *session);

/* ---- sampling ---------------------------------------------------------- */

typedef struct pipit_logit_bias {
    uint32_t token;
    float bias; /* added to the logit; -INFINITY bans the token */
} pipit_logit_bias;

/* In the order in which they apply: bias, penalties, temperature 0 = the best
 * token; else top-k, top-p, min-p on the probabilities at temperature 1, then
 * temperature, then one draw. Zeroed fields switch a filter off, except
 * temperature. pipit_sampling_defaults gives greedy without any filter. */
typedef struct pipit_sampling {
    float temperature; /* >= 0 */
    uint32_t top_k;    /* 0 = off */
    float top_p;       /* 0 < p < 1, else off */
    float min_p;       /* 0 < p <= 1, else off */
    float repetition_penalty; /* 1 or 0 = off; > 1 divides positive and
                                 multiplies negative logits of seen tokens */
    float presence_penalty;   /* subtracted once from seen tokens */
    float frequency_penalty;  /* subtracted per occurrence */
    uint32_t penalty_window;  /* last tokens that count; 0 = all */
    uint64_t seed;
    const pipit_logit_bias *bias; /* copied */
    size_t n_bias;
} pipit_sampling;
void pipit_sampling_defaults(pipit_sampling *out);

typedef struct pipit_logprob {
    uint32_t token;
    float logprob; /* natural log, of the model's own distribution: before
                      bias, penalties and temperature */
} pipit_logprob;

/* Log-probability of one token, or of the n best in falling order (ties: lower
 * id first), from n_vocab logits. */
float pipit_logprob_of(const float *logits, uint32_t n_vocab, uint32_t token);
void pipit_logprob_best(const float *logits, uint32_t n_vocab, uint32_t n,
                        pipit_logprob *out);

/* ---- generation -------------------------------------------------------- */

typedef struct pipit_generation pipit_generation;

#define PIPIT_MAX_LOGPROBS 64u

typedef struct pipit_generation_options {
    pipit_sampling sampling;
    uint32_t max_tokens;  /* 0 = until the context is full */
    const pipit_string *stop; /* copied; none may be empty */
    size_t n_stop;
    uint32_t n_logprobs;  /* best tokens to report, <= PIPIT_MAX_LOGPROBS */
    bool logprobs;        /* report the chosen token's (and n_logprobs best) */
    bool ignore_end;      /* go on past end-of-generation tokens */
    bool lookup;          /* draft from repetitions in the context. The answer
                             is the same either way */
} pipit_generation_options;

typedef enum pipit_finish {
    PIPIT_FINISH_NONE = 0,
    PIPIT_FINISH_END = 1,     /* an end-of-generation token */
    PIPIT_FINISH_STOP = 2,    /* a stop string */
    PIPIT_FINISH_LENGTH = 3,  /* max_tokens */
    PIPIT_FINISH_CONTEXT = 4  /* the context is full */
} pipit_finish;

/* One sampled token. text may be empty (an unfinished character, or text held
 * back because it may begin a stop string) and may hold what earlier tokens
 * left behind; all texts joined are the answer, without the stop string. */
typedef struct pipit_sampled {
    uint32_t token;
    pipit_finish finish; /* the answer ended with this token */
    pipit_string text;   /* valid until the next step */
    float logprob;
    const pipit_logprob *best; /* n_best of them, valid until the next step */
    uint32_t n_best;
} pipit_sampled;

/* Starts from the session's logits (PIPIT_E_STATE without). The session and the
 * tokenizer must outlive it. The session must not be changed by others while
 * steps are made. */
pipit_status pipit_generation_open(pipit_session *session,
                                   const pipit_tokenizer *tokenizer,
                                   const pipit_generation_options *options,
                                   const pipit_allocator *a,
                                   pipit_generation **out, pipit_error *error);
void pipit_generation_close(pipit_generation *generation);
/* PIPIT_OK: *out holds the next token. PIPIT_PENDING: evaluating; closing the
 * generation drops that. After a
 * finish, PIPIT_E_STATE. A token that ends the answer is not appended to the
 * session; every other one is, by the step after it. Between steps the session
 * may be ahead by a draft; closing the generation takes it back. */
pipit_status pipit_generation_step(pipit_generation *generation,
                                   pipit_sampled *out);

/* Steps n generations at once. Those of one model whose sessions have the same
 * adapters share each pass over the weights, which is what a token costs most:
 * four together take far less than four times one. Every one gets the tokens, to
 * the bit, that it would get alone; who is in the array may change from call to
 * call. statuses[i] and, where that is PIPIT_OK, out[i] are what
 * pipit_generation_step would give for generations[i], so one that fails stops no
 * other; PIPIT_PENDING may also mean that it waits for a pass of others. A call
 * evaluates one step at most. PIPIT_E_ARGUMENT, and nothing was done: an array is
 * NULL. */
pipit_status pipit_generations_step(pipit_generation *const *generations,
                                    size_t n, pipit_sampled *out,
                                    pipit_status *statuses);

/* ---- training ---------------------------------------------------------- */

/* Fits a low-rank adapter to sequences of tokens: the frozen model's matrices W
 * become W + alpha / rank * B A. One step is a batch: forward, backward, and an
 * update by AdamW. The model must outlive the trainer; sessions may run on the
 * model between steps and see it unchanged. */
typedef struct pipit_trainer pipit_trainer;

typedef struct pipit_training_options {
    uint32_t rank;
    float alpha;
    uint32_t targets;    /* bit i: the i-th of attn_q, attn_k, attn_v,
                            attn_output, ffn_gate, ffn_up, ffn_down */
    uint32_t max_length; /* tokens of the longest sequence */
    uint32_t max_rows;   /* tokens evaluated together, >= max_length; a larger
                            batch is done in parts, their gradients added */
    bool precise;        /* f32 activations instead of 8-bit ones forward */
    uint64_t seed;       /* of A, normal with variance 1 / columns; B is 0 */
    float beta1, beta2, epsilon, decay;
    float clip;          /* of the gradients' norm over all; 0: never */
} pipit_training_options;
/* Rank 8, alpha 16, all seven, precise, AdamW (0.9, 0.999, 1e-8, no decay), no
 * clip. */
void pipit_training_defaults(pipit_training_options *out);

/* Bytes that a trainer would take. PIPIT_E_UNSUPPORTED names what of the model's
 * family can't be trained, PIPIT_E_ARGUMENT the option. */
pipit_status pipit_training_measure(const pipit_model *model,
                                    const pipit_training_options *options,
                                    uint64_t *bytes, pipit_error *error);
pipit_status pipit_trainer_open(pipit_model *model,
                                const pipit_training_options *options,
                                const pipit_allocator *a, pipit_trainer **out,
                                pipit_error *error);
void pipit_trainer_close(pipit_trainer *trainer);

typedef struct pipit_training_batch {
    const uint32_t *tokens;  /* of all sequences, one after the other */
    const uint8_t *is_answer; /* of each token: 1 if its loss counts */
    const uint32_t *lengths; /* (n_sequences) */
    size_t n_sequences;
} pipit_training_batch;

typedef enum pipit_training_kind {
    PIPIT_TRAIN_LOSS,      /* only the loss */
    PIPIT_TRAIN_GRADIENTS, /* and the gradients */
    PIPIT_TRAIN_UPDATE     /* and one update of the adapter */
} pipit_training_kind;

/* Begins a step; the batch must live until it is done. The loss is the mean over
 * all its answer tokens; the first token of a sequence is never one.
 * PIPIT_E_TOKEN, PIPIT_E_CONTEXT (longer than max_length; *error's offset is the
 * sequence) or PIPIT_E_ARGUMENT (none has an answer): nothing has changed.
 * Beginning again drops what was under way. */
pipit_status pipit_trainer_begin(pipit_trainer *trainer,
                                 const pipit_training_batch *batch,
                                 pipit_training_kind kind, float rate,
                                 pipit_error *error);
/* Some milliseconds of it; PIPIT_OK: done. PIPIT_E_STATE: none is under way, or
 * the loss or a gradient is no finite number: the adapter is as before. */
pipit_status pipit_trainer_step(pipit_trainer *trainer);
/* Of the last step that was done. norm: of all gradients, before clipping. */
double pipit_trainer_loss(const pipit_trainer *trainer);
double pipit_trainer_norm(const pipit_trainer *trainer);
/* Share of the running step that is done, 0 to 1. */
double pipit_trainer_progress(const pipit_trainer *trainer);

/* All that training goes on from: parameters, first and second moments, each
 * (n) floats, one after the other, owned by the trainer; and the number of
 * updates made. A trainer with the same options whose state is overwritten by
 * these goes on with the same bits. Parameters are, for each layer and matrix in
 * the order above, A (rank, columns) then B (rows, rank). */
float *pipit_trainer_state(pipit_trainer *trainer, size_t *n);
uint64_t pipit_trainer_n_updates(const pipit_trainer *trainer);
void pipit_trainer_set_n_updates(pipit_trainer *trainer, uint64_t n);
/* (n) gradients of the last step, in the order of the parameters. */
const float *pipit_trainer_gradients(const pipit_trainer *trainer);
uint64_t pipit_trainer_bytes(const pipit_trainer *trainer);
/* A copy of the adapter as it is now. */
pipit_status pipit_trainer_adapter(const pipit_trainer *trainer,
                                   const pipit_allocator *a,
                                   pipit_adapter **out, pipit_error *error);

#ifdef __cplusplus
}
#endif
#endif

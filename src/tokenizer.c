#include "tokenizer.h"

#include "bpe.h"
#include "specials.h"
#include "spm.h"
#include "wpm.h"

typedef enum kind { BPE, SPM, WPM } kind;

/* Roles beyond pipit_special. */
enum { SEPARATOR = PIPIT_PADDING + 1, EOM, N_ROLES };

struct pipit_tokenizer {
    pipit_allocator allocator; /* a copy: the caller's may be short-lived */
    size_t block_bytes;
    kind kind;
    pipit_vocabulary vocabulary;
    pipit_specials specials;
    pipit_bpe bpe; /* of the three, the one that `kind` says */
    pipit_spm spm;
    pipit_wpm wpm;
    uint32_t roles[N_ROLES];
    bool add_bos, add_eos, add_separator, space_prefix;
};

/* Tokens that end a generation by their text, since many files don't say so
 * otherwise; those that end a turn first, the likeliest in front. */
static const char *const end_texts[] = {
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>",
    "<|end_of_text|>", "<EOT>", "_<EOT>", "[EOT]", "<end_of_utterance>",
    "<｜end▁of▁sentence｜>",
    "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "</s>", "<|eom_id|>",
    "[EOS]", "<eos>", "<turn|>", "<|tool_response>", "[e~["};
#define N_END_TEXTS (sizeof end_texts / sizeof *end_texts)
#define N_TURN_ENDS 11u
#define PLAIN_END 15u /* "</s>" */
/* These end it too, but stay of the kind that they are. */
static const char *const gap_texts[] = {"<|fim_pad|>", "<|fim_repo|>",
                                        "<|repo_name|>", "<|file_sep|>"};
#define N_GAP_TEXTS (sizeof gap_texts / sizeof *gap_texts)

/* ---- reading ----------------------------------------------------------- */

static pipit_status read_kind(const pipit_file *file, kind *out,
                              pipit_error *error) {
    const char *key = "tokenizer.ggml.model";
    pipit_string name = {"", 0};
    pipit_status s = pipit_gguf_string(file, key, &name, error);
    if (s != PIPIT_OK) return s;
    if (name.n_bytes == 0)
        return pipit_fail(error, PIPIT_E_VOCABULARY, PIPIT_NO_OFFSET,
                          "missing key %s", key);
    if (pipit_string_is(name, "gpt2"))
        *out = BPE;
    else if (pipit_string_is(name, "llama"))
        *out = SPM;
    else if (pipit_string_is(name, "bert"))
        *out = WPM;
    else
        return pipit_fail(error, PIPIT_E_UNSUPPORTED, PIPIT_NO_OFFSET,
                          "tokenizer \"%S\" (key %s) is not supported", &name,
                          key);
    return PIPIT_OK;
}

/* Ids that are no token are ignored, whatever the file holds there. */
static void read_role(pipit_tokenizer *t, const char *key, uint32_t role,
                      uint32_t fallback) {
    uint32_t id = fallback;
    if (fallback >= t->vocabulary.n_tokens) fallback = PIPIT_NO_TOKEN;
    if (pipit_gguf_u32(t->vocabulary.file, key, &id, NULL) != PIPIT_OK ||
        id >= t->vocabulary.n_tokens)
        id = fallback;
    t->roles[role] = id;
}

static void read_roles(pipit_tokenizer *t) {
    static const struct {
        uint32_t bos, eos, unknown, separator, padding;
    } defaults[] = {
        /* llama.cpp has 11 for BPE's BOS and EOS, which is just a token. */
        [BPE] = {PIPIT_NO_TOKEN, PIPIT_NO_TOKEN, PIPIT_NO_TOKEN,
                 PIPIT_NO_TOKEN, PIPIT_NO_TOKEN},
        [SPM] = {1, 2, 0, PIPIT_NO_TOKEN, PIPIT_NO_TOKEN},
        [WPM] = {101, PIPIT_NO_TOKEN, 100, 102, 0}};
    kind k = t->kind;
    read_role(t, "tokenizer.ggml.bos_token_id", PIPIT_BOS, defaults[k].bos);
    read_role(t, "tokenizer.ggml.eos_token_id", PIPIT_EOS, defaults[k].eos);
    read_role(t, "tokenizer.ggml.eot_token_id", PIPIT_EOT, PIPIT_NO_TOKEN);
    read_role(t, "tokenizer.ggml.eom_token_id", EOM, PIPIT_NO_TOKEN);
    read_role(t, "tokenizer.ggml.unknown_token_id", PIPIT_UNKNOWN,
              defaults[k].unknown);
    read_role(t, "tokenizer.ggml.padding_token_id", PIPIT_PADDING,
              defaults[k].padding);
    read_role(t, "tokenizer.ggml.seperator_token_id", SEPARATOR,
              defaults[k].separator); /* misspelled in all files */
}

static pipit_status read_flags(pipit_tokenizer *t, pipit_error *error) {
    const pipit_file *file = t->vocabulary.file;
    pipit_status s;
    t->add_bos = t->kind != BPE || t->bpe.pre->add_bos;
    t->add_separator = t->kind == WPM;
    t->space_prefix = t->kind == SPM;
    s = pipit_gguf_bool(file, "tokenizer.ggml.add_bos_token", &t->add_bos,
                        error);
    if (s != PIPIT_OK) return s;
    s = pipit_gguf_bool(file, "tokenizer.ggml.add_eos_token", &t->add_eos,
                        error);
    if (s != PIPIT_OK) return s;
    s = pipit_gguf_bool(file, "tokenizer.ggml.add_sep_token",
                        &t->add_separator, error);
    if (s != PIPIT_OK) return s;
    return pipit_gguf_bool(file, "tokenizer.ggml.add_space_prefix",
                           &t->space_prefix, error);
}

/* All that the header says, before any memory is taken. */
static pipit_status read_all(const pipit_file *file, pipit_tokenizer *t,
                             pipit_error *error) {
    memset(t, 0, sizeof *t);
    pipit_status s = read_kind(file, &t->kind, error);
    if (s != PIPIT_OK) return s;
    s = pipit_vocabulary_read(file, &t->vocabulary, error);
    if (s != PIPIT_OK) return s;
    if (t->kind == BPE) s = pipit_bpe_read(&t->vocabulary, &t->bpe, error);
    if (t->kind == SPM) pipit_spm_init(&t->spm, &t->vocabulary);
    if (t->kind == WPM) s = pipit_wpm_read(&t->vocabulary, &t->wpm, error);
    if (s != PIPIT_OK) return s;
    pipit_specials_init(&t->specials, &t->vocabulary, N_END_TEXTS);
    read_roles(t);
    return read_flags(t, error);
}

static void carve(pipit_arena *arena, pipit_tokenizer *t) {
    pipit_vocabulary_carve(arena, &t->vocabulary);
    pipit_specials_carve(arena, &t->specials);
    if (t->kind == BPE) pipit_bpe_carve(arena, &t->bpe);
    if (t->kind == SPM) pipit_spm_carve(arena, &t->spm);
}

/* The whole block; 0: more than the address space has. */
static size_t measure(pipit_tokenizer *t) {
    pipit_arena arena = {0};
    pipit_arena_take(&arena, 1, sizeof *t);
    carve(&arena, t);
    return arena.overflow ? 0 : arena.used;
}

/* ---- building ---------------------------------------------------------- */

static uint32_t find(const pipit_tokenizer *t, const char *text) {
    return pipit_vocabulary_find(&t->vocabulary, text, strlen(text));
}

static void mark_end(pipit_tokenizer *t, uint32_t token) {
    if (token != PIPIT_NO_TOKEN) t->vocabulary.is_end[token] = 1;
}

static void mark_ends(pipit_tokenizer *t) {
    uint8_t *kinds = t->vocabulary.kinds;
    for (uint32_t i = 0; i < N_END_TEXTS; i++) {
        uint32_t token = find(t, end_texts[i]);
        if (token == PIPIT_NO_TOKEN) continue;
        /* A plain "</s>" is HTML (Qwen has one), unless it is the EOS. */
        if (i == PLAIN_END && kinds[token] == PIPIT_TOKEN_NORMAL &&
            token != t->roles[PIPIT_EOS])
            continue;
        kinds[token] = PIPIT_TOKEN_CONTROL;
        mark_end(t, token);
        if (i < N_TURN_ENDS && t->roles[PIPIT_EOT] == PIPIT_NO_TOKEN)
            t->roles[PIPIT_EOT] = token;
    }
    for (uint32_t i = 0; i < N_GAP_TEXTS; i++)
        mark_end(t, find(t, gap_texts[i]));
    mark_end(t, t->roles[PIPIT_EOS]);
    mark_end(t, t->roles[PIPIT_EOT]);
    mark_end(t, t->roles[EOM]);
}

/* Whether the key's text holds a word, capitals as small letters. */
static bool key_holds(const pipit_file *file, const char *key,
                      const char *word) {
    pipit_string text = {"", 0};
    size_t n = strlen(word), i = 0;
    if (pipit_gguf_string(file, key, &text, NULL) != PIPIT_OK) return false;
    for (size_t at = 0; at < text.n_bytes && i < n; at++) {
        char c = text.bytes[at];
        if (c >= 'A' && c <= 'Z') c = (char)(c + 32);
        if (c == word[i]) {
            i++;
        } else {
            at -= i;
            i = 0;
        }
    }
    return i == n;
}

static void set_strip(pipit_tokenizer *t, const char *text, uint8_t strip) {
    uint32_t token = find(t, text);
    if (token == PIPIT_NO_TOKEN) return;
    uint32_t index = pipit_specials_index(&t->specials, token);
    if (index != PIPIT_NO_TOKEN) t->specials.strips[index] = strip;
}

/* Which special tokens swallow the white space beside them: GGUF has no key for
 * it, so it is known by name. */
static void set_strips(pipit_tokenizer *t) {
    const pipit_file *file = t->vocabulary.file;
    if (key_holds(file, "general.name", "phi-3") ||
        key_holds(file, "general.name", "phi3")) {
        memset(t->specials.strips, PIPIT_STRIP_RIGHT, t->specials.n);
        set_strip(t, "<unk>", 0);
        set_strip(t, "<s>", 0);
        set_strip(t, "<|endoftext|>", 0);
    }
    if (key_holds(file, "tokenizer.ggml.pre", "jina-v2-"))
        set_strip(t, "<mask>", PIPIT_STRIP_LEFT);
    if (key_holds(file, "general.name", "modern-bert"))
        set_strip(t, "[MASK]", PIPIT_STRIP_LEFT);
}

static pipit_status build(pipit_tokenizer *t, pipit_error *error) {
    t->specials.vocabulary = &t->vocabulary;
    t->bpe.vocabulary = &t->vocabulary;
    t->spm.vocabulary = &t->vocabulary;
    t->wpm.vocabulary = &t->vocabulary;
    pipit_status s = pipit_vocabulary_build(&t->vocabulary, error);
    if (s != PIPIT_OK) return s;
    mark_ends(t);
    s = pipit_specials_build(&t->specials, error);
    if (s != PIPIT_OK) return s;
    set_strips(t);
    if (t->kind == BPE) s = pipit_bpe_build(&t->bpe, error);
    if (t->kind == SPM) pipit_spm_build(&t->spm, t->roles[PIPIT_UNKNOWN]);
    if (t->kind == WPM) t->wpm.unknown = t->roles[PIPIT_UNKNOWN];
    return s;
}

static pipit_status too_large(pipit_error *error) {
    return pipit_fail(error, PIPIT_E_TOO_LARGE, PIPIT_NO_OFFSET,
                      "the vocabulary is larger than the address space");
}

pipit_status pipit_tokenizer_measure(const pipit_file *file, uint64_t *out,
                                     pipit_error *error) {
    pipit_tokenizer draft;
    pipit_status s = pipit_gguf_begins(file, error);
    if (s == PIPIT_OK) s = read_all(file, &draft, error);
    if (s != PIPIT_OK) return s;
    size_t bytes = measure(&draft);
    if (bytes == 0) return too_large(error);
    *out = bytes;
    return PIPIT_OK;
}

pipit_status pipit_tokenizer_open(const pipit_file *file,
                                  const pipit_allocator *a,
                                  pipit_tokenizer **out, pipit_error *error) {
    pipit_tokenizer draft, *t;
    if (!file || !out)
        return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                          "a tokenizer needs a file and a place");
    if (pipit_file_version(file) == 0)
        return pipit_fail(error, PIPIT_E_STATE, PIPIT_NO_OFFSET,
                          "the file's header is not complete");
    pipit_status s = pipit_gguf_begins(file, error);
    if (s == PIPIT_OK) s = read_all(file, &draft, error);
    if (s != PIPIT_OK) return s;
    size_t bytes = measure(&draft);
    if (bytes == 0) return too_large(error);
    draft.allocator = *pipit_allocator_or_platform(a);
    draft.block_bytes = bytes;
    pipit_arena arena = {.base = pipit_take(&draft.allocator, bytes),
                         .capacity = bytes};
    if (!arena.base)
        return pipit_fail(error, PIPIT_E_MEMORY, PIPIT_NO_OFFSET,
                          "the vocabulary needs %u bytes of memory and can't "
                          "get them",
                          (uint64_t)bytes);
    t = pipit_arena_take(&arena, 1, sizeof *t);
    *t = draft;
    carve(&arena, t);
    s = build(t, error);
    if (s == PIPIT_OK)
        *out = t;
    else
        pipit_tokenizer_close(t);
    return s;
}

void pipit_tokenizer_close(pipit_tokenizer *tokenizer) {
    if (!tokenizer) return;
    pipit_allocator a = tokenizer->allocator;
    pipit_give(&a, tokenizer, tokenizer->block_bytes);
}

/* ---- text to tokens ---------------------------------------------------- */

static void put_role(const pipit_tokenizer *t, bool wanted, uint32_t role,
                     pipit_sink *out) {
    if (wanted && t->roles[role] != PIPIT_NO_TOKEN)
        pipit_sink_put(out, t->roles[role]);
}

/* A piece of text between special tokens; after_special: or the first one. */
static bool encode_raw(const pipit_tokenizer *t, const uint8_t *text, size_t n,
                       bool after_special, pipit_work *work, pipit_sink *out) {
    switch (t->kind) {
        case BPE: return pipit_bpe_encode(&t->bpe, text, n, work, out);
        case SPM:
            return pipit_spm_encode(&t->spm, text, n,
                                    t->space_prefix && after_special, work,
                                    out);
        case WPM: break;
    }
    pipit_wpm_encode(&t->wpm, text, n, out);
    return true;
}

static bool encode(const pipit_tokenizer *t, const uint8_t *text, size_t n,
                   bool all_specials, pipit_sink *out) {
    pipit_scratch found = {&t->allocator, NULL, 0};
    pipit_scratch used = {&t->allocator, NULL, 0};
    pipit_work work;
    pipit_cuts cuts;
    pipit_fragment fragment;
    bool after_special = true;
    pipit_work_init(&work, &t->allocator);
    bool ok = pipit_specials_cut(&t->specials, text, n, all_specials, &found,
                                 &used, &cuts);
    while (ok && pipit_cuts_next(&cuts, &fragment)) {
        bool is_token = fragment.token != PIPIT_NO_TOKEN;
        if (is_token)
            pipit_sink_put(out, fragment.token);
        else
            ok = encode_raw(t, text + fragment.start,
                            fragment.end - fragment.start, after_special,
                            &work, out);
        after_special = is_token;
    }
    pipit_work_release(&work);
    pipit_scratch_release(&found);
    pipit_scratch_release(&used);
    return ok;
}

pipit_status pipit_tokenize(const pipit_tokenizer *tokenizer, const char *text,
                            size_t n_bytes, uint32_t flags, uint32_t *tokens,
                            size_t capacity, size_t *n_out,
                            pipit_error *error) {
    const pipit_tokenizer *t = tokenizer;
    pipit_sink out = {tokens, capacity, 0};
    bool special = (flags & PIPIT_ADD_SPECIAL) != 0;
    if (!t || (!text && n_bytes > 0) || (!tokens && capacity > 0) || !n_out ||
        flags & ~(PIPIT_ADD_SPECIAL | PIPIT_PARSE_SPECIAL))
        return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                          "tokenize: a pointer is missing or a flag unknown");
    if (n_bytes > PIPIT_MAX_TEXT_BYTES)
        return pipit_fail(error, PIPIT_E_TOO_LARGE, PIPIT_NO_OFFSET,
                          "the text is longer than %u bytes",
                          (uint64_t)PIPIT_MAX_TEXT_BYTES);
    put_role(t, special && t->add_bos, PIPIT_BOS, &out);
    if (n_bytes > 0 && !encode(t, (const uint8_t *)text, n_bytes,
                               (flags & PIPIT_PARSE_SPECIAL) != 0, &out))
        return pipit_fail(error, PIPIT_E_MEMORY, PIPIT_NO_OFFSET,
                          "no memory to tokenize %u bytes",
                          (uint64_t)n_bytes);
    put_role(t, special && t->kind == WPM && t->add_separator, SEPARATOR, &out);
    put_role(t, special && t->add_eos, PIPIT_EOS, &out);
    *n_out = out.n;
    return PIPIT_OK;
}

/* ---- tokens to text ---------------------------------------------------- */

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "<0x0A>"; -1: no byte. */
static int byte_of(pipit_string text) {
    if (text.n_bytes != 6 || memcmp(text.bytes, "<0x", 3) != 0 ||
        text.bytes[5] != '>')
        return -1;
    int high = hex_value(text.bytes[3]), low = hex_value(text.bytes[4]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static size_t copy(pipit_string text, uint8_t *out) {
    if (text.n_bytes) memcpy(out, text.bytes, text.n_bytes);
    return text.n_bytes;
}

/* Marks back to spaces. */
static size_t copy_unmarked(pipit_string text, uint8_t *out) {
    size_t n = 0;
    for (size_t i = 0; i < text.n_bytes; i++) {
        if (text.n_bytes - i >= PIPIT_SPACE_MARK_BYTES &&
            memcmp(text.bytes + i, PIPIT_SPACE_MARK, PIPIT_SPACE_MARK_BYTES) ==
                0) {
            out[n++] = ' ';
            i += PIPIT_SPACE_MARK_BYTES - 1;
        } else {
            out[n++] = (uint8_t)text.bytes[i];
        }
    }
    return n;
}

/* Bytes of one token, at most max_piece. */
static size_t piece(const pipit_tokenizer *t, uint32_t token, bool control,
                    uint8_t *out) {
    pipit_string text = pipit_vocabulary_text(&t->vocabulary, token);
    int byte;
    switch (t->vocabulary.kinds[token]) {
        case PIPIT_TOKEN_CONTROL:
        case PIPIT_TOKEN_UNKNOWN: return control ? copy(text, out) : 0;
        case PIPIT_TOKEN_USER_DEFINED: return copy(text, out);
        case PIPIT_TOKEN_BYTE:
            byte = byte_of(text);
            if (byte < 0) break;
            out[0] = (uint8_t)byte;
            return 1;
        default: break;
    }
    if (t->kind == BPE)
        return pipit_bpe_decode((const uint8_t *)text.bytes, text.n_bytes, out);
    return copy_unmarked(text, out);
}

static pipit_status check_tokens(const pipit_tokenizer *t,
                                 const uint32_t *tokens, size_t n,
                                 pipit_error *error) {
    uint32_t n_tokens = t->vocabulary.n_tokens;
    for (size_t i = 0; i < n; i++)
        if (tokens[i] >= n_tokens)
            return pipit_fail(error, PIPIT_E_TOKEN, PIPIT_NO_OFFSET,
                              "token %u, number %u of the sequence, is not in "
                              "the vocabulary of %u",
                              (uint64_t)tokens[i], (uint64_t)i,
                              (uint64_t)n_tokens);
    return PIPIT_OK;
}

pipit_status pipit_detokenize(const pipit_tokenizer *tokenizer,
                              const uint32_t *tokens, size_t n_tokens,
                              uint32_t flags, uint8_t *bytes, size_t capacity,
                              size_t *n_out, pipit_error *error) {
    uint8_t buffer[PIPIT_MAX_TOKEN_BYTES];
    bool control = (flags & PIPIT_KEEP_CONTROL) != 0;
    size_t n = 0;
    if (!tokenizer || (!tokens && n_tokens > 0) || (!bytes && capacity > 0) ||
        !n_out || flags & ~(PIPIT_KEEP_CONTROL | PIPIT_DROP_LEADING_SPACE))
        return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                          "detokenize: a pointer is missing or a flag unknown");
    pipit_status s = check_tokens(tokenizer, tokens, n_tokens, error);
    if (s != PIPIT_OK) return s;
    bool drop = flags & PIPIT_DROP_LEADING_SPACE && tokenizer->space_prefix;
    for (size_t i = 0; i < n_tokens; i++) {
        uint8_t *from = buffer;
        size_t n_piece = piece(tokenizer, tokens[i], control, buffer);
        if (n_piece == 0) continue;
        if (drop && *from == ' ') {
            from++;
            n_piece--;
        }
        drop = false;
        if (n < capacity)
            memcpy(bytes + n, from, pipit_min_size(n_piece, capacity - n));
        n += n_piece;
    }
    *n_out = n;
    return PIPIT_OK;
}

/* ---- questions --------------------------------------------------------- */

uint32_t pipit_tokenizer_n_tokens(const pipit_tokenizer *tokenizer) {
    return tokenizer ? tokenizer->vocabulary.n_tokens : 0;
}

pipit_status pipit_tokenizer_text(const pipit_tokenizer *tokenizer,
                                  uint32_t token, pipit_string *out) {
    if (!tokenizer || !out) return PIPIT_E_ARGUMENT;
    if (token >= tokenizer->vocabulary.n_tokens) return PIPIT_E_TOKEN;
    *out = pipit_vocabulary_text(&tokenizer->vocabulary, token);
    return PIPIT_OK;
}

pipit_token_kind pipit_tokenizer_kind(const pipit_tokenizer *tokenizer,
                                      uint32_t token) {
    if (token >= pipit_tokenizer_n_tokens(tokenizer))
        return PIPIT_TOKEN_UNDEFINED;
    return (pipit_token_kind)tokenizer->vocabulary.kinds[token];
}

bool pipit_tokenizer_is_end(const pipit_tokenizer *tokenizer, uint32_t token) {
    return token < pipit_tokenizer_n_tokens(tokenizer) &&
           tokenizer->vocabulary.is_end[token];
}

uint32_t pipit_tokenizer_special(const pipit_tokenizer *tokenizer,
                                 pipit_special role) {
    if (!tokenizer || (uint32_t)role > PIPIT_PADDING) return PIPIT_NO_TOKEN;
    return tokenizer->roles[role];
}

bool pipit_tokenizer_adds_bos(const pipit_tokenizer *tokenizer) {
    return tokenizer && tokenizer->add_bos &&
           tokenizer->roles[PIPIT_BOS] != PIPIT_NO_TOKEN;
}

size_t pipit_tokenizer_max_piece(const pipit_tokenizer *tokenizer) {
    return tokenizer->vocabulary.max_bytes;
}

uint64_t pipit_tokenizer_bytes(const pipit_tokenizer *tokenizer) {
    return tokenizer->block_bytes;
}

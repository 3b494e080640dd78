#include "bpe.h"

#include "nfc.h"
#include "unicode.h"

/* ---- letters ----------------------------------------------------------- */

/* Bytes that print stand for themselves, the other 68 for U+0100 and up. */
static bool prints(uint32_t byte) {
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
}

static uint32_t letter_of(uint32_t byte) {
    if (prints(byte)) return byte;
    if (byte < 0x21) return 0x100 + byte;
    if (byte < 0xA1) return 0x100 + 0x21 + (byte - 0x7F);
    return 0x100 + 0x21 + 0x22; /* 0xAD */
}

/* 256: no letter. */
static uint32_t byte_of(uint32_t letter) {
    if (letter < 0x100) return prints(letter) ? letter : 256;
    if (letter < 0x121) return letter - 0x100;
    if (letter < 0x143) return letter - 0x121 + 0x7F;
    return letter == 0x143 ? 0xAD : 256;
}

size_t pipit_bpe_letter(uint8_t byte, uint8_t *out) {
    return pipit_utf8_encode(letter_of(byte), out);
}

size_t pipit_bpe_decode(const uint8_t *text, size_t n, uint8_t *out) {
    size_t n_out = 0, taken;
    for (size_t at = 0; at < n; at += taken) {
        uint32_t byte = byte_of(pipit_utf8_decode(text + at, n - at, &taken));
        if (byte < 256) {
            out[n_out++] = (uint8_t)byte;
        } else {
            memcpy(out + n_out, text + at, taken);
            n_out += taken;
        }
    }
    return n_out;
}

/* ---- reading ----------------------------------------------------------- */

static pipit_status read_pre(pipit_bpe *bpe, pipit_error *error) {
    const char *key = "tokenizer.ggml.pre";
    pipit_string name = {"default", 7};
    const pipit_file *file = bpe->vocabulary->file;
    pipit_status s = pipit_gguf_string(file, key, &name, error);
    if (s != PIPIT_OK) return s;
    bpe->pre = pipit_pre_find(name);
    if (!bpe->pre)
        return pipit_fail(error, PIPIT_E_UNSUPPORTED, PIPIT_NO_OFFSET,
                          "pre-tokenizer \"%S\" (key %s) is not supported",
                          &name, key);
    return PIPIT_OK;
}

pipit_status pipit_bpe_read(const pipit_vocabulary *v, pipit_bpe *bpe,
                            pipit_error *error) {
    const char *key = "tokenizer.ggml.merges";
    *bpe = (pipit_bpe){.vocabulary = v};
    pipit_status s = read_pre(bpe, error);
    if (s != PIPIT_OK) return s;
    s = pipit_vocabulary_array(v->file, key, 0, &bpe->texts, error);
    if (s != PIPIT_OK) return s;
    if (bpe->texts.index == UINT64_MAX)
        return pipit_fail(error, PIPIT_E_VOCABULARY, PIPIT_NO_OFFSET,
                          "missing key %s", key);
    if (bpe->texts.type != PIPIT_STRING || bpe->texts.n > INT32_MAX)
        return pipit_fail(error, PIPIT_E_VOCABULARY, PIPIT_NO_OFFSET,
                          "key %s is no array of strings", key);
    bpe->n_merges = (uint32_t)bpe->texts.n;
    bpe->n_slots = pipit_hash_slots(bpe->n_merges);
    return PIPIT_OK;
}

void pipit_bpe_carve(pipit_arena *arena, pipit_bpe *bpe) {
    bpe->merges = pipit_arena_take(arena, bpe->n_merges, sizeof *bpe->merges);
    bpe->slots = pipit_arena_take(arena, bpe->n_slots, sizeof *bpe->slots);
    bpe->byte_tokens = pipit_arena_take(arena, 256, sizeof *bpe->byte_tokens);
}

/* ---- building ---------------------------------------------------------- */

/* "left right": the first space that is not the first byte parts them. */
static bool parse_merge(const pipit_vocabulary *v, pipit_string text,
                        pipit_bpe_merge *out) {
    uint8_t both[PIPIT_MAX_TOKEN_BYTES];
    size_t space = 1, n = text.n_bytes;
    while (space < n && text.bytes[space] != ' ') space++;
    if (space >= n) return false;
    const char *right = text.bytes + space + 1;
    size_t n_right = n - space - 1;
    *out = (pipit_bpe_merge){PIPIT_NO_TOKEN, PIPIT_NO_TOKEN, PIPIT_NO_TOKEN};
    if (n - 1 > v->max_bytes) return true; /* no token is that long */
    memcpy(both, text.bytes, space);
    memcpy(both + space, right, n_right);
    out->left = pipit_vocabulary_find(v, text.bytes, space);
    out->right = pipit_vocabulary_find(v, right, n_right);
    out->merged = pipit_vocabulary_find(v, both, n - 1);
    return true;
}

static pipit_status parse_merges(pipit_bpe *bpe, pipit_error *error) {
    for (uint32_t i = 0; i < bpe->n_merges; i++) {
        pipit_string text =
            pipit_gguf_string_at(bpe->vocabulary->file, &bpe->texts, i);
        if (!parse_merge(bpe->vocabulary, text, &bpe->merges[i]))
            return pipit_fail(error, PIPIT_E_VOCABULARY, PIPIT_NO_OFFSET,
                              "merge %u of key tokenizer.ggml.merges, \"%S\", "
                              "is not two texts with a space between",
                              (uint64_t)i, &text);
    }
    return PIPIT_OK;
}

/* false: too many probes. The same pair again: the first one counts. */
static bool insert(pipit_bpe *bpe, uint32_t rank) {
    const pipit_bpe_merge *m = &bpe->merges[rank];
    uint64_t h = pipit_hash_pair(bpe->seed, m->left, m->right);
    if (m->left == PIPIT_NO_TOKEN || m->right == PIPIT_NO_TOKEN ||
        m->merged == PIPIT_NO_TOKEN)
        return true;
    for (uint32_t i = 0; i < PIPIT_MAX_PROBES; i++) {
        uint32_t *slot = &bpe->slots[(h + i) & (bpe->n_slots - 1)];
        if (*slot == PIPIT_NO_RANK) {
            *slot = rank;
            return true;
        }
        const pipit_bpe_merge *there = &bpe->merges[*slot];
        if (there->left == m->left && there->right == m->right) return true;
    }
    return false;
}

static bool insert_all(pipit_bpe *bpe) {
    memset(bpe->slots, 0xFF, bpe->n_slots * sizeof *bpe->slots);
    for (uint32_t i = 0; i < bpe->n_merges; i++)
        if (!insert(bpe, i)) return false;
    return true;
}

pipit_status pipit_bpe_build(pipit_bpe *bpe, pipit_error *error) {
    pipit_status s = parse_merges(bpe, error);
    if (s != PIPIT_OK) return s;
    for (uint32_t i = 0; i < 256; i++) {
        uint8_t letter[4];
        size_t n = pipit_bpe_letter((uint8_t)i, letter);
        bpe->byte_tokens[i] = pipit_vocabulary_find(bpe->vocabulary, letter, n);
    }
    for (bpe->seed = 1; !insert_all(bpe); bpe->seed++)
        if (bpe->seed == PIPIT_MAX_SEEDS)
            return pipit_fail(error, PIPIT_E_VOCABULARY, PIPIT_NO_OFFSET,
                              "key tokenizer.ggml.merges has pairs that "
                              "collide");
    return PIPIT_OK;
}

/* ---- encoding ---------------------------------------------------------- */

static uint32_t rank_of(const void *context, const pipit_merge *merge,
                        uint32_t left, uint32_t *merged) {
    const pipit_bpe *bpe = context;
    uint32_t a = merge->symbols[left].value;
    uint32_t b = merge->symbols[merge->symbols[left].next].value;
    uint64_t h = pipit_hash_pair(bpe->seed, a, b);
    for (uint32_t i = 0; i < PIPIT_MAX_PROBES; i++) {
        uint32_t rank = bpe->slots[(h + i) & (bpe->n_slots - 1)];
        if (rank == PIPIT_NO_RANK) break;
        const pipit_bpe_merge *m = &bpe->merges[rank];
        if (m->left != a || m->right != b) continue;
        *merged = m->merged;
        return rank;
    }
    return PIPIT_NO_RANK;
}

/* The token that a word is as a whole. */
static uint32_t whole_word(const pipit_bpe *bpe, const uint8_t *word,
                           size_t n) {
    uint8_t letters[PIPIT_MAX_TOKEN_BYTES + 4];
    size_t n_letters = 0;
    for (size_t i = 0; i < n; i++) {
        if (n_letters > bpe->vocabulary->max_bytes) return PIPIT_NO_TOKEN;
        n_letters += pipit_bpe_letter(word[i], letters + n_letters);
    }
    return pipit_vocabulary_find(bpe->vocabulary, letters, n_letters);
}

static bool encode_word(const pipit_bpe *bpe, const uint8_t *word, size_t n,
                        pipit_scratch *scratch, pipit_sink *out) {
    pipit_merge m;
    if (n == 1) {
        uint32_t token = bpe->byte_tokens[word[0]];
        if (token != PIPIT_NO_TOKEN) pipit_sink_put(out, token);
        return true;
    }
    if (bpe->pre->ignore_merges) {
        uint32_t token = whole_word(bpe, word, n);
        if (token != PIPIT_NO_TOKEN) {
            pipit_sink_put(out, token);
            return true;
        }
    }
    if (!pipit_merge_init(&m, n, scratch)) return false;
    for (uint32_t i = 0; i < n; i++)
        m.symbols[i] = (pipit_symbol){.prev = i - 1, .next = i + 1,
                                      .value = bpe->byte_tokens[word[i]]};
    pipit_merge_run(&m, rank_of, bpe);
    for (uint32_t i = 0; i < n; i = m.symbols[i].next)
        if (m.symbols[i].value != PIPIT_NO_TOKEN)
            pipit_sink_put(out, m.symbols[i].value);
    return true;
}

bool pipit_bpe_encode(const pipit_bpe *bpe, const uint8_t *text, size_t n,
                      pipit_work *work, pipit_sink *out) {
    pipit_words words;
    size_t start, end, n_repaired;
    if (!pipit_utf8_is_repaired(text, n, &n_repaired)) {
        uint8_t *repaired = pipit_scratch_get(&work->repaired, n_repaired);
        if (!repaired) return false;
        pipit_utf8_repair(text, n, repaired);
        text = repaired;
        n = n_repaired;
    }
    if (bpe->pre->nfc &&
        !pipit_nfc(&text, &n, &work->points, &work->normal))
        return false;
    pipit_words_init(&words, bpe->pre, text, n);
    while (pipit_words_next(&words, &start, &end))
        if (!encode_word(bpe, text + start, end - start, &work->merge, out))
            return false;
    return true;
}

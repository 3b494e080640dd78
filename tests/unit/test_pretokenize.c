/* Words against those of the Hugging Face tokenizers, for every expression, and
 * what no expression may do: lose a byte, or take more than a scan. */
#include "check.h"
#include "pretokenize.h"

#include <time.h>

static pipit_string string_of(const char *text) {
    return (pipit_string){text, strlen(text)};
}

typedef struct text {
    const uint8_t *bytes;
    size_t n;
} text;

/* The words of one text against their lengths; the position after them. */
static size_t check_words(const pipit_pre *pre, text t, const uint8_t *lengths,
                          size_t n_right) {
    pipit_words words;
    size_t start, end, i = 0, right_end = 0;
    pipit_words_init(&words, pre, t.bytes, t.n);
    while (pipit_words_next(&words, &start, &end)) {
        right_end += i < n_right ? lengths[i] : 0;
        if (i >= n_right || end != right_end) {
            printf("%s: word %zu of \"%.*s\" ends at %zu, not %zu\n",
                   pre->name, i, (int)t.n, (const char *)t.bytes, end,
                   right_end);
            CHECK(false);
            return n_right;
        }
        i++;
    }
    CHECK_EQ_U64(i, n_right);
    return n_right;
}

static void words_as_hugging_face(void) {
    size_t n, at = 4, n_pres = 0;
    uint8_t *data = check_read_source("tests/tokenizer/data/words.bin", &n);
    if (!CHECK(data != NULL)) return;
    size_t n_texts = data[0] | (size_t)data[1] << 8;
    text *texts = malloc(n_texts * sizeof *texts);
    for (size_t i = 0; i < n_texts; i++) {
        texts[i] = (text){data + at + 1, data[at]};
        at += 1 + texts[i].n;
    }
    for (; at < n; n_pres++) {
        pipit_string name = {(const char *)data + at + 1, data[at]};
        const pipit_pre *pre = pipit_pre_find(name);
        at += 1 + name.n_bytes;
        if (!CHECK(pre != NULL)) break;
        for (size_t i = 0; i < n_texts; i++) {
            size_t n_words = data[at];
            at += 1 + check_words(pre, texts[i], data + at + 1, n_words);
        }
    }
    CHECK_EQ_U64(at, n);
    CHECK_EQ_U64(n_pres, 13);
    free(texts);
    free(data);
}

/* All the names of FORMAT.md's table, and some that are in no table. */
static void names(void) {
    static const char *const known[] = {
        "default", "gpt-2", "phi-2", "jina-es", "jina-v2-de", "gigachat",
        "a.x-4.0", "mellum", "modern-bert", "mpt", "olmo", "jais", "exaone4",
        "trillion", "granite-docling", "llama3", "llama-v3", "llama-bpe",
        "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano",
        "dbrx", "smaug-bpe", "glm4", "chatglm-bpe", "qwen2",
        "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez", "stablelm2",
        "hunyuan", "solar-open", "grok-2", "qwen35", "smollm", "starcoder",
        "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2",
        "falcon", "tekken", "gpt-4o", "llama4", "kanana2", "talkie",
        "deepseek-llm", "deepseek-coder", "deepseek-v3", "minicpm5"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!CHECK(pipit_pre_find(string_of(known[i])) != NULL))
            printf("(%s)\n", known[i]);
    CHECK(pipit_pre_find(string_of("gpt-3")) == NULL);
    CHECK(pipit_pre_find(string_of("")) == NULL);
    CHECK(pipit_pre_find(string_of("qwen")) == NULL);
    CHECK(pipit_pre_find(string_of("llama-bpe"))->ignore_merges);
    CHECK(pipit_pre_find(string_of("llama-bpe"))->add_bos);
    CHECK(!pipit_pre_find(string_of("dbrx"))->add_bos);
    CHECK(pipit_pre_find(string_of("qwen2"))->nfc);
}

static double seconds(void) {
    return (double)clock() / CLOCKS_PER_SEC;
}

/* Of every expression, on what makes others look far ahead or back: 256 KiB
 * take some milliseconds, n^2 steps would take minutes. */
static void long_texts_are_scanned_once(void) {
    static const char *const pres[] = {
        "default", "gpt-2", "llama-bpe", "qwen2", "qwen35", "smollm", "falcon",
        "tekken", "gpt-4o", "minicpm5", "deepseek-llm", "deepseek-coder",
        "deepseek-v3"};
    static const char *const units[] = {
        "a", "A", " ", "\n", " \n", "1", "'", "!", "\x01", "Aa", "AAAA1",
        "\xCC\x81", ("\xCC\x81" "A"), "\xE4\xB8\xAD", "\xE3\x80\x80", "    x"};
    enum { N = 1 << 18 };
    uint8_t *bytes = malloc(N + 8);
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        size_t n = 0, n_unit = strlen(units[u]);
        for (; n + n_unit <= N; n += n_unit)
            memcpy(bytes + n, units[u], n_unit);
        for (size_t i = 0; i < sizeof pres / sizeof *pres; i++) {
            pipit_words words;
            size_t start = 0, end = 0, before = 0;
            double from = seconds();
            pipit_words_init(&words, pipit_pre_find(string_of(pres[i])), bytes,
                             n);
            while (pipit_words_next(&words, &start, &end)) {
                if (start != before || end <= start) CHECK(false);
                before = end;
            }
            CHECK_EQ_U64(before, n);
            if (!CHECK(seconds() - from < 5))
                printf("(%s, unit %zu)\n", pres[i], u);
        }
    }
    free(bytes);
}

int main(void) {
    CASE(names);
    CASE(words_as_hugging_face);
    CASE(long_texts_are_scanned_once);
    return check_done();
}

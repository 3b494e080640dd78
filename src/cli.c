/* cli.c — the native tool `pipit`, over pipit.h alone. */
#include "pipit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_PARTS = 100, CHUNK = 1 << 20, MAX_TOKENS = 1 << 16,
       MAX_ADAPTERS = PIPIT_MAX_ADAPTERS };

typedef struct options {
    const char *words[8];
    int n_words;
    const char *adapters[MAX_ADAPTERS];
    uint32_t n_adapters;
    const char *tokens, *kernels;
    double temperature, top_p;
    uint32_t threads, context, max_tokens, top_k, split, prompt, decode, reps;
    uint64_t seed;
    pipit_kv_type kv_type;
    bool chatml;
} options;

static const char usage[] =
    "usage: pipit run MODEL PROMPT        continue a text (- reads it)\n"
    "       pipit info MODEL              metadata, tensors, memory forecast\n"
    "       pipit tokenize MODEL TEXT     token ids\n"
    "       pipit hash MODEL TEXT         hash of the last logits' bits\n"
    "       pipit bench MODEL             tokens per second\n"
    "       pipit kernels                 implementations of this build\n"
    "options: --threads N --kernels NAME --context N --kv q8|f16|f32\n"
    "  --adapter FILE[:SCALE] (run, hash, bench; several may be given)\n"
    "  run: --max-tokens N --temperature T --top-k K --top-p P --seed S\n"
    "       --chatml (the prompt is a user's turn)\n"
    "  hash: --tokens 1,2,3 (instead of TEXT) --split N (0: all at once)\n"
    "  bench: --prompt N --decode N --reps N\n";

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number) {
    (void)signal_number;
    interrupted = 1;
}

static bool was_interrupted(void *context) {
    (void)context;
    return interrupted != 0;
}

static double now_ms(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* ---- what is open ------------------------------------------------------- */

typedef struct setting {
    pipit_file *file;
    pipit_engine *engine;
    pipit_model *model;
    pipit_tokenizer *tokenizer;
    pipit_session *session;
    pipit_adapter *adapters[MAX_ADAPTERS];
    pipit_error error;
    uint32_t *tokens;
    size_t n_tokens;
    uint8_t *bytes; /* (CHUNK) of files */
    long header_bytes[MAX_PARTS];
} setting;

static void close_all(setting *s) {
    pipit_session_close(s->session);
    for (size_t i = 0; i < MAX_ADAPTERS; i++)
        pipit_adapter_close(s->adapters[i]);
    pipit_tokenizer_close(s->tokenizer);
    pipit_model_close(s->model);
    pipit_engine_close(s->engine);
    pipit_file_close(s->file);
    free(s->tokens);
    free(s->bytes);
}

static pipit_status say(setting *s, pipit_status status, const char *message) {
    s->error.status = status;
    snprintf(s->error.message, sizeof s->error.message, "%s", message);
    return status;
}

/* "…-00001-of-00003.gguf" for the parts of a model in several files. */
static FILE *open_part(const char *path, uint32_t part, uint32_t n_parts) {
    char first[32], wanted[32], name[4096];
    size_t n = strlen(path), tail;
    if (part == 0) return fopen(path, "rb");
    snprintf(first, sizeof first, "-00001-of-%05u.gguf", (unsigned)n_parts);
    snprintf(wanted, sizeof wanted, "-%05u-of-%05u.gguf", (unsigned)part + 1,
             (unsigned)n_parts);
    tail = strlen(first);
    if (n < tail || n >= sizeof name || strcmp(path + n - tail, first) != 0)
        return NULL;
    memcpy(name, path, n - tail);
    strcpy(name + n - tail, wanted);
    return fopen(name, "rb");
}

static pipit_status no_part(setting *s, uint32_t part) {
    char message[64] = "can't open the model file";
    if (part > 0)
        snprintf(message, sizeof message, "can't open part %u of the model",
                 (unsigned)part + 1);
    return say(s, PIPIT_E_ARGUMENT, message);
}

static pipit_status read_header(setting *s, const char *path, uint32_t part) {
    FILE *in = open_part(path, part, pipit_file_n_parts(s->file));
    pipit_status status = PIPIT_PENDING;
    size_t n, used;
    if (!in) return no_part(s, part);
    if (part > 0)
        status = pipit_file_next_part(s->file, 0, &s->error);
    if (status == PIPIT_OK) status = PIPIT_PENDING;
    while (status == PIPIT_PENDING && (n = fread(s->bytes, 1, CHUNK, in)) > 0)
        status = pipit_file_feed(s->file, s->bytes, n, &used, &s->error);
    fclose(in);
    if (status == PIPIT_PENDING) status = pipit_file_end(s->file, &s->error);
    if (status == PIPIT_OK)
        s->header_bytes[part] = (long)pipit_file_header_bytes(s->file);
    return status;
}

static pipit_status read_weights(setting *s, const char *path, uint32_t part) {
    FILE *in = open_part(path, part, pipit_file_n_parts(s->file));
    pipit_status status = PIPIT_PENDING;
    size_t n;
    if (!in || fseek(in, s->header_bytes[part], SEEK_SET) != 0) {
        if (in) fclose(in);
        return no_part(s, part);
    }
    while (status == PIPIT_PENDING && (n = fread(s->bytes, 1, CHUNK, in)) > 0)
        status = pipit_model_feed(s->model, s->bytes, n, &s->error);
    fclose(in);
    return status < 0 ? status : pipit_model_end(s->model, &s->error);
}

/* The headers of all parts, then, if wanted, the weights. */
static pipit_status read_file(setting *s, const char *path, bool weights) {
    pipit_status status = read_header(s, path, 0);
    uint32_t n_parts = pipit_file_n_parts(s->file);
    if (status == PIPIT_OK && n_parts > MAX_PARTS)
        return say(s, PIPIT_E_UNSUPPORTED, "a model in too many parts");
    for (uint32_t i = 1; status == PIPIT_OK && weights && i < n_parts; i++)
        status = read_header(s, path, i);
    if (status != PIPIT_OK || !weights) return status;
    status = pipit_model_open(s->file, s->engine, NULL, &s->model, &s->error);
    for (uint32_t i = 0; status >= 0 && i < n_parts; i++)
        status = read_weights(s, path, i);
    return status;
}

static pipit_status open_all(setting *s, const options *o, bool weights) {
    if (o->n_words < 2) return say(s, PIPIT_E_ARGUMENT, "which model?");
    pipit_status status =
        pipit_engine_open(o->threads, o->kernels, NULL, &s->engine);
    if (status != PIPIT_OK)
        return say(s, status, "no such kernels or number of threads");
    s->bytes = malloc(CHUNK);
    if (!s->bytes) return say(s, PIPIT_E_MEMORY, "out of memory");
    if ((status = pipit_file_open(0, NULL, &s->file)) ||
        (status = read_file(s, o->words[1], weights)))
        return status;
    s->tokens = malloc(MAX_TOKENS * sizeof *s->tokens);
    return s->tokens ? PIPIT_OK : say(s, PIPIT_E_MEMORY, "out of memory");
}

/* ---- adapters ----------------------------------------------------------- */

static bool read_real(const char *text, double *out) {
    char *end;
    *out = strtod(text, &end);
    return *text && !*end;
}

/* "FILE:SCALE" into both; a name may hold colons. */
static void split_scale(const char *word, char path[4096], float *scale) {
    const char *colon = strrchr(word, ':');
    double value;
    snprintf(path, 4096, "%s", word);
    *scale = 1;
    if (!colon || !read_real(colon + 1, &value) || colon - word >= 4096) return;
    path[colon - word] = 0;
    *scale = (float)value;
}

static pipit_status read_adapter(setting *s, FILE *in, pipit_file *file,
                                 pipit_adapter **out) {
    pipit_status status = PIPIT_PENDING;
    size_t n, used = 0;
    while (status == PIPIT_PENDING && (n = fread(s->bytes, 1, CHUNK, in)) > 0)
        status = pipit_file_feed(file, s->bytes, n, &used, &s->error);
    if (status == PIPIT_PENDING) status = pipit_file_end(file, &s->error);
    if (status == PIPIT_OK)
        status = pipit_adapter_open(file, s->model, 0, NULL, out, &s->error);
    if (status != PIPIT_OK) return status;
    if (fseek(in, (long)pipit_file_header_bytes(file), SEEK_SET) != 0)
        return say(s, PIPIT_E_ARGUMENT, "can't read the adapter again");
    status = PIPIT_PENDING;
    while (status == PIPIT_PENDING && (n = fread(s->bytes, 1, CHUNK, in)) > 0)
        status = pipit_adapter_feed(*out, s->bytes, n, &s->error);
    return status < 0 ? status : pipit_adapter_end(*out, &s->error);
}

static pipit_status set_adapters(setting *s, const options *o) {
    float scales[MAX_ADAPTERS];
    for (uint32_t i = 0; i < o->n_adapters; i++) {
        char path[4096];
        pipit_file *file = NULL;
        split_scale(o->adapters[i], path, &scales[i]);
        FILE *in = fopen(path, "rb");
        if (!in) return say(s, PIPIT_E_ARGUMENT, "can't open the adapter");
        pipit_status status = pipit_file_open(0, NULL, &file);
        if (status == PIPIT_OK)
            status = read_adapter(s, in, file, &s->adapters[i]);
        pipit_file_close(file);
        fclose(in);
        if (status != PIPIT_OK) return status;
    }
    return pipit_session_set_adapters(s->session, s->adapters, scales,
                                      o->n_adapters, &s->error);
}

static pipit_status open_session(setting *s, const options *o) {
    pipit_session_options so = {.n_context = o->context,
                                .kv_type = o->kv_type};
    pipit_status status =
        pipit_session_open(s->model, &so, NULL, &s->session, &s->error);
    return status == PIPIT_OK ? set_adapters(s, o) : status;
}

/* ---- tokens ------------------------------------------------------------- */

static char *read_input(size_t *n) {
    size_t capacity = CHUNK, got;
    char *text = malloc(capacity);
    *n = 0;
    while (text && (got = fread(text + *n, 1, capacity - *n, stdin)) > 0) {
        *n += got;
        if (*n < capacity) continue;
        char *larger = realloc(text, capacity *= 2);
        if (!larger) free(text);
        text = larger;
    }
    return text;
}

static pipit_status tokenize(setting *s, const options *o, const char *text,
                             size_t n) {
    static const char before[] = "<|im_start|>user\n";
    static const char after[] = "<|im_end|>\n<|im_start|>assistant\n";
    size_t n_all = n + (o->chatml ? sizeof before + sizeof after - 2 : 0);
    char *all = malloc(n_all + 1);
    pipit_status status;
    if (!all) return say(s, PIPIT_E_MEMORY, "out of memory");
    size_t at = 0;
    if (o->chatml) memcpy(all, before, at = sizeof before - 1);
    memcpy(all + at, text, n);
    if (o->chatml) memcpy(all + at + n, after, sizeof after - 1);
    status = pipit_tokenizer_open(s->file, NULL, &s->tokenizer, &s->error);
    if (status == PIPIT_OK)
        status = pipit_tokenize(
            s->tokenizer, all, n_all,
            o->chatml ? PIPIT_PARSE_SPECIAL : PIPIT_ADD_SPECIAL, s->tokens,
            MAX_TOKENS, &s->n_tokens, &s->error);
    free(all);
    if (status == PIPIT_OK && s->n_tokens > MAX_TOKENS)
        return say(s, PIPIT_E_CONTEXT, "the text is too long");
    return status;
}

/* The text of the words, or of standard input when it is "-". */
static pipit_status tokenize_words(setting *s, const options *o) {
    if (o->n_words < 3) return say(s, PIPIT_E_ARGUMENT, "the text is missing");
    if (strcmp(o->words[2], "-") != 0)
        return tokenize(s, o, o->words[2], strlen(o->words[2]));
    size_t n;
    char *text = read_input(&n);
    if (!text) return say(s, PIPIT_E_MEMORY, "out of memory");
    pipit_status status = tokenize(s, o, text, n);
    free(text);
    return status;
}

static pipit_status parse_ids(setting *s, const char *list) {
    for (s->n_tokens = 0; *list && s->n_tokens < MAX_TOKENS;) {
        char *end;
        s->tokens[s->n_tokens++] = (uint32_t)strtoul(list, &end, 10);
        if (end == list) return say(s, PIPIT_E_ARGUMENT, "--tokens: 1,2,3");
        list = *end == ',' ? end + 1 : end;
        if (end == list && *end)
            return say(s, PIPIT_E_ARGUMENT, "--tokens: 1,2,3");
    }
    return PIPIT_OK;
}

/* ---- commands ----------------------------------------------------------- */

static pipit_status answer(setting *s, const options *o) {
    pipit_generation_options go = {.max_tokens = o->max_tokens};
    pipit_generation *generation = NULL;
    pipit_sampled sampled = {0};
    pipit_sampling_defaults(&go.sampling);
    go.sampling.temperature = (float)o->temperature;
    go.sampling.top_p = (float)o->top_p;
    go.sampling.top_k = o->top_k;
    go.sampling.seed = o->seed;
    pipit_status status = pipit_generation_open(
        s->session, s->tokenizer, &go, NULL, &generation, &s->error);
    while (status >= 0 && sampled.finish == PIPIT_FINISH_NONE && !interrupted) {
        status = pipit_generation_step(generation, &sampled);
        if (status != PIPIT_OK) continue;
        fwrite(sampled.text.bytes, 1, sampled.text.n_bytes, stdout);
        fflush(stdout);
    }
    pipit_generation_close(generation);
    putchar('\n');
    return status < 0 ? say(s, status, "no token can be chosen") : PIPIT_OK;
}

static pipit_status run(setting *s, const options *o) {
    pipit_status status;
    if ((status = open_all(s, o, true)) || (status = tokenize_words(s, o)) ||
        (status = open_session(s, o)))
        return status;
    signal(SIGINT, on_interrupt);
    status = pipit_session_eval(s->session, s->tokens, s->n_tokens, 0,
                                was_interrupted, NULL, &s->error);
    return status == PIPIT_OK ? answer(s, o) : status;
}

static void show_value(const pipit_file *file, uint64_t i) {
    pipit_value v;
    pipit_string text;
    double real;
    bool flag;
    if (pipit_file_value(file, i, &v) != PIPIT_OK) return;
    printf("  %.*s = ", (int)v.key.n_bytes, v.key.bytes);
    if (v.type == PIPIT_ARRAY)
        printf("(%llu elements)\n", (unsigned long long)v.n_elements);
    else if (pipit_file_text(file, i, 0, &text) == PIPIT_OK)
        printf("\"%.*s\"\n", text.n_bytes < 80 ? (int)text.n_bytes : 80,
               text.bytes);
    else if (pipit_file_flag(file, i, 0, &flag) == PIPIT_OK)
        puts(flag ? "true" : "false");
    else if (pipit_file_real(file, i, 0, &real) == PIPIT_OK)
        printf("%.9g\n", real);
}

static pipit_status info(setting *s, const options *o) {
    pipit_forecast f;
    pipit_session_options so = {.n_context = o->context,
                                .kv_type = o->kv_type};
    pipit_status status = open_all(s, o, false);
    if (status != PIPIT_OK) return status;
    for (uint64_t i = 0; i < pipit_file_n_values(s->file); i++)
        show_value(s->file, i);
    for (uint64_t i = 0; i < pipit_file_n_tensors(s->file); i++) {
        pipit_tensor t;
        if (pipit_file_tensor(s->file, i, &t) != PIPIT_OK) continue;
        printf("  %-40.*s %-5s %llu x %llu\n", (int)t.name.n_bytes,
               t.name.bytes, pipit_tensor_type_name(t.type),
               (unsigned long long)t.dims[0], (unsigned long long)t.dims[1]);
    }
    status = pipit_file_forecast(s->file, &so, o->threads, &f, &s->error);
    if (status == PIPIT_OK)
        printf("memory: weights %.1f MB, vocabulary %.1f, keys and values "
               "%.1f, scratch %.1f, total %.1f\n",
               (double)f.weights_bytes / 1e6, (double)f.vocabulary_bytes / 1e6,
               (double)f.kv_bytes / 1e6, (double)f.scratch_bytes / 1e6,
               (double)f.total_bytes / 1e6);
    return status;
}

static pipit_status show_tokens(setting *s, const options *o) {
    pipit_status status;
    if ((status = open_all(s, o, false)) || (status = tokenize_words(s, o)))
        return status;
    for (size_t i = 0; i < s->n_tokens; i++)
        printf("%s%u", i > 0 ? "," : "", s->tokens[i]);
    putchar('\n');
    return PIPIT_OK;
}

/* 64-bit FNV-1a of the bits of the last token's logits. */
static pipit_status hash(setting *s, const options *o) {
    pipit_status status;
    if ((status = open_all(s, o, true)) ||
        (status = o->tokens ? parse_ids(s, o->tokens) : tokenize_words(s, o)) ||
        (status = open_session(s, o)))
        return status;
    size_t step = o->split > 0 ? o->split : s->n_tokens;
    for (size_t at = 0; at < s->n_tokens; at += step) {
        size_t n = s->n_tokens - at < step ? s->n_tokens - at : step;
        status = pipit_session_eval(s->session, s->tokens + at, n, 0, NULL,
                                    NULL, &s->error);
        if (status != PIPIT_OK) return status;
    }
    const uint8_t *bytes =
        (const uint8_t *)pipit_session_logits(s->session, 0);
    if (!bytes) return say(s, PIPIT_E_ARGUMENT, "there are no tokens");
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < 4 * (size_t)pipit_model_n_vocab(s->model); i++)
        h = (h ^ bytes[i]) * 1099511628211u;
    printf("%016llx\n", (unsigned long long)h);
    return PIPIT_OK;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median rate of n tokens, in one evaluation or one by one. */
static pipit_status rate(setting *s, uint32_t n, uint32_t reps, bool one_by_one,
                         double *out) {
    double *rates = malloc((reps + 1) * sizeof *rates);
    pipit_status status = rates ? PIPIT_OK : PIPIT_E_MEMORY;
    for (uint32_t r = 0; r <= reps && status == PIPIT_OK; r++) {
        pipit_session_rewind(s->session, 0);
        double start = now_ms();
        for (uint32_t i = 0; i < n && status == PIPIT_OK;
             i += one_by_one ? 1 : n)
            status = pipit_session_eval(s->session, s->tokens + i,
                                        one_by_one ? 1 : n, 0, NULL, NULL,
                                        &s->error);
        rates[r] = 1e3 * n / (now_ms() - start);
    }
    if (status == PIPIT_OK) { /* the first warms up */
        qsort(rates + 1, reps, sizeof *rates, by_size);
        *out = rates[1 + reps / 2];
    }
    free(rates);
    return status;
}

static pipit_status bench(setting *s, const options *o) {
    double prompt = 0, decode = 0, start = now_ms();
    pipit_status status = open_all(s, o, true);
    if (status != PIPIT_OK) return status;
    double load = now_ms() - start;
    if ((status = open_session(s, o))) return status;
    uint32_t n_vocab = pipit_model_n_vocab(s->model);
    for (uint32_t i = 0; i < MAX_TOKENS; i++)
        s->tokens[i] = (i * 7919 + 1) % n_vocab;
    if ((status = rate(s, o->prompt, o->reps, false, &prompt)) ||
        (status = rate(s, o->decode, o->reps, true, &decode)))
        return status;
    printf("%s, %u thread(s): prompt %u %.1f, decode %.1f tokens/s, load "
           "%.0f ms\n",
           pipit_engine_kernels(s->engine),
           pipit_engine_n_threads(s->engine), o->prompt, prompt, decode, load);
    return PIPIT_OK;
}

static pipit_status show_kernels(setting *s, const options *o) {
    (void)s;
    (void)o;
    for (uint32_t i = 0; pipit_kernels_list(i); i++) puts(pipit_kernels_list(i));
    return PIPIT_OK;
}

/* ---- words -------------------------------------------------------------- */

static bool read_count(const char *text, uint32_t *out) {
    char *end;
    unsigned long v = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || v > UINT32_MAX) return false;
    *out = (uint32_t)v;
    return true;
}

static bool read_option(const char *name, const char *value, options *o) {
    const struct {
        const char *name;
        uint32_t *count;
    } counts[] = {{"--threads", &o->threads}, {"--context", &o->context},
                  {"--max-tokens", &o->max_tokens}, {"--top-k", &o->top_k},
                  {"--split", &o->split},     {"--prompt", &o->prompt},
                  {"--decode", &o->decode},   {"--reps", &o->reps}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (strcmp(name, counts[i].name) == 0)
            return read_count(value, counts[i].count);
    if (strcmp(name, "--temperature") == 0)
        return read_real(value, &o->temperature);
    if (strcmp(name, "--top-p") == 0) return read_real(value, &o->top_p);
    if (strcmp(name, "--kernels") == 0) return (o->kernels = value) != NULL;
    if (strcmp(name, "--adapter") == 0 && o->n_adapters < MAX_ADAPTERS)
        return (o->adapters[o->n_adapters++] = value) != NULL;
    if (strcmp(name, "--tokens") == 0) return (o->tokens = value) != NULL;
    if (strcmp(name, "--kv") == 0) {
        static const char *const types[] = {"auto", "f16", "f32", "q8"};
        for (int i = 0; i < 4; i++) {
            o->kv_type = (pipit_kv_type)i;
            if (strcmp(value, types[i]) == 0) return true;
        }
        return false;
    }
    if (strcmp(name, "--seed") == 0) {
        char *end;
        o->seed = strtoull(value, &end, 10);
        return *value && !*end;
    }
    return false;
}

static bool read_words(int argc, char **argv, options *o) {
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0) {
            if (o->n_words == 8) return false;
            o->words[o->n_words++] = argv[i];
        } else if (strcmp(argv[i], "--chatml") == 0) {
            o->chatml = true;
        } else if (i + 1 == argc || !read_option(argv[i], argv[i + 1], o)) {
            fprintf(stderr, "pipit: %s: unknown, or its value is not right\n",
                    argv[i]);
            return false;
        } else {
            i++;
        }
    }
    return o->n_words > 0 && o->threads > 0 && o->prompt > 0 && o->decode > 0 &&
           o->reps > 0 && o->prompt <= MAX_TOKENS && o->decode <= MAX_TOKENS;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        pipit_status (*run)(setting *, const options *);
    } commands[] = {{"run", run},     {"info", info},   {"tokenize", show_tokens},
                    {"hash", hash},   {"bench", bench}, {"kernels", show_kernels}};
    options o = {.threads = 1, .prompt = 128, .decode = 64, .reps = 3};
    setting s = {0};
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts(pipit_version());
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (read_words(argc, argv, &o))
        for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
            if (strcmp(o.words[0], commands[i].name) != 0) continue;
            pipit_status status = commands[i].run(&s, &o);
            if (status != PIPIT_OK)
                fprintf(stderr, "pipit: %s (%s)\n", s.error.message,
                        pipit_status_name(status));
            close_all(&s);
            return status == PIPIT_OK ? 0 : 1;
        }
    fputs(usage, stderr);
    return 2;
}

/* driver.c — a vocabulary at the other end of a pipe, for tests that compare
 * tokens in bulk: `driver FILE.gguf`. Numbers are u32, little-endian.
 *
 *   in:  flags of pipit_tokenize, n, n bytes of text
 *   out: n, n tokens; n, n bytes: the tokens decoded, control tokens kept, the
 *        leading space dropped */
#include "pipit.h"

#include <stdio.h>
#include <stdlib.h>

static bool read_header(const char *path, pipit_file *file) {
    static uint8_t bytes[1 << 16];
    FILE *in = fopen(path, "rb");
    pipit_error error = {0};
    pipit_status s = PIPIT_PENDING;
    size_t n, taken;
    while (in && s == PIPIT_PENDING && (n = fread(bytes, 1, sizeof bytes, in)))
        s = pipit_file_feed(file, bytes, n, &taken, &error);
    if (in) fclose(in);
    if (s != PIPIT_OK) fprintf(stderr, "%s: %s\n", path, error.message);
    return s == PIPIT_OK;
}

static bool put(const void *items, size_t n, size_t size) {
    uint32_t count = (uint32_t)n;
    return fwrite(&count, 4, 1, stdout) == 1 &&
           fwrite(items, size, n, stdout) == n;
}

static bool answer(const pipit_tokenizer *t, const char *text, size_t n,
                   uint32_t flags) {
    const uint32_t decoding = PIPIT_KEEP_CONTROL | PIPIT_DROP_LEADING_SPACE;
    size_t capacity = 4 * n + 5, n_tokens = 0, n_bytes = 0;
    uint32_t *tokens = malloc(capacity * sizeof *tokens);
    bool ok = tokens && pipit_tokenize(t, text, n, flags, tokens, capacity,
                                       &n_tokens, NULL) == PIPIT_OK;
    ok = ok && n_tokens <= capacity && put(tokens, n_tokens, sizeof *tokens) &&
         pipit_detokenize(t, tokens, n_tokens, decoding, NULL, 0, &n_bytes,
                          NULL) == PIPIT_OK;
    uint8_t *bytes = ok ? malloc(n_bytes + 1) : NULL;
    ok = bytes &&
         pipit_detokenize(t, tokens, n_tokens, decoding, bytes, n_bytes,
                          &n_bytes, NULL) == PIPIT_OK &&
         put(bytes, n_bytes, 1);
    free(bytes);
    free(tokens);
    return ok;
}

int main(int argc, char **argv) {
    pipit_file *file = NULL;
    pipit_tokenizer *tokenizer = NULL;
    pipit_error error = {0};
    uint32_t request[2]; /* flags, n */
    bool ok = argc == 2 && pipit_file_open(0, NULL, &file) == PIPIT_OK &&
              read_header(argv[1], file);
    if (ok && pipit_tokenizer_open(file, NULL, &tokenizer, &error)) {
        fprintf(stderr, "%s\n", error.message);
        ok = false;
    }
    while (ok && fread(request, 4, 2, stdin) == 2) {
        char *text = malloc(request[1] + (size_t)1);
        ok = text && fread(text, 1, request[1], stdin) == request[1] &&
             answer(tokenizer, text, request[1], request[0]);
        free(text);
    }
    pipit_tokenizer_close(tokenizer);
    pipit_file_close(file);
    return ok ? 0 : 1;
}

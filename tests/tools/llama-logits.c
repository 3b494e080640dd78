/* llama-logits — what llama.cpp itself computes: the logits of every position,
 * f32 throughout, one thread, no flash attention.
 *
 *   llama-logits MODEL.gguf TOKEN... > LOGITS.f32
 *
 * Built by llama-oracle.mjs against the libraries of the npm package
 * node-llama-cpp. */
#include <llama.h>

#include <stdio.h>
#include <stdlib.h>

static void only_errors(enum ggml_log_level level, const char *text,
                        void *data) {
    (void)data;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}

static int fail(const char *what) {
    fprintf(stderr, "llama-logits: %s\n", what);
    return 1;
}

int main(int argc, char **argv) {
    if (argc < 4) return fail("usage: llama-logits BACKEND.so MODEL TOKEN...");
    int n = argc - 3;
    llama_token *tokens = malloc((size_t)n * sizeof *tokens);
    llama_log_set(only_errors, NULL);
    if (!tokens || !ggml_backend_load(argv[1])) return fail("no backend");
    struct llama_model_params mp = llama_model_default_params();
    mp.n_gpu_layers = 0;
    struct llama_model *model = llama_model_load_from_file(argv[2], mp);
    if (!model) return fail("the model was refused");
    struct llama_context_params cp = llama_context_default_params();
    cp.n_ctx = 256;
    cp.n_batch = cp.n_ubatch = 256;
    cp.n_threads = cp.n_threads_batch = 1;
    cp.type_k = cp.type_v = GGML_TYPE_F32;
    cp.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    struct llama_context *context = llama_init_from_model(model, cp);
    if (!context) return fail("no context");
    struct llama_batch batch = llama_batch_init(n, 0, 1);
    for (int i = 0; i < n; i++) {
        tokens[i] = atoi(argv[3 + i]);
        batch.token[i] = tokens[i];
        batch.pos[i] = i;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = 1;
    }
    batch.n_tokens = n;
    if (llama_decode(context, batch) != 0) return fail("decoding failed");
    int n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
    for (int i = 0; i < n; i++)
        fwrite(llama_get_logits_ith(context, i), sizeof(float),
               (size_t)n_vocab, stdout);
    llama_batch_free(batch);
    llama_free(context);
    llama_model_free(model);
    free(tokens);
    return 0;
}

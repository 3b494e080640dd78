/* pipit.c — names, the version, and the forecast: what a file will need before
 * anything large is taken. */
#include "session.h"
#include "tokenizer.h"

const char *pipit_status_name(pipit_status status) {
    switch (status) {
        case PIPIT_OK: return "PIPIT_OK";
        case PIPIT_PENDING: return "PIPIT_PENDING";
        case PIPIT_E_ARGUMENT: return "PIPIT_E_ARGUMENT";
        case PIPIT_E_MEMORY: return "PIPIT_E_MEMORY";
        case PIPIT_E_FORMAT: return "PIPIT_E_FORMAT";
        case PIPIT_E_TRUNCATED: return "PIPIT_E_TRUNCATED";
        case PIPIT_E_UNSUPPORTED: return "PIPIT_E_UNSUPPORTED";
        case PIPIT_E_MODEL: return "PIPIT_E_MODEL";
        case PIPIT_E_VOCABULARY: return "PIPIT_E_VOCABULARY";
        case PIPIT_E_TOKEN: return "PIPIT_E_TOKEN";
        case PIPIT_E_CONTEXT: return "PIPIT_E_CONTEXT";
        case PIPIT_E_STATE: return "PIPIT_E_STATE";
        case PIPIT_E_TOO_LARGE: return "PIPIT_E_TOO_LARGE";
        case PIPIT_E_CANCELLED: return "PIPIT_E_CANCELLED";
    }
    return "PIPIT_E_?";
}

const char *pipit_version(void) {
    return "0.1.0";
}

/* The build's implementation whose activations take the most room: which one
 * will run is not known before an engine is open. */
static const pipit_kernels *roomiest_kernels(void) {
    const pipit_kernels *most = pipit_kernels_at(0), *k;
    for (uint32_t i = 1; (k = pipit_kernels_at(i)); i++)
        if (k->act_block_bytes > most->act_block_bytes) most = k;
    return most;
}

pipit_status pipit_file_forecast(const pipit_file *file,
                                 const pipit_session_options *options,
                                 uint32_t n_threads, pipit_forecast *out,
                                 pipit_error *error) {
    pipit_hparams h;
    pipit_layer_params layers[PIPIT_MAX_LAYERS];
    pipit_forecast f;
    uint64_t loader_bytes, tokenizer_bytes = 0;
    if (!file || !out || n_threads == 0) return PIPIT_E_ARGUMENT;
    if (pipit_file_header_bytes(file) == 0)
        return pipit_fail(error, PIPIT_E_STATE, PIPIT_NO_OFFSET,
                          "the header is not complete");
    pipit_status s = pipit_model_measure(file, &h, layers, &f.weights_bytes,
                                         &loader_bytes, error);
    if (s != PIPIT_OK) return s;
    if ((s = pipit_tokenizer_measure(file, &tokenizer_bytes, error))) return s;
    pipit_session_measure(&h, layers, roomiest_kernels(), n_threads, options,
                          &f.kv_bytes, &f.scratch_bytes);
    f.scratch_bytes += loader_bytes;
    f.vocabulary_bytes = pipit_gguf_bytes(file) + tokenizer_bytes;
    f.total_bytes =
        f.weights_bytes + f.vocabulary_bytes + f.kv_bytes + f.scratch_bytes;
    *out = f;
    return PIPIT_OK;
}

/* exports_train.c — what only the modules that train export. The others leave
 * the code of training out: a page that never trains does not fetch it. */
#include "exports.h"
#include "../src/train.h"

/* Numbers of pipit_training_options as doubles, in its order; a seed below
 * 2^53. */
static pipit_training_options training_options(const double *n) {
    return (pipit_training_options){
        .rank = (uint32_t)n[0], .alpha = (float)n[1],
        .targets = (uint32_t)n[2], .max_length = (uint32_t)n[3],
        .max_rows = (uint32_t)n[4], .precise = n[5] != 0,
        .seed = bytes_of(n[6]), .beta1 = (float)n[7], .beta2 = (float)n[8],
        .epsilon = (float)n[9], .decay = (float)n[10], .clip = (float)n[11]};
}

/* out: bytes. */
EXPORT(pipit_status, training_measure, const pipit_model *model,
       const double *options, uint64_t *out, pipit_error *error) {
    pipit_training_options o = training_options(options);
    return pipit_training_measure(model, &o, out, error);
}

EXPORT(pipit_status, trainer_open, pipit_model *model, const double *options,
       uint64_t *out, pipit_error *error) {
    pipit_training_options o = training_options(options);
    pipit_trainer *trainer;
    pipit_status status = pipit_trainer_open(model, &o, NULL, &trainer, error);
    if (status == PIPIT_OK) *out = address(trainer);
    return status;
}

EXPORT(void, trainer_close, pipit_trainer *trainer) {
    pipit_trainer_close(trainer);
}

EXPORT(pipit_status, trainer_begin, pipit_trainer *trainer,
       const uint32_t *tokens, const uint8_t *is_answer,
       const uint32_t *lengths, size_t n_sequences, uint32_t kind, float rate,
       pipit_error *error) {
    pipit_training_batch batch = {tokens, is_answer, lengths, n_sequences};
    return pipit_trainer_begin(trainer, &batch, (pipit_training_kind)kind,
                               rate, error);
}

EXPORT(pipit_status, trainer_step, pipit_trainer *trainer) {
    return pipit_trainer_step(trainer);
}

/* out, doubles: loss, norm, share of the step that is done, updates made. */
EXPORT(void, trainer_result, const pipit_trainer *trainer, uint64_t *out) {
    put_real(out, pipit_trainer_loss(trainer));
    put_real(out + 1, pipit_trainer_norm(trainer));
    put_real(out + 2, pipit_trainer_progress(trainer));
    put_real(out + 3, (double)pipit_trainer_n_updates(trainer));
}

/* out: address of the floats, their number (parameters and both moments). */
EXPORT(void, trainer_state, pipit_trainer *trainer, uint64_t *out) {
    size_t n = 0;
    out[0] = address(pipit_trainer_state(trainer, &n));
    out[1] = 3 * (uint64_t)n;
}

EXPORT(void, trainer_set_n_updates, pipit_trainer *trainer, double n) {
    pipit_trainer_set_n_updates(trainer, bytes_of(n));
}

/* The adapter as a file; out: its bytes, written only if they fit. notes: keys
 * and values by turns, their lengths beside them. */
EXPORT(pipit_status, trainer_write, const pipit_trainer *trainer,
       const char *notes, const uint32_t *lengths, size_t n_notes,
       uint8_t *bytes, size_t capacity, uint64_t *out, pipit_error *error) {
    pipit_note list[MAX_NOTES];
    pipit_adapter *adapter;
    size_t n_out = 0;
    if (n_notes > MAX_NOTES) return PIPIT_E_ARGUMENT;
    for (size_t i = 0; i < n_notes; i++) {
        list[i].key = pipit_string_of(notes, lengths[2 * i]);
        notes += lengths[2 * i];
        list[i].value = pipit_string_of(notes, lengths[2 * i + 1]);
        notes += lengths[2 * i + 1];
    }
    pipit_status status =
        pipit_trainer_adapter(trainer, NULL, &adapter, error);
    if (status != PIPIT_OK) return status;
    status = pipit_adapter_write(adapter, list, n_notes, bytes, capacity,
                                 &n_out, error);
    pipit_adapter_close(adapter);
    *out = n_out;
    return status;
}

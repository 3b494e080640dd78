#include "forms.h"

static const pipit_form_info forms[PIPIT_N_TYPES] = {
    [PIPIT_TYPE_F32] = {.kind = PIPIT_FORM_F32, .block_cols = 1,
                        .file_bytes = 4, .block_bytes = 16},
    [PIPIT_TYPE_F16] = {.kind = PIPIT_FORM_16, .block_cols = 1,
                        .file_bytes = 2, .block_bytes = 8},
    [PIPIT_TYPE_BF16] = {.kind = PIPIT_FORM_16, .block_cols = 1,
                         .file_bytes = 2, .block_bytes = 8},
    [PIPIT_TYPE_Q4_0] = {.kind = PIPIT_FORM_SIMPLE, .block_cols = 32,
                         .file_bytes = 18, .block_bytes = 72, .quants_at = 8,
                         .sub_bytes = 64, .bits = 4, .offset = 8},
    [PIPIT_TYPE_Q4_1] = {.kind = PIPIT_FORM_SIMPLE, .block_cols = 32,
                         .file_bytes = 20, .block_bytes = 80, .quants_at = 16,
                         .sub_bytes = 64, .bits = 4, .has_min = true},
    [PIPIT_TYPE_Q5_0] = {.kind = PIPIT_FORM_SIMPLE, .block_cols = 32,
                         .file_bytes = 22, .block_bytes = 88, .quants_at = 8,
                         .sub_bytes = 80, .bits = 5, .offset = 16},
    [PIPIT_TYPE_Q5_1] = {.kind = PIPIT_FORM_SIMPLE, .block_cols = 32,
                         .file_bytes = 24, .block_bytes = 96, .quants_at = 16,
                         .sub_bytes = 80, .bits = 5, .has_min = true},
    [PIPIT_TYPE_Q8_0] = {.kind = PIPIT_FORM_SIMPLE, .block_cols = 32,
                         .file_bytes = 34, .block_bytes = 136, .quants_at = 8,
                         .sub_bytes = 128, .bits = 8},
    [PIPIT_TYPE_Q4_K] = {.kind = PIPIT_FORM_K, .block_cols = 256,
                         .file_bytes = 144, .block_bytes = 592,
                         .quants_at = 80, .sub_bytes = 64, .bits = 4,
                         .has_min = true},
    [PIPIT_TYPE_Q5_K] = {.kind = PIPIT_FORM_K, .block_cols = 256,
                         .file_bytes = 176, .block_bytes = 720,
                         .quants_at = 80, .sub_bytes = 80, .bits = 5,
                         .has_min = true},
    [PIPIT_TYPE_Q6_K] = {.kind = PIPIT_FORM_K, .block_cols = 256,
                         .file_bytes = 210, .block_bytes = 840,
                         .quants_at = 72, .sub_bytes = 96, .bits = 6,
                         .offset = 32},
};

const pipit_form_info *pipit_form(uint32_t type) {
    static const pipit_form_info none = {.kind = PIPIT_FORM_F32};
    return type < PIPIT_N_TYPES ? &forms[type] : &none;
}

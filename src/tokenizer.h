/* tokenizer.h — 4: a file's vocabulary as an object; the public functions are
 * in pipit.h. */
#ifndef PIPIT_TOKENIZER_H
#define PIPIT_TOKENIZER_H

#include "base.h"

/* Longer texts are PIPIT_E_TOO_LARGE: what they grow to is counted in 31 bits.
 */
#define PIPIT_MAX_TEXT_BYTES ((size_t)64 << 20)

/* The most bytes one token stands for. */
size_t pipit_tokenizer_max_piece(const pipit_tokenizer *tokenizer);
/* Memory it holds, without the file's. */
uint64_t pipit_tokenizer_bytes(const pipit_tokenizer *tokenizer);
/* The same before opening; fails as opening would, but for what only building
 * the tables finds. */
pipit_status pipit_tokenizer_measure(const pipit_file *file, uint64_t *out,
                                     pipit_error *error);

#endif

/* quant_blocks.h — dequantize functions, one per type; quant.c has the table. */
#ifndef PIPIT_QUANT_BLOCKS_H
#define PIPIT_QUANT_BLOCKS_H

#include "quant.h"

/* IQ4_NL and IQ4_XS: what a nibble stands for. */
extern const int8_t pipit_iq4_values[16];

/* quant_k.c: super-blocks of 256 */
void pipit_dequantize_q2_k(const uint8_t *blocks, size_t n, float *out);
void pipit_dequantize_q3_k(const uint8_t *blocks, size_t n, float *out);
void pipit_dequantize_q4_k(const uint8_t *blocks, size_t n, float *out);
void pipit_dequantize_q5_k(const uint8_t *blocks, size_t n, float *out);
void pipit_dequantize_q6_k(const uint8_t *blocks, size_t n, float *out);
void pipit_dequantize_iq4_xs(const uint8_t *blocks, size_t n, float *out);
void pipit_dequantize_tq1_0(const uint8_t *blocks, size_t n, float *out);
void pipit_dequantize_tq2_0(const uint8_t *blocks, size_t n, float *out);

#endif

#include "train_row.h"

#include "mathf.h"

void pipit_train_norm_back(const float *x, const float *w, const float *dy,
                           uint32_t n, float eps, float *dx) {
    float squares[4] = {0, 0, 0, 0}, dots[4] = {0, 0, 0, 0};
    for (uint32_t i = 0; i < n; i++) {
        squares[i % 4] += x[i] * x[i];
        dots[i % 4] += dy[i] * w[i] * x[i];
    }
    float square = (squares[0] + squares[1]) + (squares[2] + squares[3]);
    float dot = (dots[0] + dots[1]) + (dots[2] + dots[3]);
    float scale = 1.0f / pipit_sqrtf(square / (float)n + eps);
    float along = scale * scale * scale * (dot / (float)n);
    for (uint32_t i = 0; i < n; i++)
        dx[i] += dy[i] * w[i] * scale - x[i] * along;
}

double pipit_train_loss_back(float *logits, uint32_t n, uint32_t answer,
                             float weight, float (*softmax)(float *, size_t)) {
    float max = logits[0], at = logits[answer];
    for (uint32_t i = 1; i < n; i++)
        if (logits[i] > max) max = logits[i];
    float sum = softmax(logits, n);
    float scale = weight / sum;
    for (uint32_t i = 0; i < n; i++) logits[i] *= scale;
    logits[answer] -= weight;
    return pipit_log((double)sum) - ((double)at - (double)max);
}

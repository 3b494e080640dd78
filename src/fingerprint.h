/* fingerprint.h — which weights a model has, in sixteen letters.
 *
 * A hash of the values (not of the file's bytes) of three rows of each matrix
 * and of all norms: some milliseconds, the same for every build, unmoved by
 * metadata such as a mended chat template, another for each quantization. */
#ifndef PIPIT_FINGERPRINT_H
#define PIPIT_FINGERPRINT_H

#include "model.h"

#define PIPIT_FINGERPRINT_CHARS 16u
/* The key that names an adapter's base. */
#define PIPIT_KEY_FINGERPRINT "pipit.base.fingerprint"

#endif

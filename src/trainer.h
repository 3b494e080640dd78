/* trainer.h — one adapter being fitted to batches of sequences. */
#ifndef PIPIT_TRAINER_H
#define PIPIT_TRAINER_H

#include "adapter.h"

/* What has been trained so far, the trainer's own: read it between steps. */
const pipit_adapter *pipit_trainer_adapter(const pipit_trainer *trainer);

#endif

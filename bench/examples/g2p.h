/* SPDX-License-Identifier: Apache-2.0
 *
 * A small translator from letters to phonemes: a bidirectional GRU reads the word, a GRU with
 * additive attention over the letters writes phonemes. The GRUs are plain C; the attention is
 * Attune's, by its public header alone: keys are prepared once a word, then each step attends with
 * one query.
 */
#ifndef ATTUNE_EXAMPLES_G2P_H
#define ATTUNE_EXAMPLES_G2P_H

#include <stdint.h>

#include "bench/cli/safetensors.h"

enum { ATTUNE_G2P_MAX_LETTERS = 48, ATTUNE_G2P_MAX_PHONEMES = 2 * ATTUNE_G2P_MAX_LETTERS };

struct attune_g2p; /* weights, an attention plan and its memory: for one thread at a time */

/* What became of one word. */
struct attune_g2p_spelling {
    int64_t letters, phonemes;                    /* phonemes: without the end mark */
    const char *phoneme[ATTUNE_G2P_MAX_PHONEMES]; /* texts of the model, valid as long as it is */
    float alignment[ATTUNE_G2P_MAX_PHONEMES][ATTUNE_G2P_MAX_LETTERS]; /* one row a phoneme */
};

/* Reads the model. Returns 0 and *model, or fills *trouble. */
int attune_g2p_load(const char *path, struct attune_g2p **model, struct attune_trouble *trouble);
void attune_g2p_free(struct attune_g2p *model);
/* Spells one word of 1 to ATTUNE_G2P_MAX_LETTERS letters a-z; any other word is a failure that says
 * why. */
int attune_g2p_spell(struct attune_g2p *model, const char *word,
                     struct attune_g2p_spelling *spelling, struct attune_trouble *trouble);
/* The kernels behind the attention, as attune_plan_describe() tells them. */
const char *attune_g2p_kernels(const struct attune_g2p *model);

#endif

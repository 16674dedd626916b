/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose turn it is to measure for a cache file: of several processes one, as the others would disturb it.
 * The claim is a flock on FILE.tuning, gone with its process however that ends; FILE.lock, which a writer
 * holds for a moment, is another. Knows nothing of what is measured.
 */
#ifndef ATTUNE_TUNER_CLAIM_H
#define ATTUNE_TUNER_CLAIM_H

struct attune_claim {
    int fd;     /* -1: none */
    char *path; /* FILE.tuning */
};

/* 0: nobody else measures for the file `cache`, as far as can be told: where the folder, its file system
 * or what lies at FILE.tuning allows no claim there is none, and no reason to wait. -1: another claim
 * stands, of process *holder (0: unknown). */
int attune_claim_take(struct attune_claim *claim, const char *cache, long *holder);
/* Removes the file too; nothing where there is no claim. */
void attune_claim_drop(struct attune_claim *claim);

#endif

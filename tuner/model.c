/* SPDX-License-Identifier: Apache-2.0
 *
 * The cache model. A strip's scores live in L1 beside the operands that stream past; a kv block's keys
 * and values live in L2 while all rows of a q block pass over them.
 */
#include "tuner/model.h"

/* Rows that share keys up to which a long key axis is split, and the most keys of a split: below it there is
 * too little work in the query axis for more than one core. One head on two cores of Zen 5 takes 0.57 to 0.64
 * of its time over 1500 keys; where one core has all splits they cost it a quarter of a microsecond, of much
 * work 1 %. */
#define SPLIT_ROWS 16
#define SPLIT_KEYS (6 * ATTUNE_KEY_STEP)
#define SPLIT_LEAST (2 * ATTUNE_KEY_STEP)
/* Fewer keys are split where keys times widths are so much: there that is 4 % for one row, and no more for
 * several, each of which is merged. */
#define SPLIT_WORK 260000
#define MAX_KV_BLOCK (4 * ATTUNE_KEY_STEP)
#define MAX_Q_BLOCK 256
/* Keys and values that nothing packs pass by once, and no block of them has to stay in L2: longer blocks
 * begin fewer sums and break fewer streams (3 to 15 % on Zen 5), as long as the scores stay in L1. */
#define IN_PLACE_KV_BLOCK (6 * ATTUNE_KEY_STEP)
#define IN_PLACE_ROWS 24

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Scores that three kernels hand to each other stay within half of L1 (Emerald Rapids, AVX-512: 384 keys
 * for 12 rows ran 4 to 8 % faster than 768). */
static int64_t choose_kv_block(const struct attune_model_input *input, int64_t tile_rows)
{
    if (input->in_place)
        return IN_PLACE_KV_BLOCK;
    int64_t row_bytes = 4 * (input->width_k + input->width_v);
    int64_t keys = input->topology->l2.size / 2 / (row_bytes > 0 ? row_bytes : 4);
    const int64_t near = input->topology->l1d.size / 2 / (4 * tile_rows);
    if (input->apart && keys > near)
        keys = near;
    return clamp(keys / ATTUNE_KEY_STEP * ATTUNE_KEY_STEP, ATTUNE_KEY_STEP, MAX_KV_BLOCK);
}

/* Keys that are read in place come from far: all rows take what one pass brings, and their scores may leave
 * L1 for it (6 rows over 8192 keys of D = 128 ran 1.37 times as fast in one strip as in two). */
static int64_t choose_strip(const struct attune_model_input *input, int64_t tile_rows,
                            int64_t kv_block)
{
    if (input->in_place)
        return clamp((input->rows + tile_rows - 1) / tile_rows, 1, IN_PLACE_ROWS / tile_rows) * tile_rows;
    if (input->ragged)
        return tile_rows; /* a strip takes every key that one of its rows may attend */
    int64_t keys = input->t_k < kv_block ? input->t_k : kv_block;
    int64_t fit = input->topology->l1d.size / 2 / (4 * (keys > 0 ? keys : 1));
    return clamp(fit / tile_rows, 1, 8) * tile_rows;
}

/* Keys of a split, 0 for none: of about as good ones the longest that give two cores as many keys each. */
static int64_t choose_kv_split(const struct attune_model_input *input)
{
    const int64_t t_k = input->t_k, work = t_k * (input->width_k + input->width_v);
    if (input->ordered || input->rows > SPLIT_ROWS || t_k <= 3 * ATTUNE_KEY_STEP ||
        (t_k <= SPLIT_KEYS && work < SPLIT_WORK))
        return 0;
    int64_t best = SPLIT_KEYS, least = t_k;
    for (int64_t keys = SPLIT_KEYS; keys >= SPLIT_LEAST; keys -= ATTUNE_KEY_STEP) {
        const int64_t half = (t_k + keys - 1) / keys / 2 * keys, more = half > t_k - half ? half : t_k - half;
        if (more < least - t_k / 32) {
            least = more;
            best = keys;
        }
    }
    return best;
}

/* A block that a split holds some of, whole. */
static int64_t fit_split(int64_t kv_block, int64_t kv_split)
{
    if (kv_split == 0)
        return kv_block;
    const int64_t blocks = (kv_split + kv_block - 1) / kv_block, keys = (kv_split + blocks - 1) / blocks;
    return (keys + ATTUNE_KEY_STEP - 1) / ATTUNE_KEY_STEP * ATTUNE_KEY_STEP;
}

void attune_model_tiles(const struct attune_model_input *input, const struct attune_kernel *score,
                        struct attune_tiles *tiles)
{
    int64_t tile_rows = score->rows > 0 ? score->rows : 1;
    tiles->kv_split = choose_kv_split(input);
    tiles->kv_block = fit_split(choose_kv_block(input, tile_rows), tiles->kv_split);
    tiles->strip = choose_strip(input, tile_rows, tiles->kv_block);
    int64_t row_bytes = 4 * (input->width_k + 2 * input->width_v + input->state);
    int64_t rows = input->topology->l2.size / 4 / (row_bytes > 0 ? row_bytes : 4);
    rows = clamp(rows, tiles->strip, MAX_Q_BLOCK);
    tiles->q_block = rows / tiles->strip * tiles->strip;
    tiles->kv_split = (tiles->kv_split + tiles->kv_block - 1) / tiles->kv_block * tiles->kv_block;
}

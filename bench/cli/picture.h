/* SPDX-License-Identifier: Apache-2.0
 *
 * Draws an alignment, who looked at what how much, as a heat map: in the terminal and as an SVG.
 * Knows weights and labels; nothing of problems, files of tensors or options.
 */
#ifndef ATTUNE_BENCH_PICTURE_H
#define ATTUNE_BENCH_PICTURE_H

#include <stdint.h>
#include <stdio.h>

struct attune_picture {
    const char *title;                  /* what is shown, one line of UTF-8 */
    const char *subtitle;               /* one more line; NULL for none */
    const char *row_axis, *column_axis; /* "phonemes", "letters" */
    int64_t rows, columns;
    int64_t stride;       /* floats between rows of weights */
    const float *weights; /* drawn as 0 below 0 and for NaN, as 1 above 1 */
    const char *const *row_labels, *const *column_labels; /* UTF-8; NULL: numbers from 0 */
    const char *scope; /* id of an SVG that stands in a page, so that its style stays its own; NULL */
};

/* Blocks of Unicode; with `color` colored cells instead. `width`: columns of the terminal, 0 where
 * there is none. What is too large is drawn in cells that stand for blocks of weights. */
void attune_picture_terminal(const struct attune_picture *picture, FILE *file, int color,
                             int width);
/* A whole SVG document, for light and dark pages and for screen readers. */
void attune_picture_svg(const struct attune_picture *picture, FILE *file);

#endif

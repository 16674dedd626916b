/* SPDX-License-Identifier: Apache-2.0
 *
 * Operands for each operation: about 192 keys and a few tiles of rows, 64 wide, carved out of one piece
 * of memory. Its values lie in (0.5, 1.5): no kernel meets numbers that are slow.
 */
#include "bench/kernel_case.h"

#include <stdlib.h>
#include <string.h>

#include "attune/attune.h"

enum { FLOATS = 1 << 20, KEYS = ATTUNE_KEY_STEP, WIDTH = 64, TILES = 4, PARTS = 8, ALIGNMENT = 64 };

/* The next piece, aligned as the engine's scratch is. */
static float *take(float **next, int64_t floats)
{
    float *piece = *next;
    *next += (floats + 15) / 16 * 16;
    return piece;
}

static int64_t round_up(int64_t value, int64_t step)
{
    return (value + step - 1) / step * step;
}

static void count(struct attune_kernel_case *single, enum attune_work_unit unit, double amount,
                  double bytes)
{
    single->work = (struct attune_work){.unit = unit, .amount = amount, .bytes = bytes};
}

static void make_pack(struct attune_kernel_case *single, float **next)
{
    const int values = single->kernel->operation == ATTUNE_OP_PACK_VALUES;
    const size_t size = attune_dtype_size(single->kernel->dtype);
    float *src = take(next, KEYS * WIDTH), *dst = take(next, KEYS * WIDTH);
    /* The same byte throughout: a number near 1, 0.01 or 60 by type. */
    if (single->kernel->dtype != ATTUNE_PACK_F32)
        memset(src, 0x3c, KEYS * WIDTH * sizeof *src);
    if (values)
        single->args.pack_values = (struct attune_pack_values_args){
            .src = src, .stride = WIDTH, .n = KEYS, .e = WIDTH, .width = 2 * single->kernel->lanes,
            .panel_stride = 2 * (int64_t)single->kernel->lanes * KEYS, .dst = dst};
    else
        single->args.pack_keys = (struct attune_pack_keys_args){
            .src = src, .stride = WIDTH, .n = KEYS, .d = WIDTH, .d_pad = WIDTH,
            .width = 2 * (int64_t)single->kernel->lanes, .dst = dst};
    count(single, ATTUNE_FLOP, 0, (double)(KEYS * WIDTH * size));
}

static void make_score(struct attune_kernel_case *single, float **next)
{
    const struct attune_kernel *kernel = single->kernel;
    const int64_t m = (int64_t)kernel->rows * TILES;
    float *q = take(next, m * WIDTH), *k = take(next, KEYS * WIDTH), *s = take(next, m * KEYS);
    if (kernel->operation == ATTUNE_OP_SCORE_TANH) {
        single->args.score_tanh = (struct attune_score_tanh_args){
            .q = q, .ldq = WIDTH, .m = m, .k = k, .n = KEYS, .a_pad = WIDTH,
            .fold = take(next, WIDTH), .center = take(next, WIDTH), .scale = 1, .s = s, .lds = KEYS};
        count(single, ATTUNE_TANH, (double)(m * KEYS * WIDTH), 0);
        return;
    }
    single->args.score_dot =
        (struct attune_score_dot_args){.q = q, .ldq = WIDTH, .m = m, .k = k, .n = KEYS, .d = WIDTH,
                                       .s = s, .lds = KEYS};
    count(single, ATTUNE_FLOP, 2.0 * (double)(m * KEYS * WIDTH), KEYS * WIDTH * sizeof *k);
}

/* Keys and values of the kernel's type where the caller has them: a head of 128, four rows. */
static void make_rows(struct attune_kernel_case *single, float **next)
{
    enum { ROWS = 4, HEAD = 128 };
    const size_t size = attune_dtype_size(single->kernel->dtype);
    float *side = take(next, KEYS * HEAD);
    if (single->kernel->dtype != ATTUNE_PACK_F32)
        memset(side, 0x3c, KEYS * HEAD * sizeof *side);
    float *few = take(next, ROWS * HEAD), *many = take(next, ROWS * KEYS);
    float *alpha = take(next, ROWS);
    memset(alpha, 0, ROWS * sizeof *alpha); /* the output stays where it is */
    if (single->kernel->operation == ATTUNE_OP_SCORE_ROWS)
        single->args.score_rows = (struct attune_score_rows_args){
            .q = few, .ldq = HEAD, .m = ROWS, .k = side, .ldk = HEAD, .n = KEYS, .d = HEAD,
            .s = many, .lds = KEYS};
    else
        single->args.wsum_rows = (struct attune_wsum_rows_args){
            .p = many, .ldp = KEYS, .m = ROWS, .v = side, .ldv = HEAD, .n = KEYS, .e = HEAD,
            .alpha = alpha, .o = few, .ldo = HEAD};
    count(single, ATTUNE_FLOP, 2.0 * ROWS * KEYS * HEAD, (double)(KEYS * HEAD * size));
}

static void make_direct(struct attune_kernel_case *single, float **next)
{
    single->args.score_direct = (struct attune_score_direct_args){
        .x = take(next, WIDTH), .y = take(next, KEYS * WIDTH), .ldy = WIDTH, .n = KEYS, .a = WIDTH,
        .u = take(next, WIDTH), .s = take(next, KEYS), .s_stride = 1};
    count(single, ATTUNE_TANH, KEYS * WIDTH, 0);
}

static void make_fold(struct attune_kernel_case *single, float **next)
{
    single->args.fold = (struct attune_fold_args){
        .u = take(next, KEYS), .a = KEYS, .a_pad = KEYS, .fold = take(next, KEYS),
        .center = take(next, KEYS), .scale = take(next, 1), .largest = take(next, 1)};
    count(single, ATTUNE_FLOP, 0, KEYS * sizeof(float));
}

static void make_expand(struct attune_kernel_case *single, float **next)
{
    if (single->kernel->operation == ATTUNE_OP_EXPAND_PANELS)
        single->args.expand_panels = (struct attune_expand_panels_args){
            .panels = take(next, KEYS * WIDTH), .n = KEYS, .a = WIDTH, .a_pad = WIDTH,
            .width = 2 * (int64_t)single->kernel->lanes, .peak = take(next, KEYS)};
    else
        single->args.expand_rows = (struct attune_expand_rows_args){
            .x = take(next, KEYS * WIDTH), .ldx = WIDTH, .n = KEYS, .a = WIDTH, .a_pad = WIDTH,
            .fold = take(next, WIDTH), .dst = take(next, KEYS * WIDTH), .ldd = WIDTH,
            .peak = take(next, KEYS)};
    count(single, ATTUNE_EXP, KEYS * WIDTH, 0);
}

static void make_softmax(struct attune_kernel_case *single, float **next)
{
    enum { ROWS = 16 };
    single->args.softmax = (struct attune_softmax_args){
        .s = take(next, ROWS * KEYS), .lds = KEYS, .m = ROWS, .n = KEYS, .factor = 1,
        .row_max = take(next, ROWS), .row_sum = take(next, ROWS), .alpha = take(next, ROWS)};
    count(single, ATTUNE_EXP, ROWS * KEYS, 0);
}

static void make_wsum(struct attune_kernel_case *single, float **next)
{
    const struct attune_kernel *kernel = single->kernel;
    const int64_t m = (int64_t)kernel->rows * TILES, e = round_up(WIDTH, kernel->width);
    single->args.wsum = (struct attune_wsum_args){
        .p = take(next, m * KEYS), .ldp = KEYS, .m = m, .v = take(next, KEYS * e),
        .ldv = kernel->width, .panel_stride = (int64_t)kernel->width * KEYS, .n = KEYS, .e = e,
        .alpha = take(next, m), .o = take(next, m * e), .ldo = e};
    /* The output shrinks to where it stays, instead of growing call by call. */
    memset((float *)(uintptr_t)single->args.wsum.alpha, 0, (size_t)m * sizeof(float));
    count(single, ATTUNE_FLOP, 2.0 * (double)(m * KEYS * e), (double)(KEYS * e) * sizeof(float));
}

/* The exponentials in between are no flop: what fusing hides. */
static void make_tile(struct attune_kernel_case *single, float **next)
{
    const struct attune_kernel *kernel = single->kernel;
    const int64_t m = (int64_t)kernel->rows * TILES, e = round_up(WIDTH, kernel->width);
    single->args.tile = (struct attune_tile_args){
        .q = take(next, m * WIDTH), .ldq = WIDTH, .m = m, .k = take(next, KEYS * WIDTH),
        .d = WIDTH, .n = KEYS, .v = take(next, KEYS * e), .ldv = kernel->width,
        .panel_stride = (int64_t)kernel->width * KEYS, .e = e, .factor = 1,
        .row_max = take(next, m), .row_sum = take(next, m), .o = take(next, m * e), .ldo = e,
        .scratch = take(next, 2 * (int64_t)kernel->rows * KEYS), .lds = KEYS};
    count(single, ATTUNE_FLOP, 2.0 * (double)(m * KEYS * (WIDTH + e)),
          (double)(KEYS * (WIDTH + e)) * sizeof(float));
}

static void make_row(struct attune_kernel_case *single, float **next)
{
    float *row = take(next, KEYS), *other = take(next, PARTS * KEYS);
    switch (single->kernel->operation) {
    case ATTUNE_OP_ADJUST:
        single->args.adjust =
            (struct attune_adjust_args){.s = row, .n = KEYS, .scale = 1, .bias = NULL};
        break;
    case ATTUNE_OP_FINISH:
        single->args.finish = (struct attune_finish_args){
            .o = row, .ldo = KEYS, .m = 1, .e = KEYS, .sum = take(next, 1), .scale = 1,
            .out = other, .ldout = KEYS, .flawed = (uint8_t *)take(next, 1)};
        break;
    case ATTUNE_OP_WEIGHTS:
        single->args.weights = (struct attune_weights_args){
            .s = row, .n = KEYS, .factor = 1, .row_max = 1.5f, .row_sum = 2, .w = other};
        count(single, ATTUNE_EXP, KEYS, 0);
        return;
    default:
        single->args.merge = (struct attune_merge_args){
            .parts = PARTS, .row_max = row, .row_sum = row + PARTS, .stat_stride = 1, .factor = 1,
            .o = other, .o_stride = KEYS, .e = KEYS, .out_max = take(next, 1),
            .out_sum = take(next, 1), .out_o = take(next, KEYS)};
        count(single, ATTUNE_FLOP, 0, PARTS * KEYS * sizeof *row);
        return;
    }
    count(single, ATTUNE_FLOP, 0, KEYS * sizeof *row);
}

static void make_lstm(struct attune_kernel_case *single, float **next)
{
    const int64_t width = single->kernel->width, m = (int64_t)single->kernel->rows * TILES;
    const int64_t n = WIDTH, n_pad = round_up(n, width), a_pad = round_up(WIDTH, width);
    single->args.lstm = (struct attune_lstm_args){
        .x = take(next, m * 4 * n_pad), .ldx = 4 * n_pad, .m = m, .y = take(next, 4 * n_pad),
        .r = take(next, n_pad * n * 4), .n = n, .n_pad = n_pad, .h_in = take(next, m * n_pad),
        .h_out = take(next, m * n_pad), .c = take(next, m * n_pad), .ldh = n_pad,
        .w = take(next, a_pad * n), .u = take(next, a_pad), .bias = take(next, a_pad),
        .a_pad = a_pad, .s = take(next, m), .lds = 1};
    count(single, ATTUNE_FLOP, 8.0 * (double)(m * n * n), 0);
}

int attune_kernel_case_open(struct attune_kernel_case *single, const struct attune_kernel *kernel)
{
    static void (*const makers[ATTUNE_OP_COUNT])(struct attune_kernel_case *, float **) = {
        [ATTUNE_OP_PACK_KEYS] = make_pack,       [ATTUNE_OP_PACK_VALUES] = make_pack,
        [ATTUNE_OP_EXPAND_ROWS] = make_expand,   [ATTUNE_OP_EXPAND_PANELS] = make_expand,
        [ATTUNE_OP_SCORE_DOT] = make_score,      [ATTUNE_OP_SCORE_TANH] = make_score,
        [ATTUNE_OP_SCORE_DIRECT] = make_direct,  [ATTUNE_OP_ADJUST] = make_row,
        [ATTUNE_OP_SOFTMAX] = make_softmax,      [ATTUNE_OP_WSUM] = make_wsum,
        [ATTUNE_OP_MERGE] = make_row,            [ATTUNE_OP_FINISH] = make_row,
        [ATTUNE_OP_WEIGHTS] = make_row,          [ATTUNE_OP_LSTM] = make_lstm,
        [ATTUNE_OP_FOLD] = make_fold,            [ATTUNE_OP_TILE] = make_tile,
        [ATTUNE_OP_SCORE_ROWS] = make_rows,      [ATTUNE_OP_WSUM_ROWS] = make_rows,
    };
    *single = (struct attune_kernel_case){.kernel = kernel};
    if (!makers[kernel->operation])
        return 0;
    single->memory = aligned_alloc(ALIGNMENT, FLOATS * sizeof *single->memory);
    if (!single->memory)
        return -1;
    for (int i = 0; i < FLOATS; i++)
        single->memory[i] = 0.5f + (float)(i % 1021) / 1021.0f;
    float *next = single->memory;
    makers[kernel->operation](single, &next);
    return 1;
}

void attune_kernel_case_close(struct attune_kernel_case *single)
{
    free(single->memory);
    single->memory = NULL;
}

void attune_kernel_case_run(void *argument)
{
    struct attune_kernel_case *single = argument;
    switch (single->kernel->operation) {
#define RUN(OP, member)                                                                            \
    case ATTUNE_OP_##OP:                                                                           \
        single->kernel->run.member(&single->args.member);                                          \
        break;
        RUN(PACK_KEYS, pack_keys)
        RUN(PACK_VALUES, pack_values)
        RUN(EXPAND_ROWS, expand_rows)
        RUN(EXPAND_PANELS, expand_panels)
        RUN(SCORE_DOT, score_dot)
        RUN(SCORE_TANH, score_tanh)
        RUN(SCORE_DIRECT, score_direct)
        RUN(SOFTMAX, softmax)
        RUN(WSUM, wsum)
        RUN(MERGE, merge)
        RUN(FINISH, finish)
        RUN(FOLD, fold)
        RUN(TILE, tile)
        RUN(SCORE_ROWS, score_rows)
        RUN(WSUM_ROWS, wsum_rows)
        RUN(WEIGHTS, weights)
        RUN(LSTM, lstm)
#undef RUN
    case ATTUNE_OP_ADJUST:
        (void)single->kernel->run.adjust(&single->args.adjust);
        break;
    default:
        break;
    }
}

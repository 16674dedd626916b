/* SPDX-License-Identifier: Apache-2.0
 *
 * Recurrent: u . tanh(W_r LSTM([x_t; x_t']) + b). The gates' input product splits like pairwise's: A x_t
 * (with both biases) is the query side, B x_t' the key side, computed once; what depends on the pair
 * is R h. All weights are brought into the order of the lstm kernel's gates first.
 */
#include "engine/plan.h"

static int64_t round_up(int64_t value, int64_t step)
{
    return (value + step - 1) / step * step;
}

static void lay_out_weights(struct attune_builder *builder)
{
    struct attune_plan *plan = builder->plan;
    const struct attune_shape *shape = &plan->shape;
    struct attune_lstm_layout *lstm = &plan->lstm;
    lstm->lanes = plan->kernel.row[ATTUNE_OP_LSTM]->width;
    lstm->n_pad = round_up(shape->n, lstm->lanes);
    lstm->a_pad = round_up(shape->a, lstm->lanes);
    lstm->a = 0;
    lstm->b = lstm->a + 4 * lstm->n_pad * shape->c;
    lstm->bias = lstm->b + 4 * lstm->n_pad * shape->c;
    lstm->r = lstm->bias + 4 * lstm->n_pad;
    lstm->w = lstm->r + 4 * lstm->n_pad * shape->n;
    lstm->u = lstm->w + lstm->a_pad * shape->n;
    lstm->hidden = lstm->u + lstm->a_pad;
    lstm->total = lstm->hidden + lstm->a_pad;
    lstm->offset = attune_builder_take(builder, lstm->total);
}

/* The weight inputs must be packed float32 before the LSTM step reads them: their gathers come first
 * and the step finds the views in this order. */
static void convert_weights(struct attune_builder *builder)
{
    struct attune_view ih = attune_builder_matrix(builder, ATTUNE_IN_WEIGHT_IH);
    struct attune_view hh = attune_builder_matrix(builder, ATTUNE_IN_WEIGHT_HH);
    struct attune_view w = attune_builder_matrix(builder, ATTUNE_IN_W_RECURRENT);
    struct attune_view u = attune_builder_matrix(builder, ATTUNE_IN_SCORE_VECTOR);
    struct attune_view bias_ih = attune_builder_matrix(builder, ATTUNE_IN_BIAS_IH);
    struct attune_view bias_hh = attune_builder_matrix(builder, ATTUNE_IN_BIAS_HH);
    struct attune_view hidden = attune_builder_matrix(builder, ATTUNE_IN_BIAS_HIDDEN);
    struct attune_step *step = attune_builder_step(builder, ATTUNE_STEP_LSTM);
    struct attune_view *source = builder->plan->lstm_source;
    source[0] = ih, source[1] = hh, source[2] = w, source[3] = u;
    source[4] = bias_ih, source[5] = bias_hh, source[6] = hidden;
    step->src = ih;
}

enum attune_status attune_lower_recurrent(struct attune_builder *builder)
{
    struct attune_plan *plan = builder->plan;
    const struct attune_shape *shape = &plan->shape;
    const struct attune_lstm_layout *lstm = &plan->lstm;
    lay_out_weights(builder);
    convert_weights(builder);
    struct attune_view piece = {.place = ATTUNE_AT_WORKSPACE, .dtype = ATTUNE_F32};
    int64_t floats = (int64_t)sizeof(float), base = (int64_t)lstm->offset;
    struct attune_projected side = {
        .src = attune_builder_rows(builder, ATTUNE_IN_X, ATTUNE_EITHER_ROWS, shape->t_k, shape->c),
        .weight = piece,
        .bias = piece,
        .t = shape->t_q,
        .inputs = shape->c,
        .outputs = 4 * lstm->n_pad,
        .weight_stride = shape->c,
        .side = ATTUNE_QUERY_ROWS,
    };
    side.weight.offset = base + lstm->a * floats;
    side.bias.offset = base + lstm->bias * floats;
    enum attune_status status = attune_builder_project(builder, &side, &plan->query);
    if (status != ATTUNE_OK)
        return status;
    side.weight.offset = base + lstm->b * floats;
    side.bias.place = ATTUNE_NOWHERE;
    side.side = ATTUNE_KEY_ROWS;
    plan->value = attune_builder_values(builder, ATTUNE_IN_X);
    return attune_builder_project(builder, &side, &plan->key);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The translator's arithmetic. Parameters have PyTorch's names, layouts and GRU gate order (r, z,
 * n).
 */
#include "bench/examples/g2p.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    EMBEDDING = 64,      /* of a letter or a phoneme */
    ENCODER = 128,       /* units of the encoder, each direction */
    STATE = 2 * ENCODER, /* units of the decoder, columns of a letter's state */
    SCORE = 128,         /* columns of the space that the score looks at */
    DECODER_INPUT = EMBEDDING + STATE
};

struct gru {
    int64_t inputs, units;
    const float *weight_ih, *weight_hh, *bias_ih, *bias_hh;
};

struct attune_g2p {
    struct attune_safetensors file;
    json_t *letters, *phonemes;
    struct gru forward, backward, decoder;
    const float *letter_embedding, *phoneme_embedding, *out_weight, *out_bias;
    struct attune_context *context;
    struct attune_plan *plan;
    struct attune_args args; /* reads and writes the arrays below */
    float key[ATTUNE_G2P_MAX_LETTERS][STATE], hidden[STATE], attended[STATE];
    float alignment[ATTUNE_G2P_MAX_LETTERS];
    int32_t key_length;
    void *workspace, *prepared;
    char kernels[256];
};

static float dot(const float *a, const float *b, int64_t n)
{
    float sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

/* h <- GRU(x, h) */
static void gru_step(const struct gru *gru, const float *x, float *h)
{
    float next[STATE];
    const int64_t n = gru->units;
    for (int64_t i = 0; i < n; i++) {
        float from_x[3], from_h[3];
        for (int64_t gate = 0; gate < 3; gate++) {
            const int64_t row = gate * n + i;
            from_x[gate] =
                dot(gru->weight_ih + row * gru->inputs, x, gru->inputs) + gru->bias_ih[row];
            from_h[gate] = dot(gru->weight_hh + row * n, h, n) + gru->bias_hh[row];
        }
        const float r = sigmoid(from_x[0] + from_h[0]), z = sigmoid(from_x[1] + from_h[1]);
        next[i] = (1 - z) * tanhf(from_x[2] + r * from_h[2]) + z * h[i];
    }
    memcpy(h, next, (size_t)n * sizeof *h);
}

/* Fills model->key: for every letter what the encoder knows there, from the left and from the
 * right. */
static void encode(struct attune_g2p *model, const int *letter, int64_t count)
{
    float h[ENCODER] = {0};
    for (int64_t t = 0; t < count; t++) {
        gru_step(&model->forward, model->letter_embedding + letter[t] * EMBEDDING, h);
        memcpy(model->key[t], h, sizeof h);
    }
    memset(h, 0, sizeof h);
    for (int64_t t = count - 1; t >= 0; t--) {
        gru_step(&model->backward, model->letter_embedding + letter[t] * EMBEDDING, h);
        memcpy(model->key[t] + ENCODER, h, sizeof h);
    }
    model->key_length = (int32_t)count;
}

/* One decoder step: phoneme in, phoneme out; hidden, attended and alignment move on. */
static int decode(struct attune_g2p *model, int phoneme, struct attune_trouble *trouble)
{
    float input[DECODER_INPUT];
    const int64_t count = (int64_t)json_array_size(model->phonemes);
    memcpy(input, model->phoneme_embedding + phoneme * EMBEDDING, EMBEDDING * sizeof *input);
    memcpy(input + EMBEDDING, model->attended, sizeof model->attended);
    gru_step(&model->decoder, input, model->hidden);

    const enum attune_status status = attune_plan_execute(model->plan, &model->args);
    if (status != ATTUNE_OK)
        return attune_trouble_status(trouble, status), -1;

    int best = 0;
    float best_score = -INFINITY;
    for (int candidate = 0; candidate < count; candidate++) {
        const float *weight = model->out_weight + (int64_t)candidate * 2 * STATE;
        const float score = dot(weight, model->hidden, STATE) +
                            dot(weight + STATE, model->attended, STATE) +
                            model->out_bias[candidate];
        if (score > best_score)
            best_score = score, best = candidate;
    }
    return best;
}

static int index_of(const json_t *names, const char *name, size_t length)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *text = json_string_value(json_array_get(names, i));
        if (text && strlen(text) == length && memcmp(text, name, length) == 0)
            return (int)i;
    }
    return -1;
}

static int find_letters(const struct attune_g2p *model, const char *word, int *letter,
                        int64_t *count, struct attune_trouble *trouble)
{
    const size_t length = strlen(word);
    if (length == 0 || length > ATTUNE_G2P_MAX_LETTERS)
        return attune_trouble_set(trouble, ATTUNE_EXIT_USE,
                                  "a word has 1 to %d letters, this has %zu",
                                  ATTUNE_G2P_MAX_LETTERS, length);
    for (size_t i = 0; i < length; i++) {
        const int upper = word[i] >= 'A' && word[i] <= 'Z';
        const char lower = (char)(upper ? word[i] - 'A' + 'a' : word[i]);
        letter[i] = lower >= 'a' && lower <= 'z' ? index_of(model->letters, &lower, 1) : -1;
        if (letter[i] < 0)
            return attune_trouble_set(trouble, ATTUNE_EXIT_USE,
                                      "character %zu is not a letter from a to z", i + 1);
    }
    *count = (int64_t)length;
    return 0;
}

int attune_g2p_spell(struct attune_g2p *model, const char *word,
                     struct attune_g2p_spelling *spelling, struct attune_trouble *trouble)
{
    int letter[ATTUNE_G2P_MAX_LETTERS];
    const int start = index_of(model->phonemes, "<s>", 3),
              end = index_of(model->phonemes, "</s>", 4);
    const int code = find_letters(model, word, letter, &spelling->letters, trouble);
    if (code)
        return code;

    encode(model, letter, spelling->letters);
    const enum attune_status status =
        attune_plan_prepare(model->plan, &model->args, model->prepared, model->args.prepared_size);
    if (status != ATTUNE_OK)
        return attune_trouble_status(trouble, status);

    memset(model->hidden, 0, sizeof model->hidden);
    memset(model->attended, 0, sizeof model->attended);
    spelling->phonemes = 0;
    /* A word of n letters has hardly more than n phonemes; twice that ends a model that babbles. */
    for (int phoneme = start; spelling->phonemes < 2 * spelling->letters;) {
        phoneme = decode(model, phoneme, trouble);
        if (phoneme < 0)
            return trouble->code;
        if (phoneme == end)
            break;
        const int64_t row = spelling->phonemes++;
        spelling->phoneme[row] =
            json_string_value(json_array_get(model->phonemes, (size_t)phoneme));
        memcpy(spelling->alignment[row], model->alignment, sizeof model->alignment);
    }
    return 0;
}

/* Describes the attention: one query over at most ATTUNE_G2P_MAX_LETTERS letters, of which
 * key_lengths says how many there are, so that one plan serves every word. */
static void describe_attention(struct attune_problem *problem)
{
    attune_problem_init(problem, ATTUNE_ADDITIVE);
    problem->flags = ATTUNE_PREPARED_KEYS;
    attune_problem_input(problem, ATTUNE_IN_QUERY, ATTUNE_F32, 3, (int64_t[]){1, 1, STATE});
    attune_problem_input(problem, ATTUNE_IN_KEY, ATTUNE_F32, 3,
                         (int64_t[]){1, ATTUNE_G2P_MAX_LETTERS, STATE});
    attune_problem_input(problem, ATTUNE_IN_W_QUERY, ATTUNE_F32, 2, (int64_t[]){SCORE, STATE});
    attune_problem_input(problem, ATTUNE_IN_W_KEY, ATTUNE_F32, 2, (int64_t[]){SCORE, STATE});
    attune_problem_input(problem, ATTUNE_IN_BIAS_HIDDEN, ATTUNE_F32, 1, (int64_t[]){SCORE});
    attune_problem_input(problem, ATTUNE_IN_SCORE_VECTOR, ATTUNE_F32, 1, (int64_t[]){SCORE});
    attune_problem_input(problem, ATTUNE_IN_KEY_LENGTHS, ATTUNE_I32, 1, (int64_t[]){1});
    attune_problem_output(problem, ATTUNE_OUT_OUT);
    attune_problem_output(problem, ATTUNE_OUT_ALIGNMENTS);
}

static int plan_attention(struct attune_g2p *model, struct attune_trouble *trouble)
{
    /* A single query of a short word is no work for a team. */
    const struct attune_context_options options = {.struct_size = sizeof options, .threads = 1};
    struct attune_problem problem;
    struct attune_args *args = &model->args;
    describe_attention(&problem);
    enum attune_status status = attune_context_create(&options, &model->context);
    if (status == ATTUNE_OK)
        status = attune_plan_create(model->context, &problem, &model->plan);
    if (status != ATTUNE_OK)
        return attune_trouble_status(trouble, status);

    args->workspace_size = attune_plan_workspace_size(model->plan);
    args->prepared_size = attune_plan_prepared_size(model->plan);
    args->workspace = model->workspace = malloc(args->workspace_size + 1);
    args->prepared = model->prepared = malloc(args->prepared_size + 1);
    if (!model->workspace || !model->prepared)
        return attune_trouble_memory(trouble, "the attention's workspace");
    attune_plan_describe(model->plan, model->kernels, sizeof model->kernels);
    return 0;
}

/* One tensor of the model, float32 and of just this shape. */
static int find_tensor(struct attune_g2p *model, const char *name, int64_t rows, int64_t columns,
                       const float **data, struct attune_trouble *trouble)
{
    const struct attune_safetensor *tensor = attune_safetensors_find(&model->file, name);
    const int32_t rank = columns ? 2 : 1;
    if (!tensor || tensor->dtype != ATTUNE_F32 || tensor->rank != rank || tensor->size[0] != rows ||
        (columns && tensor->size[1] != columns))
        return attune_trouble_set(trouble, ATTUNE_EXIT_USE,
                                  "no float32 tensor %s of this model's shape", name);
    *data = tensor->data;
    return 0;
}

static int find_gru(struct attune_g2p *model, const char *name, const char *suffix, int64_t inputs,
                    int64_t units, struct gru *gru, struct attune_trouble *trouble)
{
    static const char *const parts[4] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
    const float **const data[4] = {&gru->weight_ih, &gru->weight_hh, &gru->bias_ih, &gru->bias_hh};
    const int64_t columns[4] = {inputs, units, 0, 0};
    gru->inputs = inputs;
    gru->units = units;
    for (int i = 0; i < 4; i++) {
        char whole[64];
        snprintf(whole, sizeof whole, "%s.%s%s", name, parts[i], suffix);
        const int code = find_tensor(model, whole, 3 * units, columns[i], data[i], trouble);
        if (code)
            return code;
    }
    return 0;
}

static json_t *find_names(const struct attune_g2p *model, const char *key)
{
    const char *text = attune_safetensors_metadata(&model->file, key);
    json_t *names = text ? json_loads(text, 0, NULL) : NULL;
    return names;
}

static int find_weights(struct attune_g2p *model, struct attune_trouble *trouble)
{
    model->letters = find_names(model, "letters");
    model->phonemes = find_names(model, "phonemes");
    const int64_t letters = (int64_t)json_array_size(model->letters);
    const int64_t phonemes = (int64_t)json_array_size(model->phonemes);
    const float *w_query = NULL, *w_key = NULL, *bias_hidden = NULL, *score_vector = NULL;
    const struct {
        const char *name;
        int64_t rows, columns;
        const float **data;
    } wanted[] = {
        {"emb.weight", letters, EMBEDDING, &model->letter_embedding},
        {"pemb.weight", phonemes, EMBEDDING, &model->phoneme_embedding},
        {"out.weight", phonemes, (int64_t)2 * STATE, &model->out_weight},
        {"out.bias", phonemes, 0, &model->out_bias},
        {"att.wq.weight", SCORE, STATE, &w_query},
        {"att.wk.weight", SCORE, STATE, &w_key},
        {"att.wq.bias", SCORE, 0, &bias_hidden},
        {"att.v", SCORE, 0, &score_vector},
    };
    if (index_of(model->phonemes, "<s>", 3) < 0)
        return attune_trouble_set(trouble, ATTUNE_EXIT_USE,
                                  "metadata phonemes: no list of phonemes");
    int code = 0;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted && !code; i++)
        code = find_tensor(model, wanted[i].name, wanted[i].rows, wanted[i].columns, wanted[i].data,
                           trouble);
    model->args.in[ATTUNE_IN_W_QUERY] = w_query;
    model->args.in[ATTUNE_IN_W_KEY] = w_key;
    model->args.in[ATTUNE_IN_BIAS_HIDDEN] = bias_hidden;
    model->args.in[ATTUNE_IN_SCORE_VECTOR] = score_vector;
    if (!code)
        code = find_gru(model, "enc", "_l0", EMBEDDING, ENCODER, &model->forward, trouble);
    if (!code)
        code = find_gru(model, "enc", "_l0_reverse", EMBEDDING, ENCODER, &model->backward, trouble);
    if (!code)
        code = find_gru(model, "dec", "", DECODER_INPUT, STATE, &model->decoder, trouble);
    return code;
}

int attune_g2p_load(const char *path, struct attune_g2p **result, struct attune_trouble *trouble)
{
    struct attune_g2p *model = calloc(1, sizeof *model);
    *result = NULL;
    if (!model)
        return attune_trouble_memory(trouble, "the model");
    int code = attune_safetensors_read(path, &model->file, trouble);
    if (code) {
        free(model);
        return code;
    }
    model->args.struct_size = sizeof model->args;
    model->args.in[ATTUNE_IN_QUERY] = model->hidden;
    model->args.in[ATTUNE_IN_KEY] = model->key;
    model->args.in[ATTUNE_IN_KEY_LENGTHS] = &model->key_length;
    model->args.out[ATTUNE_OUT_OUT] = model->attended;
    model->args.out[ATTUNE_OUT_ALIGNMENTS] = model->alignment;
    code = find_weights(model, trouble);
    if (!code)
        code = plan_attention(model, trouble);
    if (code) {
        attune_g2p_free(model);
        return code;
    }
    *result = model;
    return 0;
}

void attune_g2p_free(struct attune_g2p *model)
{
    if (!model)
        return;
    attune_plan_release(model->plan);
    attune_context_release(model->context);
    json_decref(model->letters);
    json_decref(model->phonemes);
    attune_safetensors_free(&model->file);
    free(model->workspace);
    free(model->prepared);
    free(model);
}

const char *attune_g2p_kernels(const struct attune_g2p *model)
{
    return model->kernels;
}

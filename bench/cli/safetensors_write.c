/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing safetensors: the header from the tensors, padded so that the data begins aligned, through
 * output.h, which makes the file appear whole or not at all.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/cli/output.h"
#include "bench/cli/safetensors.h"

enum { HEADER_ALIGNMENT = 8 };

static json_t *describe(const struct attune_safetensor *tensor, size_t begin)
{
    json_t *shape = json_array();

    for (int32_t i = 0; i < tensor->rank; i++)
        (void)json_array_append_new(shape, json_integer(tensor->size[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", tensor->type, "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)begin + (json_int_t)tensor->bytes);
}

/* The header's text, allocated; NULL without memory. */
static char *make_header(const struct attune_safetensor *tensors, size_t count)
{
    json_t *header = json_object();
    size_t begin = 0;
    int failed = header == NULL;
    char *text;

    for (size_t i = 0; i < count && !failed; i++) {
        failed = json_object_set_new(header, tensors[i].name, describe(&tensors[i], begin)) != 0;
        begin += tensors[i].bytes;
    }
    text = failed ? NULL : json_dumps(header, JSON_COMPACT);
    json_decref(header);
    return text;
}

static int write_all(struct attune_output_file *output, const char *header,
                     const struct attune_safetensor *tensors, size_t count,
                     struct attune_trouble *trouble)
{
    size_t length = strlen(header);
    size_t padding = (HEADER_ALIGNMENT - length % HEADER_ALIGNMENT) % HEADER_ALIGNMENT;
    unsigned char prefix[8];
    int code;

    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)((uint64_t)(length + padding) >> (8 * i));
    code = attune_output_write(output, prefix, sizeof prefix, trouble);
    if (code == 0)
        code = attune_output_write(output, header, length, trouble);
    if (code == 0)
        code = attune_output_write(output, "       ", padding, trouble);
    for (size_t i = 0; i < count && code == 0; i++)
        code = attune_output_write(output, tensors[i].data, tensors[i].bytes, trouble);
    return code;
}

int attune_safetensors_write(const char *path, const struct attune_safetensor *tensors,
                             size_t count, struct attune_trouble *trouble)
{
    struct attune_output_file output;
    char *header = make_header(tensors, count);
    int code;

    if (header == NULL)
        return attune_trouble_memory(trouble, "header of the result");
    code = attune_output_open(&output, path, trouble);
    if (code == 0) {
        code = write_all(&output, header, tensors, count, trouble);
        if (code == 0)
            code = attune_output_commit(&output, trouble);
        else
            attune_output_discard(&output);
    }
    free(header);
    return code;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading safetensors: sizes by checked arithmetic, every byte of the data in exactly one tensor,
 * each tensor aligned to its element. What the header says is checked before its data is read.
 */
#include "bench/cli/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/cli/json.h"

enum { PREFIX = 8, DATA_ALIGNMENT = 64 };

static const struct {
    const char *word;
    uint8_t size;
    uint8_t dtype;
} types[] = {
    {"F32", 4, ATTUNE_F32},    {"F16", 2, ATTUNE_F16},    {"BF16", 2, ATTUNE_BF16},
    {"I8", 1, ATTUNE_I8},      {"BOOL", 1, ATTUNE_BOOL},  {"I32", 4, ATTUNE_I32},
    {"I64", 8, ATTUNE_I64},    {"F64", 8, ATTUNE_ABSENT}, {"I16", 2, ATTUNE_ABSENT},
    {"U8", 1, ATTUNE_ABSENT},  {"U16", 2, ATTUNE_ABSENT}, {"U32", 4, ATTUNE_ABSENT},
    {"U64", 8, ATTUNE_ABSENT},
};
enum { TYPE_COUNT = sizeof types / sizeof types[0] };

/* Of a tensor while its entry is read. */
struct extent {
    int64_t begin, end;
};

struct entry {
    struct attune_safetensor tensor;
    struct extent extent;
    size_t element;
};

#define WRONG(...) attune_trouble_set(trouble, ATTUNE_EXIT_USE, __VA_ARGS__)

/* Reads exactly `size` bytes from where the file stands. */
static int read_bytes(int fd, void *to, size_t size, struct attune_trouble *trouble)
{
    char *at = to;

    while (size > 0) {
        ssize_t got = read(fd, at, size < (1u << 30) ? size : (1u << 30));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return attune_trouble_set(trouble, ATTUNE_EXIT_SYSTEM, "cannot read: %s",
                                      strerror(errno));
        if (got == 0)
            return WRONG("truncated: it ended while it was read");
        at += got;
        size -= (size_t)got;
    }
    return 0;
}

/* O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever. */
static int open_regular(const char *path, int *fd, int64_t *size, struct attune_trouble *trouble)
{
    struct stat status;

    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0) {
        int scarce = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO;
        return attune_trouble_set(trouble, scarce ? ATTUNE_EXIT_SYSTEM : ATTUNE_EXIT_USE,
                                  "cannot open: %s", strerror(errno));
    }
    if (fstat(*fd, &status) == 0 && S_ISREG(status.st_mode)) {
        *size = status.st_size;
        return 0;
    }
    (void)close(*fd);
    return WRONG("is %s, not a regular file",
                 S_ISDIR(status.st_mode) ? "a directory" : "a FIFO, socket or device");
}

static int read_header(int fd, int64_t file_size, json_t **header, int64_t *data_size,
                       struct attune_trouble *trouble)
{
    unsigned char prefix[PREFIX];
    uint64_t length = 0;
    char *text;
    int code;

    if (file_size < PREFIX)
        return WRONG("header length: truncated, the file has %" PRId64 " bytes and needs 8 for it",
                     file_size);
    code = read_bytes(fd, prefix, sizeof prefix, trouble);
    if (code != 0)
        return code;
    for (int i = PREFIX - 1; i >= 0; i--)
        length = length << 8 | prefix[i];
    if (length > ATTUNE_SAFETENSORS_MAX_HEADER)
        return WRONG("header length: %" PRIu64 " is over the limit of %d bytes", length,
                     ATTUNE_SAFETENSORS_MAX_HEADER);
    if (length > (uint64_t)(file_size - PREFIX))
        return WRONG("header length: %" PRIu64 ", but only %" PRId64 " bytes follow it", length,
                     file_size - PREFIX);
    text = malloc((size_t)length + 1);
    if (text == NULL)
        return attune_trouble_memory(trouble, "header");
    code = read_bytes(fd, text, (size_t)length, trouble);
    if (code == 0 && (length == 0 || text[0] != '{'))
        code = WRONG("header: does not begin with '{'");
    if (code == 0) {
        *header = attune_json_parse(text, (size_t)length, "header", trouble);
        code = *header != NULL ? 0 : trouble->code;
    }
    free(text);
    *data_size = file_size - PREFIX - (int64_t)length;
    return code;
}

static int check_metadata(json_t *metadata, struct attune_trouble *trouble)
{
    const char *key;
    json_t *value;

    if (!json_is_object(metadata))
        return WRONG("__metadata__: is not an object");
    json_object_foreach (metadata, key, value) {
        if (!json_is_string(value))
            return WRONG("__metadata__: %.64s: is not a string", key);
    }
    return 0;
}

static int read_type(struct entry *entry, const json_t *value, struct attune_trouble *trouble)
{
    char shown[64];

    for (int i = 0; json_is_string(value) && i < TYPE_COUNT; i++) {
        if (strcmp(json_string_value(value), types[i].word) == 0) {
            entry->tensor.type = types[i].word;
            entry->tensor.dtype = types[i].dtype;
            entry->element = types[i].size;
            return 0;
        }
    }
    return WRONG("%.64s: dtype: %s is no known element type", entry->tensor.name,
                 value != NULL ? attune_json_show(value, shown, sizeof shown) : "a missing value");
}

static int read_shape(struct entry *entry, const json_t *value, struct attune_trouble *trouble)
{
    struct attune_safetensor *tensor = &entry->tensor;
    size_t rank = json_array_size(value);
    int empty = 0;

    if (!json_is_array(value))
        return WRONG("%.64s: shape: is not an array", tensor->name);
    if (rank > ATTUNE_SAFETENSORS_MAX_RANK)
        return WRONG("%.64s: shape: %zu axes, at most %d are allowed", tensor->name, rank,
                     ATTUNE_SAFETENSORS_MAX_RANK);
    tensor->rank = (int32_t)rank;
    tensor->count = 1;
    /* An axis of 0 does not excuse the others: the product must fit without it. */
    for (size_t i = 0; i < rank; i++) {
        char shown[64];
        const json_t *item = json_array_get(value, i);
        if (!attune_json_integer(item, &tensor->size[i]) || tensor->size[i] < 0)
            return WRONG("%.64s: shape: axis %zu: %s is not a size", tensor->name, i,
                         attune_json_show(item, shown, sizeof shown));
        empty |= tensor->size[i] == 0;
        if (__builtin_mul_overflow(tensor->count, tensor->size[i] > 0 ? tensor->size[i] : 1,
                                   &tensor->count))
            return WRONG("%.64s: shape: the number of elements is over 2^63", tensor->name);
    }
    if (empty)
        tensor->count = 0;
    return 0;
}

static int read_offsets(struct entry *entry, const json_t *value, int64_t data_size,
                        struct attune_trouble *trouble)
{
    const char *name = entry->tensor.name;
    struct extent *extent = &entry->extent;
    int64_t bytes;

    if (json_array_size(value) != 2 ||
        !attune_json_integer(json_array_get(value, 0), &extent->begin) ||
        !attune_json_integer(json_array_get(value, 1), &extent->end))
        return WRONG("%.64s: data_offsets: is not an array of two integers", name);
    if (extent->begin < 0 || extent->end < extent->begin)
        return WRONG("%.64s: data_offsets: [%" PRId64 ", %" PRId64 "] is not a range", name,
                     extent->begin, extent->end);
    if (extent->end > data_size)
        return WRONG("%.64s: data_offsets: ends at byte %" PRId64 ", but the file has %" PRId64
                     " bytes of data",
                     name, extent->end, data_size);
    if (__builtin_mul_overflow(entry->tensor.count, (int64_t)entry->element, &bytes) ||
        bytes != extent->end - extent->begin)
        return WRONG("%.64s: data_offsets: %" PRId64 " bytes for %" PRId64 " elements of %s", name,
                     extent->end - extent->begin, entry->tensor.count, entry->tensor.type);
    entry->tensor.bytes = (size_t)bytes;
    return 0;
}

static int read_entry(struct entry *entry, const char *name, json_t *value, int64_t data_size,
                      struct attune_trouble *trouble)
{
    const char *key;
    json_t *field;
    int code;

    *entry = (struct entry){.tensor = {.name = name}};
    if (strlen(name) > ATTUNE_SAFETENSORS_MAX_NAME)
        return WRONG("%.64s...: the name is longer than %d bytes", name,
                     ATTUNE_SAFETENSORS_MAX_NAME);
    if (!json_is_object(value))
        return WRONG("%.64s: is not an object with dtype, shape and data_offsets", name);
    json_object_foreach (value, key, field) {
        if (strcmp(key, "dtype") != 0 && strcmp(key, "shape") != 0 &&
            strcmp(key, "data_offsets") != 0)
            return WRONG("%.64s: %.64s: no such field of a tensor", name, key);
    }
    code = read_type(entry, json_object_get(value, "dtype"), trouble);
    if (code == 0)
        code = read_shape(entry, json_object_get(value, "shape"), trouble);
    if (code == 0)
        code = read_offsets(entry, json_object_get(value, "data_offsets"), data_size, trouble);
    return code;
}

static int by_offset(const void *left, const void *right)
{
    const struct extent *a = &((const struct entry *)left)->extent;
    const struct extent *b = &((const struct entry *)right)->extent;

    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return a->end < b->end ? -1 : a->end > b->end;
}

/* Every byte of the data belongs to exactly one tensor. */
static int check_cover(const struct entry *entries, size_t count, int64_t data_size,
                       struct attune_trouble *trouble)
{
    int64_t end = 0;

    for (size_t i = 0; i < count; i++) {
        const struct extent *extent = &entries[i].extent;
        if (extent->begin < end)
            return WRONG("%.64s: data_offsets: bytes from %" PRId64 " on belong to %.64s too",
                         entries[i].tensor.name, extent->begin, entries[i - 1].tensor.name);
        if (extent->begin > end)
            return WRONG("%.64s: data_offsets: bytes %" PRId64 " to %" PRId64
                         " before it belong to no tensor",
                         entries[i].tensor.name, end, extent->begin);
        end = extent->end;
    }
    if (end != data_size)
        return WRONG("data: the last %" PRId64 " bytes belong to no tensor", data_size - end);
    return 0;
}

static int read_entries(json_t *header, int64_t data_size, struct entry **entries, size_t *count,
                        struct attune_trouble *trouble)
{
    const char *name;
    json_t *value;
    int code = 0;

    *count = 0;
    *entries = calloc(json_object_size(header) + 1, sizeof **entries);
    if (*entries == NULL)
        return attune_trouble_memory(trouble, "header");
    json_object_foreach (header, name, value) {
        if (strcmp(name, "__metadata__") == 0)
            code = check_metadata(value, trouble);
        else
            code = read_entry(&(*entries)[(*count)++], name, value, data_size, trouble);
        if (code != 0)
            return code;
    }
    qsort(*entries, *count, sizeof **entries, by_offset);
    return check_cover(*entries, *count, data_size, trouble);
}

static void *allocate_aligned(size_t size)
{
    void *memory = NULL;

    return posix_memalign(&memory, DATA_ALIGNMENT, size > 0 ? size : 1) == 0 ? memory : NULL;
}

/* Reads the data and points the tensors into it; where the file has one unaligned, a copy is made.
 */
static int load_data(int fd, int64_t data_size, const struct entry *entries,
                     struct attune_safetensors *file, struct attune_trouble *trouble)
{
    int code;

    file->data = allocate_aligned((size_t)data_size);
    if (file->data == NULL)
        return attune_trouble_memory(trouble, "tensors");
    code = read_bytes(fd, file->data, (size_t)data_size, trouble);
    for (size_t i = 0; code == 0 && i < file->count; i++) {
        struct attune_safetensor *tensor = &file->tensors[i];
        const char *at = (const char *)file->data + entries[i].extent.begin;
        tensor->data = at;
        if ((size_t)entries[i].extent.begin % entries[i].element != 0) {
            tensor->copy = allocate_aligned(tensor->bytes);
            if (tensor->copy == NULL)
                return attune_trouble_memory(trouble, tensor->name);
            memcpy(tensor->copy, at, tensor->bytes);
            tensor->data = tensor->copy;
        }
    }
    return code;
}

static int read_opened(int fd, int64_t size, struct attune_safetensors *file,
                       struct attune_trouble *trouble)
{
    struct entry *entries = NULL;
    size_t count = 0;
    int64_t data_size = 0;
    int code = read_header(fd, size, &file->header, &data_size, trouble);

    if (code == 0)
        code = read_entries(file->header, data_size, &entries, &count, trouble);
    if (code == 0) {
        file->tensors = calloc(count + 1, sizeof *file->tensors);
        if (file->tensors == NULL)
            code = attune_trouble_memory(trouble, "header");
    }
    if (code == 0) {
        file->count = count;
        for (size_t i = 0; i < count; i++)
            file->tensors[i] = entries[i].tensor;
        code = load_data(fd, data_size, entries, file, trouble);
    }
    free(entries);
    return code;
}

int attune_safetensors_read(const char *path, struct attune_safetensors *file,
                            struct attune_trouble *trouble)
{
    int64_t size = 0;
    int fd;
    int code;

    *file = (struct attune_safetensors){.header = NULL};
    code = open_regular(path, &fd, &size, trouble);
    if (code != 0)
        return code;
    code = read_opened(fd, size, file, trouble);
    (void)close(fd);
    if (code != 0)
        attune_safetensors_free(file);
    return code;
}

void attune_safetensors_free(struct attune_safetensors *file)
{
    for (size_t i = 0; i < file->count; i++)
        free(file->tensors[i].copy);
    free(file->tensors);
    free(file->data);
    json_decref(file->header);
    *file = (struct attune_safetensors){.header = NULL};
}

const struct attune_safetensor *attune_safetensors_find(const struct attune_safetensors *file,
                                                        const char *name)
{
    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    }
    return NULL;
}

const char *attune_safetensors_metadata(const struct attune_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->header, "__metadata__"), key));
}

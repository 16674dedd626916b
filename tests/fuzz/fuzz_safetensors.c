/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole problem file. Half of the inputs are the file byte for byte; of the others the first bytes
 * say how much data follows, the rest is the header, and the prefix is made right, so that the
 * mutations reach what lies behind it. The file is a memory file: nothing touches a disk.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "bench/cli/problem_file.h"
#include "engine/shape.h"
#include "tests/fuzz/fuzz.h"

enum { MODE = 1, DATA_LENGTH = 2, PREFIX = 8 };

static int file = -1;
static char path[64];

static void put(const void *bytes, size_t size, size_t at)
{
    MUST(pwrite(file, bytes, size, (off_t)at) == (ssize_t)size, "memory file");
}

static void make_file(const uint8_t *bytes, size_t size)
{
    if (file < 0) {
        file = memfd_create("fuzz", MFD_CLOEXEC);
        MUST(file >= 0, "memory file");
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    MUST(ftruncate(file, 0) == 0, "memory file");
    if (size < MODE + DATA_LENGTH || (bytes[0] & 1) == 0) {
        put(bytes + (size > 0), size - (size > 0), 0);
        return;
    }
    const size_t data = (size_t)bytes[1] | (size_t)bytes[2] << 8;
    const uint64_t header = size - MODE - DATA_LENGTH;
    uint8_t prefix[PREFIX];
    for (int i = 0; i < PREFIX; i++)
        prefix[i] = (uint8_t)(header >> 8 * i);
    put(prefix, PREFIX, 0);
    put(bytes + MODE + DATA_LENGTH, (size_t)header, PREFIX);
    MUST(ftruncate(file, (off_t)(PREFIX + header + data)) == 0, "memory file");
}

/* Reads every byte of every tensor, and sees that each is where its element may lie. */
static void check_tensors(const struct attune_safetensors *tensors)
{
    volatile uint8_t sum = 0;

    for (size_t i = 0; i < tensors->count; i++) {
        const struct attune_safetensor *tensor = &tensors->tensors[i];
        const size_t element = tensor->count > 0 ? tensor->bytes / (size_t)tensor->count : 1;
        MUST(element * (size_t)tensor->count == tensor->bytes, "%s", tensor->name);
        MUST((uintptr_t)tensor->data % element == 0, "%s is unaligned", tensor->name);
        for (size_t byte = 0; byte < tensor->bytes; byte++)
            sum = (uint8_t)(sum + ((const uint8_t *)tensor->data)[byte]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct attune_trouble trouble = {.text = ""};
    struct attune_problem_file problem;
    struct attune_shape shape;

    make_file(bytes, size);
    int code = attune_problem_file_read(path, &problem, &trouble);
    if (code != 0) {
        fuzz_check_trouble(code, &trouble);
        return 0;
    }
    check_tensors(&problem.tensors);
    MUST(attune_shape_resolve(&problem.problem, &shape) == ATTUNE_OK, "%s", attune_error_detail());
    attune_problem_file_free(&problem);
    return 0;
}

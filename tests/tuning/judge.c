/* SPDX-License-Identifier: Apache-2.0
 *
 * The command's words; what they do is in the other files.
 */
#include "tests/tuning/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attune/attune.h"

struct attune_context *judge_context(int32_t threads, const char *cache)
{
    const struct attune_context_options options = {.struct_size = sizeof options,
                                                   .threads = threads,
                                                   .cache_path = cache != NULL ? cache : ""};
    struct attune_context *context;
    if (setenv("ATTUNE_TUNE", cache != NULL ? "read" : "off", 1) != 0 ||
        attune_context_create(&options, &context) != ATTUNE_OK) {
        (void)fprintf(stderr, "judge: %s\n", attune_error_detail());
        exit(4);
    }
    return context;
}

static int number(const char *text)
{
    char *end;
    const long value = strtol(text, &end, 10);
    return *end == '\0' && value > 0 && value < 1000000 ? (int)value : -1;
}

int main(int argc, char **argv)
{
    const int first = argc > 2 ? number(argv[2]) : -1, second = argc > 3 ? number(argv[3]) : -1;
    if (argc == 4 && strcmp(argv[1], "shapes") == 0 && first > 0 && second > 0)
        return judge_shapes((uint64_t)first, second);
    if (argc > 4 && strcmp(argv[1], "agreement") == 0 && first > 0)
        return judge_agreement(first, argv + 3, argc - 3);
    if (argc > 4 && strcmp(argv[1], "rivals") == 0 && first > 0)
        return judge_rivals(first, argv[3], argv + 4, argc - 4);
    (void)fprintf(stderr, "usage: tuning_judge shapes SEED COUNT\n"
                          "       tuning_judge agreement THREADS CACHE CACHE...\n"
                          "       tuning_judge rivals THREADS CACHE SPEC...\n");
    return 2;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * attune_selftest(): every kernel that a context may use, checked; those that fail are barred in its
 * cache, so that no plan takes them, and one that passes again is freed.
 */
#include <stdio.h>
#include <time.h>

#include "engine/context.h"
#include "engine/status.h"
#include "tuner/selftest.h"

static void judge(struct attune_context *context, const struct attune_kernel *kernel,
                  const struct attune_selftest *result)
{
    char reason[ATTUNE_CACHE_REASON];
    if (result->ratio <= 1) {
        if (attune_cache_barred(context->cache, kernel))
            attune_cache_unbar(context->cache, kernel);
        return;
    }
    (void)snprintf(reason, sizeof reason, "selftest: %.100s", result->detail);
    attune_cache_bar(context->cache, kernel, reason, (int64_t)time(NULL), ATTUNE_LAYER_TUNED);
}

/* On a core of each kind that the context may use; the first wrong result counts, for one list of bars
 * serves them all. 0, or -1 without memory. */
static int check(const struct attune_context *context, const struct attune_kernel *kernel,
                 struct attune_selftest *result)
{
    int code = 0;
    *result = (struct attune_selftest){0};
    for (int kind = 0; code == 0 && result->ratio <= 1; kind++) {
        struct attune_binding *binding = attune_context_enter_kind(context, kind);
        if (kind > 0 && binding == NULL)
            break;
        code = attune_selftest_kernel(kernel, result);
        attune_topology_leave(binding);
    }
    return code;
}

int32_t attune_selftest(struct attune_context *context, attune_selftest_report *report, void *user)
{
    int32_t wrong = 0;
    attune_detail_clear();
    if (context == NULL) {
        (void)attune_fail(ATTUNE_ERROR_INVALID, "context: NULL");
        return -1;
    }
    for (int i = 0; i < attune_kernel_count(); i++) {
        const struct attune_kernel *kernel = attune_kernel_at(i);
        struct attune_selftest result;
        if (!attune_kernel_usable(kernel, context->features))
            continue;
        if (check(context, kernel, &result) != 0) {
            (void)attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for a self-test");
            return -1;
        }
        judge(context, kernel, &result);
        wrong += !(result.ratio <= 1);
        if (report != NULL)
            report(user, kernel->name, result.ratio, result.detail);
    }
    return wrong;
}

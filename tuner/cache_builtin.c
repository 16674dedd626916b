/* SPDX-License-Identifier: Apache-2.0
 *
 * The cache that was compiled in: bytes that the build makes of the file that CMake's option of this name
 * names. Like any cache file it is checked when it is read, not here.
 */
#include "tuner/cache_layers.h"

#ifdef ATTUNE_BUILTIN_CACHE
static const unsigned char bytes[] = {
#include ATTUNE_BUILTIN_CACHE
};
static const size_t length = sizeof bytes;
#else
static const unsigned char *const bytes = NULL;
static const size_t length = 0;
#endif

const void *attune_cache_builtin(size_t *size)
{
    *size = length;
    return bytes;
}

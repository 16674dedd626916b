/* SPDX-License-Identifier: Apache-2.0
 *
 * host PLUGIN: loads the plug-in, uses it, unloads it, again and again, from the main thread and from
 * threads that end before it is unloaded. What the team's threads stand in must stay mapped.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

typedef int plugin_fn(int threads);

static void *run(void *argument)
{
    return (void *)(intptr_t)((plugin_fn *)(intptr_t)argument)(3);
}

static int use(const char *path, int round)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return printf("%s\n", dlerror()), 0;
    plugin_fn *function = (plugin_fn *)(intptr_t)dlsym(library, "plugin_run");
    int fine = function != NULL;
    pthread_t thread;
    void *result = (void *)1;
    if (fine && round % 2)
        fine = pthread_create(&thread, NULL, run, (void *)(intptr_t)function) == 0 &&
               pthread_join(thread, &result) == 0 && result != NULL;
    else if (fine)
        fine = function(2 + round % 4);
    return dlclose(library) == 0 && fine;
}

int main(int argc, char **argv)
{
    const struct timespec moment = {0, 20000000};
    int passed = 0, failed = 0;
    for (int round = 0; round < 20 && argc > 1; round++) {
        const int fine = use(argv[1], round);
        passed += fine;
        failed += !fine;
        nanosleep(&moment, NULL);
    }
    printf("%d passed, %d failed\n", passed, failed);
    return passed == 0 || failed != 0;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads one byte beyond a page that borders on PROT_NONE: where this ends well, guard pages show
 * nothing and the kernels' tests under this system prove little.
 */
#include <stdio.h>
#include <sys/mman.h>

int main(void)
{
    enum { PAGE = 4096 };
    volatile char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect((char *)pages + PAGE, PAGE, PROT_NONE) != 0)
        return 1;
    pages[PAGE - 1] = 1;
    printf("inside: %d\n", pages[PAGE - 1]);
    printf("outside: %d\n", pages[PAGE]);
    return 0;
}

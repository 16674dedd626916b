/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of specs are input like any other: from a regular file alone, up to a size, and a line that is not
 * understood as a whole is refused, since a part of it would be measured instead.
 */
#include "bench/cli/spec_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int load(int fd, struct attune_spec_list *list, struct attune_trouble *trouble)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return attune_trouble_set(trouble, ATTUNE_EXIT_USE, "cannot be read: %s", strerror(errno));
    if (S_ISDIR(status.st_mode))
        return attune_trouble_set(trouble, ATTUNE_EXIT_USE, "cannot be read: %s", strerror(EISDIR));
    if (!S_ISREG(status.st_mode))
        return attune_trouble_set(trouble, ATTUNE_EXIT_USE, "is not a regular file");
    if (status.st_size > ATTUNE_SPEC_LIST_MAX)
        return attune_trouble_set(trouble, ATTUNE_EXIT_USE, "has over %d KiB: this is no list of SPECs",
                                  ATTUNE_SPEC_LIST_MAX >> 10);
    const size_t room = (size_t)status.st_size;
    list->text = malloc(room + 1);
    if (!list->text)
        return attune_trouble_memory(trouble, "a list of SPECs");
    while (list->size < room) {
        const ssize_t got = read(fd, list->text + list->size, room - list->size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return attune_trouble_set(trouble, ATTUNE_EXIT_USE, "cannot be read: %s", strerror(errno));
        if (got == 0)
            break;
        list->size += (size_t)got;
    }
    list->text[list->size] = '\0';
    return 0;
}

int attune_spec_list_read(const char *path, struct attune_spec_list *list,
                          struct attune_trouble *trouble)
{
    *list = (struct attune_spec_list){0};
    /* Not waiting for the writer of a FIFO. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return attune_trouble_set(trouble, ATTUNE_EXIT_USE, "cannot be read: %s", strerror(errno));
    const int code = load(fd, list, trouble);
    (void)close(fd);
    if (code)
        attune_spec_list_free(list);
    return code;
}

char *attune_spec_list_next(struct attune_spec_list *list, int *code, struct attune_trouble *trouble)
{
    *code = 0;
    while (list->at < list->size) {
        char *line = list->text + list->at;
        const size_t length = strcspn(line, "\n");
        list->at += length + 1;
        list->line++;
        if (length < list->size - (size_t)(line - list->text) && line[length] == '\0') {
            *code = attune_trouble_set(trouble, ATTUNE_EXIT_USE, "line %d: a byte 0: this is no list of SPECs",
                                       list->line);
            return NULL;
        }
        line[length] = '\0';
        line[strcspn(line, "#\r")] = '\0';
        char *item = line + strspn(line, " \t"), *end = item + strcspn(item, " \t");
        if (end[strspn(end, " \t")] != '\0') {
            *code = attune_trouble_set(trouble, ATTUNE_EXIT_USE,
                                       "line %d: '%.40s': more than one SPEC; a SPEC has no blanks",
                                       list->line, item);
            return NULL;
        }
        *end = '\0';
        if (*item)
            return item;
    }
    return NULL;
}

void attune_spec_list_free(struct attune_spec_list *list)
{
    free(list->text);
    *list = (struct attune_spec_list){0};
}

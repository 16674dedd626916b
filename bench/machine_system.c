/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of /proc and /sys, any of which may be absent, in a container above all.
 */
#include "bench/machine_system.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "arch/quota.h"

static const char cpufreq[] = "/sys/devices/system/cpu/cpu0/cpufreq/";

/* The first line of a small file, "" where there is none. */
static const char *first_line(const char *folder, const char *name, char *text, size_t size)
{
    char path[160];
    snprintf(path, sizeof path, "%s%s", folder, name);
    text[0] = '\0';
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return text;
    const ssize_t got = read(fd, text, size - 1);
    (void)close(fd);
    text[got > 0 ? got : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static void set_text(json_t *object, const char *key, const char *text)
{
    json_t *value = text[0] ? json_string(text) : NULL;
    if (value)
        json_object_set_new(object, key, value);
}

/* A number of a file times `unit`; nothing for a word ("max") or 0. */
static void set_number(json_t *object, const char *key, const char *folder, const char *name,
                       double unit)
{
    char text[64];
    const double number = strtod(first_line(folder, name, text, sizeof text), NULL);
    if (number > 0 && !json_object_get(object, key))
        json_object_set_new(object, key, json_real(number * unit));
}

/* The value of the first line of /proc/cpuinfo that begins with `key`. */
static const char *cpuinfo(const char *key, char *text, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char *line = NULL;
    size_t room = 0;
    text[0] = '\0';
    while (file && text[0] == '\0' && getline(&line, &room, file) > 0) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, key, strlen(key)) == 0 && colon)
            snprintf(text, size, "%s", colon + 1);
    }
    free(line);
    if (file)
        fclose(file);
    return text;
}

static void set_frequency(json_t *object)
{
    char text[64];
    set_number(object, "frequency_hz", cpufreq, "scaling_cur_freq", 1e3);
    set_number(object, "frequency_max_hz", cpufreq, "cpuinfo_max_freq", 1e3);
    set_text(object, "governor", first_line(cpufreq, "scaling_governor", text, sizeof text));
    set_text(object, "boost",
             first_line("/sys/devices/system/cpu/cpufreq/", "boost", text, sizeof text));
    const double mhz = strtod(cpuinfo("cpu MHz", text, sizeof text), NULL);
    if (mhz > 0 && !json_object_get(object, "frequency_hz"))
        json_object_set_new(object, "frequency_hz", json_real(1e6 * mhz));
}

/* "always [madvise] never": the word in brackets. */
static void set_huge_pages(json_t *object)
{
    char text[96];
    first_line("/sys/kernel/mm/transparent_hugepage/", "enabled", text, sizeof text);
    const char *open_bracket = strchr(text, '[');
    char *close_bracket = strchr(text, ']');
    if (open_bracket && close_bracket && open_bracket < close_bracket) {
        *close_bracket = '\0';
        set_text(object, "huge_pages", open_bracket + 1);
    }
}

static void set_limits(json_t *object)
{
    const int quota = attune_quota_cpus("/proc/self/cgroup", "/sys/fs/cgroup");
    if (quota > 0)
        json_object_set_new(object, "quota_cpus", json_integer(quota));
    set_number(object, "cgroup_memory", "/sys/fs/cgroup/", "memory.max", 1);
    /* Version 1 tells "no limit" as a number beyond any memory. */
    set_number(object, "cgroup_memory", "/sys/fs/cgroup/memory/", "memory.limit_in_bytes", 1);
    if (json_real_value(json_object_get(object, "cgroup_memory")) > 0x1p60)
        json_object_del(object, "cgroup_memory");
}

json_t *attune_machine_system(void)
{
    json_t *object = json_object();
    char flags[8192];
    struct utsname name;
    double load;
    if (!object)
        return NULL;
    if (uname(&name) == 0) {
        set_text(object, "kernel", name.release);
        set_text(object, "arch", name.machine);
    }
    cpuinfo("flags", flags, sizeof flags);
    if (flags[0])
        json_object_set_new(object, "hypervisor",
                            json_boolean(strstr(flags, " hypervisor") != NULL));
    set_frequency(object);
    set_huge_pages(object);
    set_limits(object);
    if (getloadavg(&load, 1) == 1)
        json_object_set_new(object, "load", json_real(load));
    return object;
}

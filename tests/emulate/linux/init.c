/* SPDX-License-Identifier: Apache-2.0
 *
 * The first and only process of the emulated machine: runs the lines of /commands one after the other
 * (words are separated by blanks, NAME=VALUE before the command sets its environment), reports how
 * each ended, and switches the machine off.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { MAX_WORDS = 64 };

static void mount_at(const char *type, const char *place)
{
    mkdir(place, 0755);
    if (mount(type, place, type, 0, NULL) != 0)
        printf("init: cannot mount %s\n", place);
}

static void open_console(void)
{
    struct termios mode;
    const int console = open("/dev/ttyS0", O_RDWR | O_NOCTTY);
    for (int i = 0; i < 3; i++)
        dup2(console, i);
    if (tcgetattr(1, &mode) == 0) {
        mode.c_oflag &= ~(tcflag_t)OPOST;
        tcsetattr(1, TCSANOW, &mode);
    }
}

static int run(char *line)
{
    char *words[MAX_WORDS + 1];
    int count = 0, first = 0, status = 0;
    for (char *word = strtok(line, " \n"); word != NULL && count < MAX_WORDS; word = strtok(NULL, " \n"))
        words[count++] = word;
    words[count] = NULL;
    if (count == 0)
        return 0;
    const pid_t child = fork();
    if (child == 0) {
        while (first < count && strchr(words[first], '=') != NULL)
            putenv(words[first++]);
        execv(words[first], words + first);
        perror(words[first]);
        _exit(127);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void power_off(void)
{
    tcdrain(1);
    if (iopl(3) == 0)
        for (const char *word = "Shutdown"; *word != '\0'; word++)
            outb((unsigned char)*word, 0x8900); /* Bochs ends at this word */
}

int main(void)
{
    static char line[4096];
    int failed = 0;
    mount_at("devtmpfs", "/dev");
    open_console();
    mount_at("proc", "/proc");
    mount_at("sysfs", "/sys");
    mount_at("tmpfs", "/dev/shm");
    setenv("HOME", "/", 1);
    setenv("TERM", "dumb", 1);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("@@BEGIN\n");
    FILE *commands = fopen("/commands", "r");
    while (commands != NULL && fgets(line, sizeof line, commands) != NULL) {
        printf("$ %s", line);
        const int code = run(line);
        if (code != 0) {
            printf("exit status %d\n", code);
            failed++;
        }
    }
    printf("@@END %d\n", commands == NULL || failed != 0);
    power_off();
    for (;;)
        pause();
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The ROM's C part: loads the static ELF program that Bochs put at IMAGE, runs it in ring 0 and serves
 * the few system calls of Linux that a program without threads or files makes. Memory protection is
 * real: a guard page faults, and a fault ends the machine. A Linux kernel at IMAGE is booted instead.
 * Knows nothing of what it runs.
 */
#include <stddef.h>
#include <stdint.h>

#include "layout.h"

enum { PAGE = 4096, PRESENT = 1, WRITABLE = 2, USER = 4, TAKEN = 1 << 9 };
enum { HEAP_PAGES = (HEAP_LIMIT - HEAP) / PAGE };
enum { ENOENT = 2, ENOMEM = 12, ENODEV = 19, EINVAL = 22, ENOTTY = 25, ENOSYS = 38 };

extern char exception_entries[];
void enter_program(uint64_t entry, uint64_t stack) __attribute__((noreturn));
int64_t system_call(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6,
                    uint64_t number);
void enter_linux(uint64_t entry, uint64_t parameters) __attribute__((noreturn));
void exception(const uint64_t *frame);
void kernel_main(void);

static uint64_t program_break;
static uint64_t next_page; /* where the search for free pages goes on */

static void out_byte(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static uint64_t time_stamp(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static void write_msr(uint32_t number, uint64_t value)
{
    __asm__ volatile("wrmsr" ::"c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static void zero(uint64_t address, uint64_t size)
{
    __asm__ volatile("rep stosb" : "+D"(address), "+c"(size) : "a"(0) : "memory");
}

static void copy(uint64_t to, uint64_t from, uint64_t size)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size)::"memory");
}

/* Port 0xe9 is Bochs's standard output. */
static void print_bytes(const char *text, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++)
        out_byte(0xe9, (uint8_t)text[i]);
}

static void print(const char *text)
{
    while (*text != '\0')
        out_byte(0xe9, (uint8_t)*text++);
}

static void print_number(uint64_t value, uint64_t base)
{
    char digits[24];
    int first = 24;
    do {
        digits[--first] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    print_bytes(digits + first, (uint64_t)(24 - first));
}

/* The runner cuts the program's output out between @@START and @@EXIT. */
static void __attribute__((noreturn)) power_off(uint64_t status)
{
    print("\n@@EXIT ");
    print_number(status, 10);
    print("\n");
    for (const char *word = "Shutdown"; *word != '\0'; word++)
        out_byte(0x8900, (uint8_t)*word);
    for (;;)
        __asm__ volatile("hlt");
}

static int has_error_code(uint64_t vector)
{
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;
}

void exception(const uint64_t *frame)
{
    const uint64_t vector = frame[0];
    uint64_t address;
    __asm__("movq %%cr2, %0" : "=r"(address));
    print("\nexception ");
    print_number(vector, 10);
    print(" at 0x");
    print_number(frame[1 + has_error_code(vector)], 16);
    print(", last faulting address 0x");
    print_number(address, 16);
    power_off(vector == 6 ? 132 : 139); /* as a shell shows SIGILL and SIGSEGV */
}

static uint64_t *page_entry(uint64_t page)
{
    return (uint64_t *)(uintptr_t)HEAP_TABLES + page;
}

static void set_pages(uint64_t first, uint64_t count, uint64_t bits)
{
    for (uint64_t i = first; i < first + count; i++) {
        const uint64_t address = HEAP + i * PAGE;
        *page_entry(i) = bits != 0 ? address | bits : 0;
        __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory");
    }
}

static uint64_t protection_bits(uint64_t protection)
{
    return TAKEN | (protection != 0 ? PRESENT | USER : 0) | ((protection & 2) != 0 ? WRITABLE : 0);
}

/* First fit, from where the last search ended. HEAP_PAGES when there is none. */
static uint64_t find_pages(uint64_t count)
{
    for (int pass = 0; pass < 2; pass++) {
        uint64_t run = 0;
        for (uint64_t i = next_page; i < HEAP_PAGES; i++) {
            run = (*page_entry(i) & TAKEN) != 0 ? 0 : run + 1;
            if (run == count)
                return i + 1 - count;
        }
        next_page = 0;
    }
    return HEAP_PAGES;
}

static uint64_t pages_of(uint64_t size)
{
    return (size + PAGE - 1) / PAGE;
}

static int in_heap(uint64_t address, uint64_t size)
{
    return address % PAGE == 0 && address >= HEAP && address < HEAP_LIMIT &&
           size <= HEAP_LIMIT - address;
}

static int64_t map_memory(uint64_t address, uint64_t size, uint64_t protection, uint64_t flags)
{
    enum { MAP_FIXED = 0x10, MAP_ANONYMOUS = 0x20 };
    const uint64_t count = pages_of(size);
    uint64_t first;
    if ((flags & MAP_ANONYMOUS) == 0)
        return -ENODEV;
    if ((flags & MAP_FIXED) != 0) {
        if (!in_heap(address, size))
            return -EINVAL;
        first = (address - HEAP) / PAGE;
    } else {
        first = count == 0 ? HEAP_PAGES : find_pages(count);
        if (first == HEAP_PAGES)
            return -ENOMEM;
        next_page = first + count;
    }
    set_pages(first, count, protection_bits(3));
    zero(HEAP + first * PAGE, count * PAGE);
    set_pages(first, count, protection_bits(protection));
    return (int64_t)(HEAP + first * PAGE);
}

static int64_t remap_memory(uint64_t address, uint64_t old_size, uint64_t new_size)
{
    const int64_t moved = map_memory(0, new_size, 3, 0x20);
    if (moved < 0)
        return moved;
    copy((uint64_t)moved, address, old_size < new_size ? old_size : new_size);
    set_pages((address - HEAP) / PAGE, pages_of(old_size), 0);
    return moved;
}

static int64_t write_vector(const uint64_t *vector, uint64_t count)
{
    int64_t written = 0;
    for (uint64_t i = 0; i < count; i++) {
        print_bytes((const char *)(uintptr_t)vector[2 * i], vector[2 * i + 1]);
        written += (int64_t)vector[2 * i + 1];
    }
    return written;
}

/* The machine counts 50 million ticks a second (ips in run.sh). */
static int64_t clock_time(uint64_t result)
{
    const uint64_t nanoseconds = time_stamp() * 20;
    uint64_t *pair = (uint64_t *)(uintptr_t)result;
    pair[0] = nanoseconds / 1000000000;
    pair[1] = nanoseconds % 1000000000;
    return 0;
}

/* Descriptors 0 to 2 are a terminal, so that the program writes line by line. */
static int64_t file_status(uint64_t descriptor, uint64_t result)
{
    if (descriptor > 2)
        return -ENOENT;
    zero(result, 144);
    *(uint32_t *)(uintptr_t)(result + 24) = 0020620;
    *(uint64_t *)(uintptr_t)(result + 40) = 0x8801;
    *(uint64_t *)(uintptr_t)(result + 56) = 1024;
    return 0;
}

static int64_t move_break(uint64_t address)
{
    if (address >= program_break && address < BREAK_LIMIT) {
        zero(program_break, address - program_break);
        program_break = address;
    }
    return (int64_t)program_break;
}

static int64_t random_bytes(uint64_t to, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++)
        *(uint8_t *)(uintptr_t)(to + i) = (uint8_t)(time_stamp() * 2654435761u >> 13);
    return (int64_t)size;
}

int64_t system_call(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6,
                    uint64_t number)
{
    (void)a5;
    (void)a6;
    switch (number) {
    case 0: /* read */
        return 0;
    case 1: /* write */
        print_bytes((const char *)(uintptr_t)a2, a3);
        return (int64_t)a3;
    case 20:
        return write_vector((const uint64_t *)(uintptr_t)a2, a3);
    case 5: /* fstat */
        return file_status(a1, a2);
    case 262: /* newfstatat */
        return file_status(a1, a3);
    case 9:
        return map_memory(a1, a2, a3, a4);
    case 10: /* mprotect */
        if (in_heap(a1, a2))
            set_pages((a1 - HEAP) / PAGE, pages_of(a2), protection_bits(a3));
        return 0;
    case 11: /* munmap */
        if (!in_heap(a1, a2))
            return -EINVAL;
        set_pages((a1 - HEAP) / PAGE, pages_of(a2), 0);
        return 0;
    case 25:
        return remap_memory(a1, a2, a3);
    case 12:
        return move_break(a1);
    case 16: /* ioctl: TCGETS alone */
        if (a2 != 0x5401 || a1 > 2)
            return -ENOTTY;
        zero(a3, 36);
        return 0;
    case 228: /* clock_gettime */
        return clock_time(a2);
    case 158: /* arch_prctl: ARCH_SET_FS alone */
        if (a1 != 0x1002)
            return -EINVAL;
        write_msr(0xc0000100, a2);
        return 0;
    case 204: /* sched_getaffinity: one CPU */
        zero(a3, a2);
        *(uint8_t *)(uintptr_t)a3 = 1;
        return 8;
    case 302: /* prlimit64 */
        if (a4 != 0) {
            ((uint64_t *)(uintptr_t)a4)[0] = 8 << 20;
            ((uint64_t *)(uintptr_t)a4)[1] = UINT64_MAX;
        }
        return 0;
    case 318:
        return random_bytes(a1, a2);
    case 60: /* exit */
    case 231:
        power_off(a1 & 255);
    case 200: /* tkill */
    case 234: /* tgkill: abort() */
        print("\nsignal ");
        print_number(number == 200 ? a2 : a3, 10);
        power_off(128 + (number == 200 ? a2 : a3));
    case 39: /* getpid, gettid, set_tid_address */
    case 186:
    case 218:
        return 1;
    case 3:  /* close, rt_sigaction, rt_sigprocmask, sched_yield, madvise, sigaltstack, futex */
    case 13:
    case 14:
    case 24:
    case 28:
    case 131:
    case 202:
        return 0;
    case 2: /* open, access, readlink, openat, readlinkat, faccessat, faccessat2 */
    case 21:
    case 89:
    case 257:
    case 267:
    case 269:
    case 439:
        return -ENOENT;
    case 273: /* set_robust_list, rseq */
    case 334:
        return -ENOSYS;
    default:
        print("[system call ");
        print_number(number, 10);
        print(" is not served]\n");
        return -ENOSYS;
    }
}

static void set_exception_handlers(void)
{
    uint64_t *table = (uint64_t *)(uintptr_t)IDT_BASE;
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = {32 * 16 - 1, IDT_BASE};
    for (uint64_t i = 0; i < 32; i++) {
        const uint64_t handler = (uint64_t)(uintptr_t)exception_entries + 16 * i;
        table[2 * i] = (handler & 0xffff) | 0x10ull << 16 | 0x8e00ull << 32 |
                       (handler >> 16 & 0xffff) << 48;
        table[2 * i + 1] = handler >> 32;
    }
    __asm__ volatile("lidt %0" ::"m"(pointer));
}

/* Register state that the "operating system" saves: all that the CPU has, cut by the runner's mask. */
static void enable_state(uint64_t mask)
{
    uint32_t a = 0xd, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    a = (uint32_t)((a & 0xe7 & mask) | 3);
    __asm__ volatile("xsetbv" ::"a"(a), "d"(0), "c"(0));
}

static uint64_t read_number(const char **text)
{
    uint64_t value = 0;
    while (**text != '\0')
        value = value * 10 + (uint64_t)(*(*text)++ - '0');
    ++*text;
    return value;
}

struct program {
    uint64_t entry, headers, header_size, header_count, end;
};

static int load_program(struct program *program)
{
    const uint8_t *file = (const uint8_t *)(uintptr_t)IMAGE;
    if (*(const uint32_t *)file != 0x464c457f || file[4] != 2)
        return 0;
    const uint64_t table = *(const uint64_t *)(file + 32);
    program->entry = *(const uint64_t *)(file + 24);
    program->header_size = *(const uint16_t *)(file + 54);
    program->header_count = *(const uint16_t *)(file + 56);
    program->headers = program->end = 0;
    for (uint64_t i = 0; i < program->header_count; i++) {
        const uint8_t *header = file + table + i * program->header_size;
        const uint64_t offset = *(const uint64_t *)(header + 8);
        const uint64_t address = *(const uint64_t *)(header + 16);
        const uint64_t in_file = *(const uint64_t *)(header + 32);
        const uint64_t in_memory = *(const uint64_t *)(header + 40);
        if (*(const uint32_t *)header != 1) /* PT_LOAD */
            continue;
        if (address < 0x200000 || address + in_memory > BREAK_LIMIT)
            return 0;
        copy(address, IMAGE + offset, in_file);
        zero(address + in_file, in_memory - in_file);
        if (address + in_memory > program->end)
            program->end = address + in_memory;
        if (offset == 0)
            program->headers = address + table;
    }
    return 1;
}

/* argc, argv, environment and auxiliary vector as the ABI wants them. Strings end in an empty one;
 * "--" alone separates arguments from environment. */
static uint64_t build_stack(const char *strings, const struct program *program)
{
    uint64_t *stack = (uint64_t *)(uintptr_t)(PROGRAM_STACK - 8192), at = 1;
    uint32_t a = 1, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    while (!(strings[0] == '-' && strings[1] == '-' && strings[2] == '\0')) {
        stack[at++] = (uint64_t)(uintptr_t)strings;
        while (*strings++ != '\0') {
        }
    }
    stack[0] = at - 1;
    stack[at++] = 0;
    strings += 3;
    while (*strings != '\0') {
        stack[at++] = (uint64_t)(uintptr_t)strings;
        while (*strings++ != '\0') {
        }
    }
    stack[at++] = 0;
    const uint64_t vector[] = {
        3, program->headers, 4, program->header_size, 5, program->header_count, 6, PAGE,
        9, program->entry, 11, 0, 12, 0, 13, 0, 14, 0, 16, d, 17, 100, 23, 0,
        15, (uint64_t)(uintptr_t) "x86_64", 25, PROGRAM_STACK - 64, 0, 0};
    copy((uint64_t)(uintptr_t)(stack + at), (uint64_t)(uintptr_t)vector, sizeof vector);
    return (uint64_t)(uintptr_t)stack;
}

/* A file that is no program may be a Linux kernel followed, from the next page on, by its initial file
 * system: enters it as the 64-bit boot protocol says. Strings: the file's sizes, the command line. */
static void boot_linux(const char *strings)
{
    enum { PARAMETERS = 0x90000, LOAD = 0x1000000, HEADER = 0x1f1, E820 = 0x2d0 };
    const uint8_t *file = (const uint8_t *)(uintptr_t)IMAGE;
    if (*(const uint32_t *)(file + 0x202) != 0x53726448) /* HdrS */
        return;
    const uint64_t size = read_number(&strings), archive_size = read_number(&strings);
    const uint64_t megabytes = read_number(&strings);
    const uint64_t real_mode = (file[HEADER] + 1u) * 512u;
    zero(PARAMETERS, PAGE);
    copy(PARAMETERS + HEADER, IMAGE + HEADER, 0x202u + file[0x201] - HEADER);
    uint8_t *parameters = (uint8_t *)(uintptr_t)PARAMETERS;
    parameters[0x210] = 0xff;                                             /* a loader without a number */
    *(uint32_t *)(parameters + 0x218) = IMAGE + (uint32_t)pages_of(size) * PAGE; /* ramdisk_image */
    *(uint32_t *)(parameters + 0x21c) = (uint32_t)archive_size;
    *(uint32_t *)(parameters + 0x228) = (uint32_t)(uintptr_t)strings; /* cmd_line_ptr */
    const struct {
        uint64_t address, size;
        uint32_t type;
    } __attribute__((packed)) memory[] = {{0, 0x9f000, 1},
                                          {0x100000, (megabytes << 20) - 0x100000, 1}};
    copy(PARAMETERS + E820, (uint64_t)(uintptr_t)memory, sizeof memory);
    parameters[0x1e8] = sizeof memory / sizeof *memory;
    copy(LOAD, IMAGE + real_mode, size - real_mode);
    enter_linux(LOAD + 0x200, PARAMETERS);
}

void kernel_main(void)
{
    const char *strings = (const char *)(uintptr_t)ARGUMENTS;
    struct program program;
    next_page = 0;
    set_exception_handlers();
    print("@@START\n");
    enable_state(read_number(&strings));
    if (!load_program(&program)) {
        boot_linux(strings);
        print("neither a static x86-64 program nor a Linux kernel\n");
        power_off(127);
    }
    program_break = (program.end + PAGE - 1) / PAGE * PAGE;
    enter_program(program.entry, build_stack(strings, &program));
}

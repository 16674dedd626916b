/* SPDX-License-Identifier: Apache-2.0
 *
 * Where things lie in the emulated machine's memory; read by assembler and C alike. Physical
 * addresses are virtual addresses.
 */
#ifndef ATTUNE_EMULATE_LAYOUT_H
#define ATTUNE_EMULATE_LAYOUT_H

#define ROM_BASE 0xffff0000      /* 64 KiB, mirrored below 1 MiB while the CPU is in real mode */
#define TABLES_BASE 0x00100000   /* page tables: level 4, 3, four of level 2, then those of level 1 */
#define TABLES_SIZE 0x00080000
#define LOW_TABLE 0x00106000     /* level 1 of the first 2 MiB, whose page 0 is not mapped */
#define HEAP_TABLES 0x00107000   /* level 1 of the heap, one after the other */
#define KERNEL_STACK 0x001f0000
#define IDT_BASE 0x001f8000
#define KERNEL_DATA 0x001fc000
#define PROGRAM_STACK 0x0fe00000 /* grows down from here */
#define BREAK_LIMIT 0x0f000000   /* brk() ends here */
#define ARGUMENTS 0x0ff00000     /* the runner's strings, see run.sh */
#define IMAGE 0x10000000         /* the ELF file as it is on disk */
#define IMAGE_LIMIT 0x14000000
#define HEAP IMAGE_LIMIT         /* mmap(): 4 KiB pages, so that mprotect() works */
#define HEAP_LIMIT 0x20000000    /* end of the machine's memory */
#define MEGABYTES 512

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * The ROM's assembler part: from the reset vector to 64-bit mode with paging, then kernel_main; the
 * entries of system calls and exceptions. Everything runs in ring 0.
 */
#include "layout.h"

#define CODE32 0x08
#define CODE64 0x10                 /* the selectors that Linux's boot protocol asks for */
#define DATA 0x18

    .section .text.start, "ax"
    .code16
start16:
    cli
    /* The reset's CS has base 0xffff0000; everything is addressed through it until the far jump. */
    inb $0x92, %al
    orb $2, %al
    outb %al, $0x92                 /* the A20 line */
    lgdtl %cs:gdt_pointer - ROM_BASE
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $CODE32, $start32

    .code32
start32:
    movw $DATA, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    /* Bochs gives host memory to the guest's blocks in the order of first touch, yet loaded the image
     * in one run from its first block on: walk the image's blocks in order before any other. */
    movl $IMAGE, %esi
1:  movl (%esi), %eax
    addl $0x10000, %esi
    cmpl $HEAP_LIMIT, %esi
    jb 1b

    cld
    movl $TABLES_BASE, %edi
    xorl %eax, %eax
    movl $TABLES_SIZE / 4, %ecx
    rep stosl
    movl $TABLES_BASE + 0x1007, TABLES_BASE
    movl $TABLES_BASE + 0x2007, TABLES_BASE + 0x1000
    movl $TABLES_BASE + 0x3007, TABLES_BASE + 0x1008
    movl $TABLES_BASE + 0x4007, TABLES_BASE + 0x1010
    movl $TABLES_BASE + 0x5007, TABLES_BASE + 0x1018
    /* 4 GiB in pages of 2 MiB ... */
    movl $TABLES_BASE + 0x2000, %edi
    movl $0x87, %eax
1:  movl %eax, (%edi)
    addl $8, %edi
    addl $0x200000, %eax
    jnc 1b
    /* ... but the first 2 MiB in small ones, without page 0: a null pointer faults ... */
    movl $LOW_TABLE + 7, TABLES_BASE + 0x2000
    movl $LOW_TABLE + 8, %edi
    movl $0x1007, %eax
1:  movl %eax, (%edi)
    addl $8, %edi
    addl $0x1000, %eax
    cmpl $0x200000, %eax
    jb 1b
    /* ... and the heap too, nothing mapped yet. */
    movl $TABLES_BASE + 0x2000 + (HEAP >> 21) * 8, %edi
    movl $HEAP_TABLES + 7, %eax
    movl $(HEAP_LIMIT - HEAP) >> 21, %ecx
1:  movl %eax, (%edi)
    addl $8, %edi
    addl $0x1000, %eax
    loop 1b

    movl $0x40620, %eax             /* PAE, OSFXSR, OSXMMEXCPT, OSXSAVE */
    movl %eax, %cr4
    movl $TABLES_BASE, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx          /* EFER: long mode, SYSCALL */
    rdmsr
    orl $0x101, %eax
    wrmsr
    movl $0x80010033, %eax          /* paging, write protection in ring 0, x87 */
    movl %eax, %cr0
    ljmpl $CODE64, $start64

    .code64
start64:
    movw $DATA, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $KERNEL_STACK, %esp
    fninit
    movabsq $system_call_entry, %rax
    movq %rax, %rdx
    shrq $32, %rdx
    movl $0xc0000082, %ecx          /* LSTAR */
    wrmsr
    movl $0xc0000081, %ecx          /* STAR: SYSCALL loads CS from bits 32 on, SS from the next entry */
    xorl %eax, %eax
    movl $CODE64, %edx
    wrmsr
    movl $0xc0000084, %ecx          /* FMASK: interrupts, direction and trap flags off */
    movl $0x700, %eax
    xorl %edx, %edx
    wrmsr
    movabsq $kernel_main, %rax
    call *%rax
    hlt

/* SYSCALL left the return address in rcx and the flags in r11. No SYSRET: it would go to ring 3. */
system_call_entry:
    movq %rsp, KERNEL_DATA
    movl $KERNEL_STACK, %esp
    pushq %rcx
    pushq %r11
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %r10
    pushq %r8
    pushq %r9
    subq $8, %rsp
    pushq %rax                      /* system_call(a1 .. a6, number) */
    movq %r10, %rcx
    movabsq $system_call, %rax
    call *%rax
    addq $16, %rsp
    popq %r9
    popq %r8
    popq %r10
    popq %rdx
    popq %rsi
    popq %rdi
    popq %r11
    popq %rcx
    pushq %r11
    popfq
    movq KERNEL_DATA, %rsp
    jmp *%rcx

/* enter_linux(entry, boot parameters) */
    .globl enter_linux
enter_linux:
    movl $TABLES_BASE + 0x2000, %edx /* big pages everywhere again */
    movl $0x87, %eax
    movl $2048, %ecx
1:  movq %rax, (%rdx)
    addq $8, %rdx
    addq $0x200000, %rax
    loop 1b
    movq %cr3, %rax
    movq %rax, %cr3
    jmp *%rdi

/* enter_program(entry, stack) */
    .globl enter_program
enter_program:
    movq %rsi, %rsp
    movq %rdi, %rax
    xorl %edx, %edx                 /* nothing for the program to register with atexit() */
    xorl %ebp, %ebp
    jmp *%rax

/* 32 exception entries of 16 bytes; none returns. An error code, where the CPU pushes one, is dropped
 * by the C side. */
    .globl exception_entries
    .align 16
exception_entries:
    .altmacro
    .macro exception_entry number
    .align 16
    pushq $\number
    jmp exception_common
    .endm
    .set vector, 0
    .rept 32
    exception_entry %vector
    .set vector, vector + 1
    .endr
exception_common:
    movq %rsp, %rdi
    andq $-16, %rsp
    movabsq $exception, %rax
    call *%rax
    hlt

    .section .rodata
    .align 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff        /* CODE32 */
    .quad 0x00af9b000000ffff        /* CODE64 */
    .quad 0x00cf93000000ffff        /* DATA, and SYSCALL's stack segment */
gdt_pointer:
    .word . - gdt - 1
    .long gdt

    .section .reset, "ax"
    .code16
    .byte 0xe9                      /* jmp start16 */
    .word start16 - (. + 2)
    .align 16, 0

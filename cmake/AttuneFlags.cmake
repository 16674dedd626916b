# SPDX-License-Identifier: Apache-2.0
#
# Compiler and linker flags, set on Attune's own targets and on nothing else.
include(CheckCCompilerFlag)
include(CheckLinkerFlag)

set(ATTUNE_WARNINGS -Wall -Wextra -Wconversion -Wshadow -Wvla -Wmissing-prototypes
  -Wstrict-prototypes $<$<BOOL:${ATTUNE_WERROR}>:-Werror>)
# Callers may have 64 KiB of stack; tests/fault/odd.sh runs every command on so little.
set(ATTUNE_FRAME_WARNING -Wframe-larger-than=16384)

set(ATTUNE_HARDENING)
foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection)
  string(MAKE_C_IDENTIFIER "ATTUNE_HAS${flag}" result)
  check_c_compiler_flag(${flag} ${result})
  if(${result})
    list(APPEND ATTUNE_HARDENING ${flag})
  endif()
endforeach()
# FORTIFY needs an optimizing build; a distribution that sets its own level keeps it.
list(APPEND ATTUNE_HARDENING "$<$<NOT:$<CONFIG:Debug,>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
set(ATTUNE_LINK_HARDENING -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
set(ATTUNE_NO_UNDEFINED -Wl,-z,defs)
set(ATTUNE_KERNEL_SPEED -O3)
if(CMAKE_C_FLAGS MATCHES "-fsanitize=")
  # A sanitizer's runtime comes from the executable, and it intercepts what FORTIFY would replace.
  set(ATTUNE_NO_UNDEFINED)
  set(ATTUNE_HARDENING)
  set(ATTUNE_FRAME_WARNING) # guarded variables take several times their room
  # Unrolled and checked at every access, kernels at -O3 take four times as long to compile.
  set(ATTUNE_KERNEL_SPEED -O1)
endif()

# No contraction: an fma stands where the source has one, so that edge tiles keep the same bits.
function(attune_common_flags target)
  target_include_directories(${target} PRIVATE
    ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/engine/include)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  target_compile_options(${target} PRIVATE ${ATTUNE_WARNINGS} ${ATTUNE_FRAME_WARNING}
    -ffp-contract=off -fno-math-errno)
endfunction()

function(attune_flags target)
  attune_common_flags(${target})
  target_compile_options(${target} PRIVATE ${ATTUNE_HARDENING})
endfunction()

# Kernels take sizes that plan and execute have checked and keep their tiles in registers: a canary
# would guard spilled vectors. -fno-lto: a whole-program pass may move one instruction set's code into
# another's functions. Whole lines for a function: where its loops fall in them then depends on it alone, and
# not on what is linked before it, which moved T = 16 by up to 7 %.
function(attune_kernel_flags target)
  attune_common_flags(${target})
  target_compile_options(${target} PRIVATE ${ATTUNE_KERNEL_SPEED} -fno-lto -fno-stack-protector -falign-functions=64
    $<$<BOOL:${ATTUNE_HAS_fcf_protection}>:-fcf-protection>)
endfunction()

/* SPDX-License-Identifier: Apache-2.0
 *
 * Attune: attention on CPUs. The only public header.
 *
 * A context holds threads and limits; a problem describes shapes; a plan is an immutable choice of
 * kernels for a problem; executing a plan reads and writes the caller's memory and nothing else:
 *
 *     context -> problem -> plan -> workspace size -> execute (as often as you like)
 *
 * What each mechanism computes, formula by formula, stands in the README. Sizes and strides are in
 * elements, never bytes, except where a name ends in `_size` of a buffer (bytes). All functions that
 * can fail return an `enum attune_status`; attune_error_detail() then names the field at fault.
 */
#ifndef ATTUNE_H
#define ATTUNE_H

#include <stddef.h>
#include <stdint.h>

#define ATTUNE_VERSION_MAJOR 0
#define ATTUNE_VERSION_MINOR 1
#define ATTUNE_VERSION_PATCH 0

#if defined(__GNUC__)
#define ATTUNE_API __attribute__((visibility("default")))
#else
#define ATTUNE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What a call came to. Values never change. */
enum attune_status {
    ATTUNE_OK = 0,
    ATTUNE_ERROR_INVALID = 1,     /* a field or pointer is wrong; the detail names it */
    ATTUNE_ERROR_UNSUPPORTED = 2, /* well formed, but this library does not compute it */
    ATTUNE_ERROR_OVERFLOW = 3,    /* a size does not fit in 63 bits */
    ATTUNE_ERROR_NO_MEMORY = 4,   /* the allocator, or oneDNN, returned nothing */
    ATTUNE_ERROR_WORKSPACE = 5,   /* workspace absent or smaller than attune_plan_workspace_size() */
    ATTUNE_ERROR_PREPARED = 6,    /* prepared keys of another layout, or none where the plan wants them */
    ATTUNE_ERROR_SYSTEM = 7,      /* the operating system or a library refused */
    ATTUNE_ERROR_UNFIT = 8,       /* the machine is too busy to tune on, or being tuned already */
    ATTUNE_ERROR_CANCELLED = 9    /* a callback asked to stop; what was done by then is kept */
};

enum attune_mechanism {
    ATTUNE_ADDITIVE = 1,
    ATTUNE_MULTIPLICATIVE = 2,
    ATTUNE_SELF = 3,
    ATTUNE_CONVOLUTIONAL = 4,
    ATTUNE_RECURRENT = 5
};

/* 0 means the mechanism's first form; multiplicative has no default. */
enum attune_form {
    ATTUNE_FORM_DEFAULT = 0,
    ATTUNE_DOT = 1,      /* multiplicative, self */
    ATTUNE_GENERAL = 2,  /* multiplicative */
    ATTUNE_CONCAT = 3,   /* multiplicative */
    ATTUNE_PAIRWISE = 4, /* self, convolutional */
    ATTUNE_LOCATION = 5  /* convolutional */
};

enum attune_causal { ATTUNE_CAUSAL_NONE = 0, ATTUNE_TOP_LEFT = 1, ATTUNE_BOTTOM_RIGHT = 2 };
enum attune_recurrence { ATTUNE_SCAN = 0, ATTUNE_STEP = 1 };
/* The stage of the scores that the output `scores` shows. */
enum attune_stage { ATTUNE_MASKED = 0, ATTUNE_RAW = 1, ATTUNE_SOFTCAP = 2 };

/* Element types. 0 is "tensor absent". BOOL is one byte, non-zero is true. */
enum attune_dtype {
    ATTUNE_ABSENT = 0,
    ATTUNE_F32 = 1,
    ATTUNE_F16 = 2,
    ATTUNE_BF16 = 3,
    ATTUNE_I8 = 4,
    ATTUNE_BOOL = 5,
    ATTUNE_I32 = 6,
    ATTUNE_I64 = 7
};

/* Input tensors, by the names of the problem file (attune_input_name). */
enum attune_input {
    ATTUNE_IN_QUERY = 0,
    ATTUNE_IN_KEY,
    ATTUNE_IN_VALUE,
    ATTUNE_IN_Q,
    ATTUNE_IN_K,
    ATTUNE_IN_V,
    ATTUNE_IN_X,
    ATTUNE_IN_W_QUERY,
    ATTUNE_IN_W_KEY,
    ATTUNE_IN_BIAS_HIDDEN,
    ATTUNE_IN_SCORE_VECTOR,
    ATTUNE_IN_WEIGHT,
    ATTUNE_IN_IN_WEIGHT,
    ATTUNE_IN_IN_BIAS,
    ATTUNE_IN_OUT_WEIGHT,
    ATTUNE_IN_OUT_BIAS,
    ATTUNE_IN_STATE,
    ATTUNE_IN_W_STATE,
    ATTUNE_IN_KERNEL,
    ATTUNE_IN_LOCATION_KERNEL,
    ATTUNE_IN_W_LOCATION,
    ATTUNE_IN_PREVIOUS_ALIGNMENTS,
    ATTUNE_IN_WEIGHT_IH,
    ATTUNE_IN_WEIGHT_HH,
    ATTUNE_IN_BIAS_IH,
    ATTUNE_IN_BIAS_HH,
    ATTUNE_IN_W_RECURRENT,
    ATTUNE_IN_KEY_LENGTHS,
    ATTUNE_IN_QUERY_LENGTHS,
    ATTUNE_IN_MASK,
    ATTUNE_IN_BIAS,
    ATTUNE_IN_SINK,
    ATTUNE_IN_KEY_SCALE,
    ATTUNE_IN_VALUE_SCALE,
    ATTUNE_INPUT_COUNT
};
#define ATTUNE_INPUT_SLOTS 48

enum attune_output {
    ATTUNE_OUT_OUT = 0,
    ATTUNE_OUT_ALIGNMENTS,
    ATTUNE_OUT_LSE,
    ATTUNE_OUT_SCORES,
    ATTUNE_OUTPUT_COUNT
};
#define ATTUNE_OUTPUT_SLOTS 8

#define ATTUNE_MAX_RANK 4

/* Shape of one tensor. stride[i] is the distance in elements between neighbours on axis i; 0 on an
 * input broadcasts that axis; negative is an error. An output with rank 0 has its natural shape,
 * packed. */
struct attune_tensor {
    int32_t dtype; /* enum attune_dtype; ATTUNE_ABSENT: not given, or not asked for */
    int32_t rank;
    int64_t size[ATTUNE_MAX_RANK];
    int64_t stride[ATTUNE_MAX_RANK];
};

enum {
    ATTUNE_PREPARED_KEYS = 1u,  /* execute reads keys made ready by attune_plan_prepare() */
    ATTUNE_DETERMINISTIC = 2u   /* nothing that changes bits is taken from a tuning cache */
};

/* A problem: fields of the problem file under the same names. Fill with attune_problem_init(), then
 * set what differs. Zeroed memory with `struct_size` and `mechanism` set is a valid start too. */
struct attune_problem {
    size_t struct_size; /* sizeof(struct attune_problem) */
    int32_t mechanism;  /* enum attune_mechanism */
    int32_t form;       /* enum attune_form */
    int32_t causal;     /* enum attune_causal */
    int32_t recurrence; /* enum attune_recurrence */
    int32_t stage;      /* enum attune_stage: field `scores` of the problem file */
    uint32_t flags;
    int32_t has_score_scale; /* 0: the default (1; 1/sqrt(D) for self dot) */
    int32_t has_output_scale; /* 0: 1 */
    int32_t has_window_left, has_window_right; /* 0: no limit */
    double score_scale;
    double output_scale;
    double softcap;      /* 0: none */
    int64_t heads;       /* self dot over x only */
    int64_t past;        /* keys before the first query, causal none or top_left */
    int64_t window_left; /* -1: no limit */
    int64_t window_right;
    struct attune_tensor in[ATTUNE_INPUT_SLOTS];
    struct attune_tensor out[ATTUNE_OUTPUT_SLOTS];
};

/* Memory for one execution. Pointers need the alignment of their element and nothing more; outputs
 * are float32 and may not overlap an input or each other. */
struct attune_args {
    size_t struct_size; /* sizeof(struct attune_args) */
    const void *in[ATTUNE_INPUT_SLOTS];
    void *out[ATTUNE_OUTPUT_SLOTS];
    void *workspace; /* any alignment */
    size_t workspace_size;
    const void *prepared; /* with ATTUNE_PREPARED_KEYS */
    size_t prepared_size;
};

/* The caller's memory functions; alignment is a power of two >= 16. Must be thread-safe. */
struct attune_allocator {
    void *(*allocate)(void *user, size_t alignment, size_t size);
    void (*release)(void *user, void *pointer);
    void *user;
};

/* A caller's thread pool: call body(argument, i) for every i in [0, count), in any order and from any
 * threads, and return when all are done. */
typedef void attune_parallel_for(void *user, int64_t count,
                                 void (*body)(void *argument, int64_t index), void *argument);

enum attune_log_level { ATTUNE_LOG_WARNING = 1, ATTUNE_LOG_INFO = 2 };

struct attune_context_options {
    size_t struct_size;  /* sizeof(struct attune_context_options) */
    int32_t threads;     /* 0: all that the process may use */
    int32_t no_pinning;  /* non-zero: never bind threads to cores */
    const char *max_isa; /* NULL: $ATTUNE_MAX_ISA, else the best. scalar, avx2, avx512, neon */
    const struct attune_allocator *allocator; /* NULL: malloc */
    attune_parallel_for *parallel_for;        /* NULL: the library's own team */
    void *parallel_for_user;
    void (*log)(void *user, enum attune_log_level level, const char *message);
    void *log_user;
    /* Tuned choices are read when a context is created; for each problem the first of these places that
     * has one is believed: the file at cache_path, the user's own (attune cache path), /etc/attune,
     * what an application ships, and what was compiled in (CMake's ATTUNE_BUILTIN_CACHE). A cache that is wrong, foreign or damaged costs speed, never results;
     * `log` is told. */
    const char *cache_path;    /* NULL: $ATTUNE_CACHE, if set; "": no file is read or written */
    const char *shipped_cache; /* NULL, a file, or a folder of files named as attune cache path says */
    const void *shipped_data;  /* NULL, or the bytes of such a file; several may stand one after another */
    size_t shipped_size;
};

struct attune_context;
struct attune_plan;

/* (major << 16) | (minor << 8) | patch of the library that runs. Thread-safe. */
ATTUNE_API uint32_t attune_version(void);
/* A constant text for a status. Never NULL. Thread-safe. */
ATTUNE_API const char *attune_status_string(enum attune_status status);
/* What the calling thread's last failed call said: the field, its value, what would be right.
 * Never NULL; valid until this thread's next call. */
ATTUNE_API const char *attune_error_detail(void);

/* Names as in the problem file; NULL for a number that is none. Thread-safe. */
ATTUNE_API const char *attune_input_name(int32_t input);
ATTUNE_API const char *attune_output_name(int32_t output);
ATTUNE_API const char *attune_mechanism_name(int32_t mechanism);
ATTUNE_API const char *attune_form_name(int32_t form);
ATTUNE_API const char *attune_dtype_name(int32_t dtype);
/* Bytes of one element, 0 for a dtype that is none. */
ATTUNE_API size_t attune_dtype_size(int32_t dtype);

/* Creates a context. `options` may be NULL. Thread-safe. On failure *context is NULL. */
ATTUNE_API enum attune_status attune_context_create(const struct attune_context_options *options,
                                                    struct attune_context **context);
/* Drops the caller's reference; plans keep their context alive. NULL is allowed. */
ATTUNE_API void attune_context_release(struct attune_context *context);
/* Threads that plans of this context use. */
ATTUNE_API int32_t attune_context_threads(const struct attune_context *context);

/* Takes up the tuned choices of a file, or of the bytes of one: all, or none and a status
 * (ATTUNE_ERROR_INVALID where a line is damaged, names a kernel that this library has not, or where
 * there is nothing for this machine). Plans made afterwards use them. Thread-safe. */
ATTUNE_API enum attune_status attune_cache_load(struct attune_context *context, const char *path);
ATTUNE_API enum attune_status attune_cache_import(struct attune_context *context, const void *data,
                                                  size_t size);
/* Writes all tuned choices that this context knows into the file at `path`, whose other contents stay;
 * with NULL only those that it tuned itself, into the file that it would read first. Safe beside other
 * writers and readers; on failure the old file is untouched. Thread-safe. */
ATTUNE_API enum attune_status attune_cache_save(struct attune_context *context, const char *path);
/* The same as bytes, to ship with a product: writes at most `size`, with a terminating NUL, and returns
 * the full length as snprintf does; 0 on failure. Thread-safe. */
ATTUNE_API size_t attune_cache_export(struct attune_context *context, char *text, size_t size);

/* Sets every field to its default. */
ATTUNE_API void attune_problem_init(struct attune_problem *problem, enum attune_mechanism mechanism);
/* Describes an input as packed, row-major. `size` has `rank` entries. */
ATTUNE_API void attune_problem_input(struct attune_problem *problem, enum attune_input input,
                                     enum attune_dtype dtype, int32_t rank, const int64_t *size);
/* Asks for an output in its natural shape, packed, float32. */
ATTUNE_API void attune_problem_output(struct attune_problem *problem, enum attune_output output);
/* The natural shape of an output, packed. Fails like attune_plan_create() on a wrong problem. */
ATTUNE_API enum attune_status attune_problem_output_shape(const struct attune_problem *problem,
                                                          enum attune_output output,
                                                          struct attune_tensor *shape);

/* Checks the problem, chooses kernels and tiles. Thread-safe. On failure *plan is NULL. */
ATTUNE_API enum attune_status attune_plan_create(struct attune_context *context,
                                                 const struct attune_problem *problem,
                                                 struct attune_plan **plan);
ATTUNE_API void attune_plan_release(struct attune_plan *plan);
/* Bytes of workspace that execute and prepare need, exactly. */
ATTUNE_API size_t attune_plan_workspace_size(const struct attune_plan *plan);
/* Bytes of a prepared-keys buffer; 0 without ATTUNE_PREPARED_KEYS. */
ATTUNE_API size_t attune_plan_prepared_size(const struct attune_plan *plan);
/* Writes one line, "score_dot_avx2_6x16 softmax_avx2_u4 ..."; returns its full length as snprintf does. */
ATTUNE_API size_t attune_plan_describe(const struct attune_plan *plan, char *text, size_t size);

/* Projects the keys of a sequence into `prepared` (attune_plan_prepared_size() bytes, aligned to 4):
 * additive, concat and location compute W_key x once here, and each later attune_plan_execute() with
 * the same plan, or with another whose key side is the same, reads them. Reads args->in[] of the key
 * side (key or x, its weights, key_lengths) and the workspace. */
ATTUNE_API enum attune_status attune_plan_prepare(const struct attune_plan *plan,
                                                  const struct attune_args *args, void *prepared,
                                                  size_t prepared_size);
/* Computes the outputs. Thread-safe: one plan may run in many threads at once, each with its own
 * workspace and outputs. Neither allocates nor locks; after its checks of the arguments it can fail
 * only inside a projection (ATTUNE_ERROR_NO_MEMORY), before any output is touched. */
ATTUNE_API enum attune_status attune_plan_execute(const struct attune_plan *plan,
                                                  const struct attune_args *args);

/* ---- Tuning: measuring which kernels and tiles this machine should use. ---- */

enum attune_tune_effort { ATTUNE_TUNE_QUICK = 0, ATTUNE_TUNE_NORMAL = 1, ATTUNE_TUNE_FULL = 2 };

/* What became of a key: what a choice depends on, which many problems share. */
enum attune_tune_event {
    ATTUNE_TUNE_LISTED = 0, /* would be tuned (dry_run) */
    ATTUNE_TUNE_KNOWN = 1,  /* tuned before with as much effort: left alone */
    ATTUNE_TUNE_BEGUN = 2,
    ATTUNE_TUNE_TIE = 3,    /* nothing is surely faster than the default, which stays */
    ATTUNE_TUNE_WIN = 4,    /* the winner is entered */
    ATTUNE_TUNE_NOISY = 5,  /* times varied too much: nothing is entered */
    ATTUNE_TUNE_FAILED = 6, /* could not be run */
    ATTUNE_TUNE_BARRED = 7  /* a kernel computes wrong results here and is not used from now on */
};

/* Valid during the callback. Ratios are the default's time over the best candidate's. */
struct attune_tune_progress {
    size_t struct_size;
    int32_t event; /* enum attune_tune_event */
    int32_t index, count; /* of this key, and of all keys; keys that several problems share count once */
    const char *key;      /* its text; of ATTUNE_TUNE_BARRED the kernel's name */
    const char *base, *best; /* knobs of the default and of the best candidate; of BARRED why; else "" */
    double speedup, low, high; /* and its 95 % interval */
    double noise;              /* half of that of the default against itself */
    double seconds;            /* spent on this key */
    int32_t candidates;
};

struct attune_tune_options {
    size_t struct_size; /* sizeof(struct attune_tune_options) */
    int32_t effort;     /* enum attune_tune_effort: how long each sample is, how many candidates */
    int32_t force;      /* tune again what is known, beside another tuning, and keep what a noisy
                         * machine gave */
    int32_t dry_run;    /* tell what would be tuned, measure nothing */
    int32_t missed;     /* tune the keys that ATTUNE_TUNE=record left in the cache, too */
    double seconds;     /* no key is begun after so long; 0: no limit */
    /* After each event; non-zero stops, and what is done is kept. May be NULL. */
    int (*progress)(void *user, const struct attune_tune_progress *progress);
    void *user;
};

/* Measures the keys of `count` problems (shapes alone: it makes numbers of its own) with the context's
 * threads, enters what it finds into the context's cache, and saves that to its file after each key.
 * Plans made afterwards take it. Each kernel is first checked against float64 (attune_selftest).
 * `options` may be NULL. Not for use beside other work: what else runs is measured too. While another
 * process, or another thread of this one, tunes for the same file, it returns ATTUNE_ERROR_UNFIT before
 * it measures; two that tune for different files do not see each other. */
ATTUNE_API enum attune_status attune_tune(struct attune_context *context,
                                          const struct attune_problem *problems, int32_t count,
                                          const struct attune_tune_options *options);

/* Called for each kernel that the context may use: `error` is its largest error over its bound, at
 * most 1 is right; `detail` says what was wrong, "" when nothing was. */
typedef void attune_selftest_report(void *user, const char *kernel, double error, const char *detail);
/* Checks every kernel that this CPU can run, and the context may, against float64, within seconds. The
 * number of wrong ones, which are barred in the context's cache; 0 is what it should be; -1: no memory. */
ATTUNE_API int32_t attune_selftest(struct attune_context *context, attune_selftest_report *report,
                                   void *user);

#ifdef __cplusplus
}
#endif
#endif

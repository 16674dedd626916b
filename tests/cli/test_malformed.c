/* SPDX-License-Identifier: Apache-2.0
 *
 * Problem files that are wrong, one fault each, against what each must come to: exit 2, one line
 * that names the tensor or field, and no result. The file they are made from is right.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define Q   "'q':{'dtype':'F32','shape':[1,2,3,4],'data_offsets':[0,96]}"
#define K   "'k':{'dtype':'F32','shape':[1,1,5,4],'data_offsets':[96,176]}"
#define V   "'v':{'dtype':'F32','shape':[1,1,5,2],'data_offsets':[176,216]}"
#define QKV Q "," K "," V
enum { DATA = 216 };
#define SELF "{'mechanism':'self'}"

static struct cli_file file;

/* Fields of attune.problem over good tensors. */
static const struct {
    const char *problem;
    const char *word;
} fields[] = {
    {"", "attune.problem"},
    {" ", "attune.problem"},
    {"{", "attune.problem"},
    {"}", "attune.problem"},
    {"[]", "attune.problem"},
    {"[{'mechanism':'self'}]", "attune.problem"},
    {"null", "attune.problem"},
    {"1", "attune.problem"},
    {"'self'", "attune.problem"},
    {"{'mechanism':'self'", "attune.problem"},
    {"{'mechanism':'self'}}", "attune.problem"},
    {"{'mechanism':'self'} {}", "attune.problem"},
    {"{'mechanism':'self',}", "attune.problem"},
    {"{'mechanism' 'self'}", "attune.problem"},
    {"{mechanism:'self'}", "attune.problem"},
    {"{'mechanism':'self' /* c */}", "attune.problem"},
    {"{}", "mechanism"},
    {"{'form':'dot'}", "mechanism"},
    {"{'mechanism':null}", "mechanism"},
    {"{'mechanism':3}", "mechanism"},
    {"{'mechanism':''}", "mechanism"},
    {"{'mechanism':'Self'}", "mechanism"},
    {"{'mechanism':'self '}", "mechanism"},
    {"{'mechanism':'scaled'}", "mechanism"},
    {"{'mechanism':['self']}", "mechanism"},
    {"{'mechanism':'self','mechanism':'self'}", "mechanism"},
    {"{'mechanism':'self','mechanism':'additive'}", "mechanism"},
    {"{'mechanism':'additive'}", "score_vector:"},
    {"{'mechanism':'multiplicative'}", "form"},
    {"{'mechanism':'recurrent'}", "x:"},
    {"{'mechanism':'self','Mechanism':'self'}", "Mechanism"},
    {"{'mechanism':'self','mecha\\u0000nism':'self'}", "attune.problem"},
    {"{'mechanism':'self\\u0000'}", "mechanism"},
    {"{'mechanism':'self','form':'general'}", "form"},
    {"{'mechanism':'self','form':'location'}", "form"},
    {"{'mechanism':'self','form':'DOT'}", "form"},
    {"{'mechanism':'self','form':null}", "form"},
    {"{'mechanism':'self','form':1}", "form"},
    {"{'mechanism':'self','form':''}", "form"},
    {"{'mechanism':'self','form':'dot','form':'dot'}", "form"},
    {"{'mechanism':'self','score_scale':'1'}", "score_scale"},
    {"{'mechanism':'self','score_scale':null}", "score_scale"},
    {"{'mechanism':'self','score_scale':true}", "score_scale"},
    {"{'mechanism':'self','score_scale':[1]}", "score_scale"},
    {"{'mechanism':'self','score_scale':NaN}", "score_scale"},
    {"{'mechanism':'self','score_scale':Infinity}", "score_scale"},
    {"{'mechanism':'self','score_scale':-Infinity}", "score_scale"},
    {"{'mechanism':'self','score_scale':1e400}", "score_scale"},
    {"{'mechanism':'self','score_scale':-1e400}", "score_scale"},
    {"{'mechanism':'self','score_scale':.5}", "score_scale"},
    {"{'mechanism':'self','score_scale':+1}", "score_scale"},
    {"{'mechanism':'self','score_scale':01}", "score_scale"},
    {"{'mechanism':'self','score_scale':1.}", "score_scale"},
    {"{'mechanism':'self','score_scale':0x1}", "score_scale"},
    {"{'mechanism':'self','score_scale':1,'score_scale':1}", "score_scale"},
    {"{'mechanism':'self','score_scales':1}", "score_scales"},
    {"{'mechanism':'self','output_scale':'x'}", "output_scale"},
    {"{'mechanism':'self','output_scale':1e400}", "output_scale"},
    {"{'mechanism':'self','output_scale':{}}", "output_scale"},
    {"{'mechanism':'self','softcap':-1}", "softcap"},
    {"{'mechanism':'self','softcap':-1e-300}", "softcap"},
    {"{'mechanism':'self','softcap':1e400}", "softcap"},
    {"{'mechanism':'self','softcap':null}", "softcap"},
    {"{'mechanism':'self','softcap':false}", "softcap"},
    {"{'mechanism':'self','heads':2}", "heads"},
    {"{'mechanism':'self','heads':0}", "heads"},
    {"{'mechanism':'self','heads':-1}", "heads"},
    {"{'mechanism':'self','heads':1.0}", "heads"},
    {"{'mechanism':'self','heads':'1'}", "heads"},
    {"{'mechanism':'self','heads':9223372036854775808}", "heads"},
    {"{'mechanism':'self','causal':true}", "causal"},
    {"{'mechanism':'self','causal':false}", "causal"},
    {"{'mechanism':'self','causal':1}", "causal"},
    {"{'mechanism':'self','causal':null}", "causal"},
    {"{'mechanism':'self','causal':'yes'}", "causal"},
    {"{'mechanism':'self','causal':'top-left'}", "causal"},
    {"{'mechanism':'self','casual':'top_left'}", "casual"},
    {"{'mechanism':'self','causal':'top_left','causal':'none'}", "causal"},
    {"{'mechanism':'self','past':1.5}", "past"},
    {"{'mechanism':'self','past':1.0}", "past"},
    {"{'mechanism':'self','past':1e0}", "past"},
    {"{'mechanism':'self','past':-1}", "past"},
    {"{'mechanism':'self','past':'0'}", "past"},
    {"{'mechanism':'self','past':null}", "past"},
    {"{'mechanism':'self','past':NaN}", "past"},
    {"{'mechanism':'self','past':1e400}", "past"},
    {"{'mechanism':'self','past':99999999999999999999}", "past"},
    {"{'mechanism':'self','past':-99999999999999999999}", "past"},
    {"{'mechanism':'self','past':1,'causal':'bottom_right'}", "past"},
    {"{'mechanism':'self','window_left':-2}", "window_left"},
    {"{'mechanism':'self','window_left':0.5}", "window_left"},
    {"{'mechanism':'self','window_left':'1'}", "window_left"},
    {"{'mechanism':'self','window_left':[1]}", "window_left"},
    {"{'mechanism':'self','window_left':1e400}", "window_left"},
    {"{'mechanism':'self','window_right':-2}", "window_right"},
    {"{'mechanism':'self','window_right':true}", "window_right"},
    {"{'mechanism':'self','window_right':18446744073709551616}", "window_right"},
    {"{'mechanism':'self','window':1}", "window"},
    {"{'mechanism':'self','recurrence':'scan'}", "recurrence"},
    {"{'mechanism':'self','recurrence':'step'}", "recurrence"},
    {"{'mechanism':'self','scores':'all'}", "scores"},
    {"{'mechanism':'self','scores':1}", "scores"},
    {"{'mechanism':'self','scores':null}", "scores"},
    {"{'mechanism':'self','outputs':[]}", "outputs"},
    {"{'mechanism':'self','outputs':'out'}", "outputs"},
    {"{'mechanism':'self','outputs':null}", "outputs"},
    {"{'mechanism':'self','outputs':{}}", "outputs"},
    {"{'mechanism':'self','outputs':['out','out']}", "outputs"},
    {"{'mechanism':'self','outputs':['weights']}", "outputs"},
    {"{'mechanism':'self','outputs':['out',1]}", "outputs"},
    {"{'mechanism':'self','outputs':['out',null]}", "outputs"},
    {"{'mechanism':'self','outputs':['Out']}", "outputs"},
    {"{'mechanism':'self','outputs':[['out']]}", "outputs"},
    {"{'mechanism':'self','output':['out']}", "output"},
    {"{'mechanism':'self','':1}", "field"},
    {"{'mechanism':'self','a\\nb':1}", "a\\x0ab"},
    {"{'mechanism':'self','a\\u2028b':1}", "field"},
};

/* Tensors under good fields. */
static const struct {
    const char *tensors;
    size_t data;
    const char *word;
} tensors[] = {
    {"", 0, "q:"},
    {Q "," K, 176, "v:"},
    {Q "," V ",'k':{}", DATA, "k:"},
    {QKV ",'k':{'dtype':'F32','shape':[0],'data_offsets':[0,0]}", DATA, "k:"},
    {Q "," K ",'v':null", DATA, "v:"},
    {Q "," K ",'v':[]", DATA, "v:"},
    {Q "," K ",'v':'F32'", DATA, "v:"},
    {Q "," K ",'v':{'shape':[1,1,5,2],'data_offsets':[176,216]}", DATA, "v: dtype"},
    {Q "," K ",'v':{'dtype':'F32','data_offsets':[176,216]}", DATA, "v: shape"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,2]}", DATA, "v: data_offsets"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,2],'data_offsets':[176,216],'x':0}", DATA, "x:"},
    {Q "," K ",'v':{'dtype':'F32','dtype':'F32','shape':[1,1,5,2],'data_offsets':[176,216]}", DATA,
     "dtype"},
    {Q "," K ",'v':{'dtype':'f32','shape':[1,1,5,2],'data_offsets':[176,216]}", DATA, "v: dtype"},
    {Q "," K ",'v':{'dtype':'F31','shape':[1,1,5,2],'data_offsets':[176,216]}", DATA, "v: dtype"},
    {Q "," K ",'v':{'dtype':'','shape':[1,1,5,2],'data_offsets':[176,216]}", DATA, "v: dtype"},
    {Q "," K ",'v':{'dtype':32,'shape':[1,1,5,2],'data_offsets':[176,216]}", DATA, "v: dtype"},
    {Q "," K ",'v':{'dtype':null,'shape':[1,1,5,2],'data_offsets':[176,216]}", DATA, "v: dtype"},
    {Q "," K ",'v':{'dtype':'F64','shape':[1,1,5,1],'data_offsets':[176,216]}", DATA, "v:"},
    {Q "," K ",'v':{'dtype':'I32','shape':[1,1,5,2],'data_offsets':[176,216]}", DATA, "v:"},
    {Q "," K ",'v':{'dtype':'U32','shape':[1,1,5,2],'data_offsets':[176,216]}", DATA, "v:"},
    {Q "," K ",'v':{'dtype':'BOOL','shape':[1,1,5,8],'data_offsets':[176,216]}", DATA, "v:"},
    {Q "," K ",'v':{'dtype':'I8','shape':[1,1,5,8],'data_offsets':[176,216]}", DATA, "value_scale"},
    {Q "," K ",'v':{'dtype':'F16','shape':[1,1,5,2],'data_offsets':[176,216]}", DATA, "v:"},
    {Q "," K ",'v':{'dtype':'F32','shape':10,'data_offsets':[176,216]}", DATA, "v: shape"},
    {Q "," K ",'v':{'dtype':'F32','shape':{},'data_offsets':[176,216]}", DATA, "v: shape"},
    {Q "," K ",'v':{'dtype':'F32','shape':null,'data_offsets':[176,216]}", DATA, "v: shape"},
    {Q "," K ",'v':{'dtype':'F32','shape':[],'data_offsets':[176,216]}", DATA, "v:"},
    {Q "," K ",'v':{'dtype':'F32','shape':[10],'data_offsets':[176,216]}", DATA, "v:"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,1,5,2],'data_offsets':[176,216]}", DATA, "v:"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,1,1,1,1,1,5,2],'data_offsets':[176,216]}", DATA,
     "v: shape"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,2.0],'data_offsets':[176,216]}", DATA, "v: shape"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,'2'],'data_offsets':[176,216]}", DATA, "v: shape"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,null],'data_offsets':[176,216]}", DATA,
     "v: shape"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,true],'data_offsets':[176,216]}", DATA,
     "v: shape"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,[2]],'data_offsets':[176,216]}", DATA, "v: shape"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,-1,5,-2],'data_offsets':[176,216]}", DATA, "v: shape"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,1e400],'data_offsets':[176,216]}", DATA,
     "v.shape"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,18446744073709551618],'data_offsets':[176,216]}",
     DATA, "v.shape"},
    {Q "," K ",'v':{'dtype':'F32','shape':[4294967296,4294967296,5,2],'data_offsets':[176,216]}",
     DATA, "v: shape"},
    {Q "," K ",'v':{'dtype':'F32','shape':[4611686018427387904,1,1,1],'data_offsets':[176,176]}",
     176, "v: data_offsets"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,4611686018427387906],'data_offsets':[176,216]}",
     DATA, "v: shape"},
    {Q "," K ",'v':{'dtype':'F32','shape':[9223372036854775807,9223372036854775807,0,1],"
       "'data_offsets':[176,176]}",
     176, "v: shape"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,3],'data_offsets':[176,216]}", DATA,
     "v: data_offsets"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,1],'data_offsets':[176,216]}", DATA,
     "v: data_offsets"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,2],'data_offsets':176}", DATA, "v: data_offsets"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,2],'data_offsets':[]}", DATA, "v: data_offsets"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,2],'data_offsets':[176]}", DATA,
     "v: data_offsets"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,2],'data_offsets':[176,216,216]}", DATA,
     "v: data_offsets"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,2],'data_offsets':['176','216']}", DATA,
     "v: data_offsets"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,2],'data_offsets':[176.0,216.0]}", DATA,
     "v: data_offsets"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,2],'data_offsets':[216,176]}", DATA,
     "v: data_offsets"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,2],'data_offsets':[-40,0]}", DATA,
     "v: data_offsets"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,2],'data_offsets':[176,220]}", DATA,
     "v: data_offsets"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,2],'data_offsets':[177,217]}", DATA,
     "v: data_offsets"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,2],'data_offsets':[177,217]}", DATA + 1, "v:"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,2],'data_offsets':[172,212]}", DATA - 4, "v:"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,2],'data_offsets':[0,40]}", 176, "v"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,2],"
       "'data_offsets':[9223372036854775768,9223372036854775808]}",
     DATA, "v.data_offsets"},
    {Q "," K ",'v':{'dtype':'F32','shape':[1,1,5,2],"
       "'data_offsets':[9223372036854775767,9223372036854775807]}",
     DATA, "v: data_offsets"},
    {QKV, DATA - 1, "v: data_offsets"},
    {QKV, DATA + 1, "data"},
    {QKV, DATA + 4096, "data"},
    {QKV ",'vv':{'dtype':'F32','shape':[1],'data_offsets':[216,220]}", DATA + 4, "vv"},
    {QKV ",'':{'dtype':'F32','shape':[1],'data_offsets':[216,220]}", DATA + 4, "name"},
    {QKV ",'Q':{'dtype':'F32','shape':[1],'data_offsets':[216,220]}", DATA + 4, "Q:"},
    {QKV ",'x':{'dtype':'F32','shape':[1],'data_offsets':[216,220]}", DATA + 4, "x"},
    {QKV ",'value':{'dtype':'F32','shape':[1],'data_offsets':[216,220]}", DATA + 4, "value"},
    {QKV ",'expected':{'dtype':'F32','shape':[1],'data_offsets':[216,220]}", DATA + 4, "expected"},
    {QKV ",'expected_q':{'dtype':'F32','shape':[1],'data_offsets':[216,220]}", DATA + 4,
     "expected_q"},
    {QKV ",'expected_out':{'dtype':'F32','shape':[12],'data_offsets':[216,264]}", DATA + 48,
     "expected_out"},
    {QKV ",'expected_out':{'dtype':'F32','shape':[1,2,2,3],'data_offsets':[216,264]}", DATA + 48,
     "expected_out"},
    {QKV ",'expected_out':{'dtype':'F16','shape':[1,2,3,2],'data_offsets':[216,240]}", DATA + 24,
     "expected_out"},
    {QKV ",'expected_out':{'dtype':'I64','shape':[1,2,3,2],'data_offsets':[216,312]}", DATA + 96,
     "expected_out"},
    {QKV ",'expected_lse':{'dtype':'F64','shape':[1,2,3,1],'data_offsets':[216,264]}", DATA + 48,
     "expected_lse"},
    {QKV ",'expected_scores':{'dtype':'F32','shape':[1,2,5,3],'data_offsets':[216,336]}",
     DATA + 120, "expected_scores"},
    {QKV ",'expected_alignments':{'dtype':'F32','shape':[2,1,3,5],'data_offsets':[216,336]}",
     DATA + 120, "expected_alignments"},
    {QKV ",'mask':{'dtype':'F32','shape':[3,5],'data_offsets':[216,276]}", DATA + 60, "mask"},
    {QKV ",'mask':{'dtype':'U8','shape':[3,5],'data_offsets':[216,231]}", DATA + 15, "mask"},
    {QKV ",'mask':{'dtype':'BOOL','shape':[5,3],'data_offsets':[216,231]}", DATA + 15, "mask"},
    {QKV ",'mask':{'dtype':'BOOL','shape':[1,1,1,3,5],'data_offsets':[216,231]}", DATA + 15,
     "mask"},
    {QKV ",'bias':{'dtype':'BOOL','shape':[3,5],'data_offsets':[216,231]}", DATA + 15, "bias"},
    {QKV ",'bias':{'dtype':'F32','shape':[2,5],'data_offsets':[216,256]}", DATA + 40, "bias"},
    {QKV ",'sink':{'dtype':'F32','shape':[3],'data_offsets':[216,228]}", DATA + 12, "sink"},
    {QKV ",'key_scale':{'dtype':'F32','shape':[1,1,5],'data_offsets':[216,236]}", DATA + 20,
     "key_scale"},
    {QKV ",'key_lengths':{'dtype':'F32','shape':[1],'data_offsets':[216,220]}", DATA + 4,
     "key_lengths"},
    {QKV ",'key_lengths':{'dtype':'I32','shape':[2],'data_offsets':[216,224]}", DATA + 8,
     "key_lengths"},
    {QKV ",'key_lengths':{'dtype':'I32','shape':[],'data_offsets':[216,220]}", DATA + 4,
     "key_lengths"},
    {QKV ",'query_lengths':{'dtype':'BOOL','shape':[1],'data_offsets':[216,217]}", DATA + 1,
     "query_lengths"},
    {QKV ",'a\\u001b[31mb':{'dtype':'F32','shape':[1],'data_offsets':[216,220]}", DATA + 4,
     "\\x1b[31m"},
    {QKV ",'\\u00e9\\u202e':{'dtype':'F32','shape':[1],'data_offsets':[216,220]}", DATA + 4,
     "\\xc3\\xa9"},
};

/* Whole headers. The length is right unless `length` says another. */
static const struct {
    const char *header;
    size_t data;
    uint64_t length; /* 0: right */
    const char *word;
} headers[] = {
    {"", 0, 0, "header"},
    {"{}", 0, 0, "attune.problem"},
    {"{" QKV "}", DATA, 0, "attune.problem"},
    {"[]", 0, 0, "header"},
    {"null", 0, 0, "header"},
    {"{", 0, 0, "header"},
    {" {}", 0, 0, "header"},
    {"\n{}", 0, 0, "header"},
    {"\xef\xbb\xbf{}", 0, 0, "header"},
    {"{}x", 0, 0, "header"},
    {"{'q':", 0, 0, "header"},
    {"{'\xff\xfe':{}}", 0, 0, "header"},
    {"{'\xc0\x80':{}}", 0, 0, "header"},
    {"{'\xed\xa0\x80':{}}", 0, 0, "header"},
    {"{'\\ud800':{}}", 0, 0, "header"},
    {"{'\\u0000':{}}", 0, 0, "header"},
    {"{'__metadata__':{},'__metadata__':{}}", 0, 0, "__metadata__"},
    {"{'__metadata__':null}", 0, 0, "__metadata__"},
    {"{'__metadata__':[]}", 0, 0, "__metadata__"},
    {"{'__metadata__':'" SELF "'}", 0, 0, "header"},
    {"{'__metadata__':{'a':1}," QKV "}", DATA, 0, "a:"},
    {"{'__metadata__':{'a':null}," QKV "}", DATA, 0, "a:"},
    {"{'__metadata__':{'a':{'b':'c'}}," QKV "}", DATA, 0, "a:"},
    {"{'__metadata__':{'attune.problem':{'mechanism':'self'}}," QKV "}", DATA, 0, "attune.problem"},
    {"{'__metadata__':{'attune.problem':''}," QKV "}", DATA, 0, "attune.problem"},
    {"{'__metadata__':{'attune.Problem':'{}'}," QKV "}", DATA, 0, "attune.problem"},
    {"{'__metadata__':{'attune.problem':'{}','attune.problem':'{}'}," QKV "}", DATA, 0,
     "attune.problem"},
    {"{}", 0, 1, "header"},
    {"{}", 0, 3, "header length"},
    {"{}", 0, 1000, "header length"},
    {"{}", 0, (16u << 20) + 1, "header length"},
    {"{}", 0, UINT64_C(0x7fffffffffffffff), "header length"},
    {"{}", 0, UINT64_C(0x8000000000000000), "header length"},
    {"{}", 0, UINT64_MAX, "header length"},
    {"{}", 0, UINT64_MAX - 7, "header length"},
    {"{}", 64, 64, "header"},
};

#define EXPECT_MALFORMED(index, word)                                                              \
    do {                                                                                           \
        const char *wrong_ = cli_malformed(&file, word);                                           \
        cr_expect_null(wrong_, "case %zu (%s): %s", (size_t)(index), (word) ? (word) : "",         \
                       wrong_);                                                                    \
    } while (0)

/* Were the file that all others are made from wrong, they would prove nothing. */
static void expect_base_is_right(void)
{
    static struct cli_outcome outcome;
    struct cli_folder folder;

    cli_folder_make(&folder);
    cli_file_problem(&file, SELF, QKV, DATA);
    cli_file_save(&file, cli_folder_path(&folder, "problem"));
    cli_run(&outcome, "run", cli_folder_path(&folder, "problem"), "--check", NULL);
    cr_assert_eq(outcome.code, 0, "the base file: exit %d, %s", outcome.code, outcome.err);
    cli_folder_remove(&folder);
}

Test(malformed, fields)
{
    expect_base_is_right();
    for (size_t i = 0; i < COUNT(fields); i++) {
        cli_file_problem(&file, fields[i].problem, QKV, DATA);
        EXPECT_MALFORMED(i, fields[i].word);
    }
}

Test(malformed, tensors)
{
    for (size_t i = 0; i < COUNT(tensors); i++) {
        cli_file_problem(&file, SELF, tensors[i].tensors, tensors[i].data);
        EXPECT_MALFORMED(i, tensors[i].word);
    }
}

Test(malformed, headers)
{
    for (size_t i = 0; i < COUNT(headers); i++) {
        size_t length = headers[i].length != 0 ? headers[i].length : strlen(headers[i].header);
        cli_file_raw(&file, headers[i].header, length, headers[i].data);
        EXPECT_MALFORMED(i, headers[i].word);
    }
}

/* Cut off anywhere: every byte at the start, then in steps that meet all kinds of places. */
Test(malformed, truncated)
{
    size_t whole;

    cli_file_problem(&file, SELF, QKV, DATA);
    whole = file.size;
    for (size_t size = 0; size < whole; size += size < 16 ? 1 : 13) {
        file.size = size;
        EXPECT_MALFORMED(size, NULL);
    }
    file.size = whole - 1;
    EXPECT_MALFORMED(file.size, "v:");
}

/* Opening brackets without end, in the header and inside the problem. */
Test(malformed, nesting)
{
    static char text[20001];
    static const struct {
        const char *unit;
        size_t count;
    } bombs[] = {{"[", 20000}, {"{'a':", 4000}};

    for (size_t i = 0; i < COUNT(bombs); i++) {
        size_t unit = strlen(bombs[i].unit);
        for (size_t j = 0; j < bombs[i].count; j++)
            memcpy(text + j * unit, bombs[i].unit, unit);
        text[bombs[i].count * unit] = '\0';
        cli_file_problem(&file, text, QKV, DATA);
        EXPECT_MALFORMED(i, "attune.problem");
        cli_file_raw(&file, text, strlen(text), 0);
        EXPECT_MALFORMED(i, "header");
    }
}

/* Lengths are values, not shapes: they are read where all else is right. */
Test(malformed, lengths)
{
    static const struct {
        const char *name;
        const char *type;
        int64_t value;
    } cases[] = {
        {"key_lengths", "I32", -1},          {"key_lengths", "I32", 6},
        {"key_lengths", "I32", INT32_MIN},   {"key_lengths", "I32", INT32_MAX},
        {"key_lengths", "I64", -1},          {"key_lengths", "I64", 6},
        {"key_lengths", "I64", INT64_MIN},   {"key_lengths", "I64", INT64_MAX},
        {"key_lengths", "I64", 1LL << 32},   {"query_lengths", "I32", -1},
        {"query_lengths", "I32", 4},         {"query_lengths", "I64", -1},
        {"query_lengths", "I64", 4},         {"query_lengths", "I64", INT64_MIN},
        {"query_lengths", "I64", INT64_MAX}, {"query_lengths", "I64", (1LL << 32) + 1},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t bytes = strcmp(cases[i].type, "I32") == 0 ? 4 : 8;
        char text[1024];
        (void)snprintf(text, sizeof text,
                       QKV ",'%s':{'dtype':'%s','shape':[1],'data_offsets':[216,%zu]}",
                       cases[i].name, cases[i].type, DATA + bytes);
        cli_file_problem(&file, SELF, text, DATA + bytes);
        memcpy(file.bytes + file.size - bytes, &cases[i].value, bytes);
        EXPECT_MALFORMED(i, cases[i].name);
    }
}

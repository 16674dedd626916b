/* SPDX-License-Identifier: Apache-2.0
 *
 * spell WORD...: prints each word's phonemes, and which letters the model looked at for each of
 * them. Owns the options and the printing; the model is g2p.c's.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/picture.h"
#include "bench/examples/g2p.h"

static const char help[] =
    "usage: spell [--model FILE] [--quiet] WORD...\n"
    "\n"
    "Spells English words in the phonemes of CMUdict, with a small translator whose attention is\n"
    "computed by Attune one decoder step at a time, and draws where the model looked: a row for\n"
    "each phoneme, a column for each letter.\n"
    "\n"
    "  --model FILE   the model (bench/data/g2p_model.safetensors)\n"
    "  -q, --quiet    phonemes only, no picture\n"
    "  -h, --help     this text\n"
    "\n"
    "exit codes: 0 fine, 2 wrong use or a word that is none, 4 the system refused.\n";

static void print_spelling(const char *word, const struct attune_g2p_spelling *spelling, int quiet)
{
    char phonemes[8 * ATTUNE_G2P_MAX_PHONEMES] = "";
    size_t length = 0;
    for (int64_t i = 0; i < spelling->phonemes && length < sizeof phonemes; i++)
        length += (size_t)snprintf(phonemes + length, sizeof phonemes - length, "%s%s",
                                   i ? " " : "", spelling->phoneme[i]);
    if (quiet) {
        printf("%s\t%s\n", word, phonemes);
        return;
    }
    char letters[ATTUNE_G2P_MAX_LETTERS][2];
    const char *label[ATTUNE_G2P_MAX_LETTERS];
    for (int64_t i = 0; i < spelling->letters; i++) {
        letters[i][0] = word[i];
        letters[i][1] = '\0';
        label[i] = letters[i];
    }
    const struct attune_picture picture = {.title = word,
                                           .subtitle = phonemes,
                                           .row_axis = "phonemes",
                                           .column_axis = "letters",
                                           .rows = spelling->phonemes,
                                           .columns = spelling->letters,
                                           .stride = ATTUNE_G2P_MAX_LETTERS,
                                           .weights = spelling->alignment[0],
                                           .row_labels = spelling->phoneme,
                                           .column_labels = label};
    attune_picture_terminal(&picture, stdout, attune_color_wanted(stdout),
                            attune_terminal_width(stdout));
    putchar('\n');
}

static int spell_words(const char *path, char **words, int count, int quiet)
{
    struct attune_g2p *model;
    static struct attune_g2p_spelling spelling; /* too large for a small stack */
    struct attune_trouble trouble;
    if (attune_g2p_load(path, &model, &trouble))
        return attune_trouble_report(&trouble, "spell", path);
    int code = ATTUNE_EXIT_FINE, spelt = 0;
    for (int i = 0; i < count; i++) {
        if (attune_g2p_spell(model, words[i], &spelling, &trouble)) {
            code = attune_trouble_report(&trouble, "spell", *words[i] ? words[i] : "''");
        } else {
            print_spelling(words[i], &spelling, quiet);
            spelt = 1;
        }
    }
    if (spelt && !quiet)
        printf("kernels: %s\n", attune_g2p_kernels(model));
    attune_g2p_free(model);
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    attune_trouble_set(&trouble, ATTUNE_EXIT_SYSTEM, "cannot write standard output: %s",
                       strerror(errno ? errno : EIO));
    return attune_trouble_report(&trouble, "spell", NULL);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"model", required_argument, NULL, 'm'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *model = "bench/data/g2p_model.safetensors";
    int quiet = 0;
    for (int option; (option = getopt_long(argc, argv, "qh", options, NULL)) != -1;) {
        if (option == 'm') {
            model = optarg;
        } else if (option == 'q') {
            quiet = 1;
        } else if (option == 'h') {
            fputs(help, stdout);
            return ATTUNE_EXIT_FINE;
        } else {
            fputs(help, stderr);
            return ATTUNE_EXIT_USE;
        }
    }
    if (optind == argc) {
        fputs(help, stderr);
        return ATTUNE_EXIT_USE;
    }
    return spell_words(model, argv + optind, argc - optind, quiet);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * A comparison as tables: who the columns are, every row, geometric means by family, and what was not
 * compared.
 */
#include <math.h>
#include <string.h>

#include "bench/cli/compare.h"
#include "bench/cli/grid.h"

struct page {
    const struct attune_comparison *comparison;
    FILE *file;
    int markdown, whole;
};

static char letter(int column)
{
    return (char)('A' + column);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "?";
}

static long long number_of(const json_t *object, const char *key)
{
    return (long long)json_number_value(json_object_get(object, key));
}

static void print_columns(const struct page *page)
{
    const struct attune_comparison *comparison = page->comparison;
    for (int i = 0; i < comparison->columns; i++) {
        const struct attune_column *column = &comparison->column[i];
        const struct attune_machine_line *machine = column->machine;
        fprintf(page->file, "%s%c: %s: %s %s (family %lld model %lld), %lld of %lld CPUs",
                page->markdown ? "* " : "", letter(i), column->label,
                text_of(machine->cpu, "vendor"), text_of(machine->cpu, "brand"),
                number_of(machine->cpu, "family"), number_of(machine->cpu, "model"),
                number_of(machine->topology, "allowed"), number_of(machine->topology, "logical"));
        fprintf(page->file, ", %s %s", column->engine, column->version);
        if (machine->build && strcmp(column->engine, "attune") == 0)
            fprintf(page->file, " (%s, %s)", text_of(machine->build, "commit"),
                    text_of(machine->build, "compiler"));
        fprintf(page->file, ", %s\n", machine->time);
    }
    fputc('\n', page->file);
}

static int one_machine(const struct attune_comparison *comparison)
{
    for (int i = 0; i < comparison->columns; i++)
        if (!comparison->column[i].same_hardware)
            return 0;
    return 1;
}

static const char *seconds(double value, char text[24])
{
    static const char *const units[] = {"s", "ms", "us", "ns"};
    int unit = 0;
    while (value < 1 && unit < 3) {
        value *= 1e3;
        unit++;
    }
    snprintf(text, 24, "%.*f %s", value < 10 ? 2 : value < 100 ? 1 : 0, value, units[unit]);
    return text;
}

static void add_share(struct attune_grid *grid, double share)
{
    if (share > 0)
        attune_grid_add(grid, "%.0f %%", 100 * share);
    else
        attune_grid_add(grid, "-");
}

static void add_cell(struct attune_grid *grid, const struct attune_cell *cell, int column, int two)
{
    const struct attune_ratio *ratio = &cell->ratio;
    char time[24];
    if (cell->result)
        attune_grid_add(grid, "%s", seconds(cell->result->min_s, time));
    else
        attune_grid_add(grid, "-");
    add_share(grid, cell->result ? cell->result->share : 0);
    if (column == 0)
        return;
    const int known = ratio->verdict != ATTUNE_UNDECIDED;
    if (known)
        attune_grid_add(grid, "%.3f", ratio->estimate);
    else
        attune_grid_add(grid, "-");
    if (two && known)
        attune_grid_add(grid, "%.2f .. %.2f", ratio->low, ratio->high);
    else if (two)
        attune_grid_add(grid, "-");
    attune_grid_add(grid, "%s", attune_difference_word(ratio->verdict));
}

static void add_row_head(struct attune_grid *grid, const struct attune_comparison *comparison,
                         int two)
{
    attune_grid_add(grid, "case");
    attune_grid_add(grid, "threads");
    grid->left[0] = grid->left[1] = 1;
    int at = 2;
    for (int c = 0; c < comparison->columns; c++) {
        attune_grid_add(grid, "%c time", letter(c));
        attune_grid_add(grid, "share");
        at += 2;
        if (c == 0)
            continue;
        attune_grid_add(grid, "%c/A speed", letter(c));
        at += 1;
        if (two) {
            attune_grid_add(grid, "95 %% interval");
            at += 1;
        }
        attune_grid_add(grid, "%c is", letter(c));
        grid->left[at++] = 1;
    }
    if (!two) {
        attune_grid_add(grid, "fastest");
        grid->left[at++] = 1;
    }
    grid->columns = at;
}

static void print_rows(struct page *page)
{
    const struct attune_comparison *comparison = page->comparison;
    const int two = comparison->columns == 2;
    struct attune_grid grid = {.markdown = page->markdown};
    add_row_head(&grid, comparison, two);
    for (int32_t i = 0; i < comparison->rows; i++) {
        const struct attune_row *row = &comparison->row[i];
        attune_grid_add(&grid, "%s", row->name);
        attune_grid_add(&grid, "%s", row->threads_asked);
        for (int c = 0; c < comparison->columns; c++)
            add_cell(&grid, &row->cell[c], c, two);
        if (!two && row->best >= 0)
            attune_grid_add(&grid, "%c", letter(row->best));
        else if (!two)
            attune_grid_add(&grid, "-");
    }
    page->whole &= attune_grid_print(&grid, page->file);
}

static void print_means(struct page *page)
{
    const struct attune_comparison *comparison = page->comparison;
    struct attune_grid grid = {.markdown = page->markdown, .left = {1}};
    if (comparison->means == 0)
        return;
    fprintf(page->file, "\nGeometric means over the results that every column has:\n%s",
            page->markdown ? "\n" : "");
    attune_grid_add(&grid, "family");
    attune_grid_add(&grid, "results");
    for (int c = 0; c < comparison->columns; c++) {
        attune_grid_add(&grid, "%c share", letter(c));
        if (c > 0)
            attune_grid_add(&grid, "%c/A speed", letter(c));
        if (c > 0)
            attune_grid_add(&grid, "a thread");
        attune_grid_add(&grid, "%c wins", letter(c));
    }
    grid.columns = grid.count;
    for (int32_t i = 0; i < comparison->means; i++) {
        const struct attune_mean *mean = &comparison->mean[i];
        attune_grid_add(&grid, "%s", mean->family);
        attune_grid_add(&grid, "%d", mean->rows);
        for (int c = 0; c < comparison->columns; c++) {
            add_share(&grid, mean->share[c]);
            if (c > 0)
                attune_grid_add(&grid, "%.3f", mean->speedup[c]);
            if (c > 0)
                attune_grid_add(&grid, "%.3f", mean->per_thread[c]);
            attune_grid_add(&grid, "%d", mean->wins[c]);
        }
    }
    page->whole &= attune_grid_print(&grid, page->file);
}

static void print_notes(const struct page *page)
{
    const struct attune_comparison *comparison = page->comparison;
    if (comparison->noisy > 0)
        fprintf(page->file,
                "\n%d too noisy: one of the two did not settle, or the interval is too wide; --live "
                "tells more.\n",
                comparison->noisy);
    if (comparison->notes > 0)
        fprintf(page->file, "\nNot compared:\n%s", page->markdown ? "\n" : "");
    for (int32_t i = 0; i < comparison->notes; i++)
        fprintf(page->file, "%s%s\n", page->markdown ? "* " : "  ", comparison->note[i]);
}

int attune_compare_text(const struct attune_comparison *comparison, int markdown, FILE *file)
{
    struct page page = {comparison, file, markdown, 1};
    print_columns(&page);
    fprintf(file, "%s\n\n",
            one_machine(comparison)
                ? "One machine: speeds of different runs are compared as shares of the roofs "
                  "measured in the same\nrounds, where they are the same roofs; others by time."
                : "Different machines: speeds are compared by time, shares are of each machine's "
                  "own roofs.");
    print_rows(&page);
    print_means(&page);
    print_notes(&page);
    return page.whole;
}

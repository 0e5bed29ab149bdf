#include "station/summary.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* More are counted, but not told one by one: the log has them. */
#define NOTES_MAX 32

/* One board that did not pass, or one site that is out. */
struct note {
    int site;
    int64_t attempt;
    enum verdict verdict;
    enum touched touched;
    struct failure failure;
    bool eeprom_owed;
    bool site_out;
};

struct summary {
    struct note notes[NOTES_MAX];
    int note_count;
    int64_t notes_left_out;
    int64_t verdicts;
    bool log_fault;
    struct failure log_failure;
};

struct summary *summary_create(void)
{
    return calloc(1, sizeof(struct summary));
}

void summary_free(struct summary *summary)
{
    free(summary);
}

static void add_note(struct summary *summary, const struct note *note)
{
    if (summary->note_count == NOTES_MAX) {
        summary->notes_left_out++;
        return;
    }
    summary->notes[summary->note_count++] = *note;
}

static void add_board(struct summary *summary, const struct station_event *event)
{
    const struct record_attempt *record = &event->record;
    if (record->verdict == VERDICT_PASS || record->verdict == VERDICT_EMPTY)
        return;
    struct note note = {
        .site = event->site,
        .attempt = record->attempt,
        .verdict = record->verdict,
        .touched = record->touched,
        .failure = {.code = record->failure},
        .eeprom_owed = record->eeprom_owed,
    };
    memcpy(note.failure.detail, record->detail, sizeof(note.failure.detail));
    if (event->kind == STATION_EVENT_UNKNOWN)
        note.failure = event->failure;
    add_note(summary, &note);
}

void summary_add(struct summary *summary, const struct station_event *event)
{
    switch (event->kind) {
    case STATION_EVENT_VERDICT:
        summary->verdicts++;
        add_board(summary, event);
        break;
    case STATION_EVENT_UNKNOWN:
        add_board(summary, event);
        break;
    case STATION_EVENT_SITE:
        if (event->state == SITE_OUT)
            add_note(
                summary,
                &(struct note){.site = event->site, .failure = event->failure, .site_out = true});
        break;
    case STATION_EVENT_LOG_FAULT:
        summary->log_fault = true;
        summary->log_failure = event->failure;
        break;
    default:
        break;
    }
}

/* How far the board was changed. */
static const char *condition(enum touched touched)
{
    switch (touched) {
    case TOUCHED_NONE:
        return "nothing was changed on the board";
    case TOUCHED_ERASED:
        return "the board was erased";
    case TOUCHED_WRITTEN:
        return "the board was erased and written to";
    case TOUCHED_FUSED:
        return "the board was written to, its fuses too";
    case TOUCHED_LOCKED:
        return "the board was written to, its fuses and lock bits too";
    }
    return "the board's condition is not known";
}

static void print_note(const struct note *note, FILE *out)
{
    const struct failure_fact *fact = failure_lookup(note->failure.code);
    if (note->site_out)
        (void)fprintf(out, "  site %d is OUT: %s: %s.\n", note->site, fact->name,
                      note->failure.detail);
    else if (note->verdict == VERDICT_NONE)
        (void)fprintf(out, "  site %d UNKNOWN: %s. Put the board into quarantine: %s.\n",
                      note->site, note->failure.detail, condition(note->touched));
    else
        (void)fprintf(out, "  site %d %s, attempt %" PRId64 ": %s: %s; %s.\n", note->site,
                      view_verdict_word(note->verdict), note->attempt, fact->name,
                      note->failure.detail, condition(note->touched));
    (void)fprintf(out, "    %s\n", failure_sentence(note->failure.code, note->eeprom_owed));
}

static int64_t count_boards(const struct cause_tally *causes, const struct station_counts *counts)
{
    return counts->passed + counts->failed + counts->refused + counts->unverified +
           counts->interrupted + causes->unknown;
}

/* A yield over boards some of which are unknown would be a guess. */
static void print_counts(const struct cause_tally *causes, const struct station_counts *counts,
                         FILE *out)
{
    int64_t boards = count_boards(causes, counts);
    if (boards == 0 && counts->empty == 0) {
        (void)fprintf(out, "0 boards: no board was there\n");
        return;
    }
    (void)fprintf(out, "%" PRId64 " board%s: %" PRId64 " passed", boards, boards == 1 ? "" : "s",
                  counts->passed);
    const struct {
        int64_t count;
        const char *what;
    } others[] = {{counts->failed, "failed"},
                  {counts->refused, "refused"},
                  {counts->unverified, "not verified"},
                  {counts->interrupted, "interrupted"},
                  {causes->unknown, "unknown: quarantine"}};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (others[i].count > 0)
            (void)fprintf(out, ", %" PRId64 " %s", others[i].count, others[i].what);
    }
    if (counts->empty > 0)
        (void)fprintf(out, "; %" PRId64 " times no board", counts->empty);
    double yield = station_yield_percent(counts);
    if (yield >= 0 && causes->unknown == 0)
        (void)fprintf(out, "; yield %.1f %%; %.0f boards per hour", yield, counts->boards_per_hour);
    (void)fprintf(out, "\n");
}

static void print_lot(const struct view_run *run, const struct station_counts *counts, FILE *out)
{
    if (run->lot == NULL)
        return;
    if (counts->lot_count > 0)
        (void)fprintf(out, "lot %s: %" PRId64 " of %" PRId64 " boards have passed\n", run->lot,
                      counts->lot_passed, counts->lot_count);
    else
        (void)fprintf(out, "lot %s: %" PRId64 " boards have passed\n", run->lot,
                      counts->lot_passed);
}

/* In single quotes where a shell would take it apart. */
static void print_quoted(const char *text, FILE *out)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789/._+:,@%-";
    if (text[0] != '\0' && text[strspn(text, plain)] == '\0') {
        (void)fputs(text, out);
        return;
    }
    (void)fputc('\'', out);
    for (; *text != '\0'; text++)
        (void)fputs(*text == '\'' ? "'\\''" : (const char[]){*text, '\0'}, out);
    (void)fputc('\'', out);
}

static void print_where_to_look(const struct summary *summary, const struct view_run *run,
                                FILE *out)
{
    if (summary->verdicts == 0) {
        (void)fprintf(out, "The log is %s; it has no verdict of this run.\n", run->log_path);
        return;
    }
    (void)fprintf(out, "The log is %s; this run:\n  gangflash log list --log ", run->log_path);
    print_quoted(run->log_path, out);
    (void)fprintf(out, " --last %" PRId64 "\n", summary->verdicts);
}

void summary_print(const struct summary *summary, const struct view_run *run,
                   const struct station_counts *counts, FILE *out)
{
    const struct cause_tally *causes = run->causes;
    if (summary->log_fault)
        (void)fprintf(out, "LOG FAULT: %s\n  %s\n", summary->log_failure.detail,
                      failure_lookup(FAILURE_LOG)->operator_sentence);
    print_counts(causes, counts, out);
    for (int i = 0; i < causes->count; i++)
        (void)fprintf(out, "  %5" PRId64 " %s\n", causes->causes[i].boards,
                      failure_lookup(causes->causes[i].code)->name);
    if (summary->note_count > 0)
        (void)fprintf(out, "What did not pass:\n");
    for (int i = 0; i < summary->note_count; i++)
        print_note(&summary->notes[i], out);
    if (summary->notes_left_out > 0)
        (void)fprintf(out, "  and %" PRId64 " more; the log has them\n", summary->notes_left_out);
    print_lot(run, counts, out);
    print_where_to_look(summary, run, out);
}

void summary_print_sites_out(const struct summary *summary, FILE *out)
{
    if (summary->note_count < 2)
        return;
    for (int i = 0; i < summary->note_count; i++) {
        const struct note *note = &summary->notes[i];
        if (note->site_out)
            (void)fprintf(out, "gangflash: %s: site %d: %s\n",
                          failure_lookup(note->failure.code)->name, note->site,
                          note->failure.detail);
    }
    if (summary->notes_left_out > 0)
        (void)fprintf(out, "gangflash: and %" PRId64 " more\n", summary->notes_left_out);
}

#include "station/cause_tally.h"

#include <stdbool.h>
#include <string.h>

static bool comes_before(const struct cause *cause, const struct cause *other)
{
    if (cause->boards != other->boards)
        return cause->boards > other->boards;
    return strcmp(failure_lookup(cause->code)->name, failure_lookup(other->code)->name) < 0;
}

static void count(struct cause_tally *tally, enum failure_code code)
{
    int i = 0;

    while (i < tally->count && tally->causes[i].code != code)
        i++;
    if (i == CAUSES_MAX)
        return;
    if (i == tally->count)
        tally->causes[tally->count++] = (struct cause){.code = code};
    tally->causes[i].boards++;
    for (; i > 0 && comes_before(&tally->causes[i], &tally->causes[i - 1]); i--) {
        struct cause moved = tally->causes[i];

        tally->causes[i] = tally->causes[i - 1];
        tally->causes[i - 1] = moved;
    }
}

void cause_tally_add(struct cause_tally *tally, const struct station_event *event)
{
    const struct record_attempt *record = &event->record;

    if (event->kind == STATION_EVENT_UNKNOWN) {
        tally->unknown++;
        count(tally, event->failure.code);
    } else if (event->kind == STATION_EVENT_VERDICT && record->verdict != VERDICT_PASS &&
               record->verdict != VERDICT_EMPTY) {
        count(tally, record->failure);
    }
}

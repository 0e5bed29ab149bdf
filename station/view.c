#include "station/view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char *view_verdict_word(enum verdict verdict)
{
    static const char *const words[] = {
        [VERDICT_NONE] = "UNKNOWN",
        [VERDICT_PASS] = "PASS",
        [VERDICT_FAIL] = "FAIL",
        [VERDICT_REFUSED] = "REFUSED",
        [VERDICT_UNVERIFIED] = "UNVERIFIED",
        [VERDICT_EMPTY] = "EMPTY",
        [VERDICT_INTERRUPTED] = "INTERRUPTED",
    };
    return words[verdict];
}

const char *view_sentence(const struct record_attempt *record)
{
    if (record->verdict == VERDICT_PASS || record->failure == FAILURE_NONE)
        return "";
    return failure_sentence(record->failure, record->eeprom_owed);
}

/* The failures whose operator is not told what everybody to blame alike is. */
static const struct {
    enum failure_code code;
    const char *bin;
} special_bins[] = {
    {FAILURE_EEPROM_WOULD_BE_LOST, "set aside"},
    {FAILURE_ALREADY_PROGRAMMED, "finished boards"},
    {FAILURE_NO_SAFE_ORDER, "set aside"},
    {FAILURE_DOOR_UNPROVED, "set aside"},
    {FAILURE_BOARD_BEHIND_DOOR, "set aside"},
    {FAILURE_INTERRUPTED, "set aside"},
    {FAILURE_DEADLINE, "set aside"},
};

const char *view_bin(enum failure_code code, bool eeprom_owed)
{
    if (eeprom_owed)
        return "set aside";
    for (size_t i = 0; i < sizeof(special_bins) / sizeof(special_bins[0]); i++) {
        if (special_bins[i].code == code)
            return special_bins[i].bin;
    }
    switch (failure_lookup(code)->blame) {
    case FAILURE_BLAME_NOBODY:
        return "";
    case FAILURE_BLAME_BOARD:
        return "reject bin";
    case FAILURE_BLAME_CONTACT:
        return "reseat";
    case FAILURE_BLAME_PROGRAMMER:
        return "check programmer";
    case FAILURE_BLAME_PROFILE:
        return "hold the lot";
    case FAILURE_BLAME_STATION:
        return "stop";
    }
    return "";
}

const char *view_step_words(const char *step)
{
    static const struct {
        const char *step, *words;
    } table[] = {
        {"attach", "connecting"},
        {"identify", "reading signature"},
        {"read", "reading fuses"},
        {"compare", "comparing"},
        {"speed", "choosing SCK"},
        {"keep", "saving EEPROM"},
        {"open", "writing the log"},
        {"erase", "erasing"},
        {"clock", "writing clock fuses"},
        {"flash", "writing flash"},
        {"eeprom", "writing EEPROM"},
        {"verify", "verifying"},
        {"fuses", "writing fuses"},
        {"reenter", "connecting again"},
        {"recheck", "checking fuses"},
        {"doors", "writing last fuses"},
        {"last-doors", "writing last fuses"},
        {"lock", "writing lock bits"},
        {"release", "letting go"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].step, step) == 0)
            return table[i].words;
    }
    return step;
}

bool view_site_wanted(const struct view_run *run, size_t index)
{
    return run->site_wanted == NULL || run->site_wanted[index];
}

size_t view_site_count(const struct view_run *run)
{
    size_t count = 0;
    for (size_t i = 0; i < run->jig->site_count; i++)
        count += view_site_wanted(run, i) ? 1 : 0;
    return count;
}

void view_time(int64_t time_us, char text[VIEW_TIME_BYTES])
{
    time_t seconds = (time_t)(time_us / 1000000);
    struct tm parts = {0};
    (void)gmtime_r(&seconds, &parts);
    size_t used = strftime(text, VIEW_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(text + used, VIEW_TIME_BYTES - used, ".%06dZ", (int)(time_us % 1000000));
}

void view_duration(int64_t duration_us, char text[32])
{
    long long tenths = (duration_us + 50000) / 100000;
    if (tenths < 100)
        (void)snprintf(text, 32, "%lld.%lld s", tenths / 10, tenths % 10);
    else if (tenths < 600)
        (void)snprintf(text, 32, "%lld s", (tenths + 5) / 10);
    else if (tenths < 36000)
        (void)snprintf(text, 32, "%lld min %lld s", tenths / 600, tenths / 10 % 60);
    else
        (void)snprintf(text, 32, "%lld h %lld min", tenths / 36000, tenths / 600 % 60);
}

/* How a run is shown: plain lines, JSON lines or a screen, three views of the same events. Each
 * view is its own struct, whose first member is struct view. */
#ifndef STATION_VIEW_H
#define STATION_VIEW_H

#include <stdbool.h>

#include "jigs/jig.h"
#include "profiles/profile.h"
#include "station/cause_tally.h"
#include "station/event.h"
#include "station/scheduler.h"

/* What is the same from the first event to the last. */
struct view_run {
    const struct profile *profile;
    const struct jig *jig;
    const bool *site_wanted; /* one per jig site; NULL: all */
    const char *lot;         /* NULL: none */
    const char *operator_name;
    const char *log_path;
    enum scheduler_go go;
    int recovered;                    /* attempts of an earlier run that had to be closed */
    const struct cause_tally *causes; /* of this run, with all that was shown so far */
};

enum view_key {
    VIEW_KEY_NONE,
    VIEW_KEY_GO,
    VIEW_KEY_END, /* no more boards; those in work are finished */
    VIEW_KEY_STOP /* now */
};

struct view {
    void (*show)(struct view *view, const struct station_event *event);
    /* Called a few times a second and after events were shown. NULL: not needed. */
    void (*tick)(struct view *view);
    /* Takes one key from the terminal; VIEW_KEY_NONE when there is none. NULL: this view does not
     * read standard input. */
    enum view_key (*read_key)(struct view *view);
    /* The terminal has another size. NULL: does not matter. */
    void (*resize)(struct view *view);
    /* Asked when the run is over: is there a verdict to be seen that asks for hands? NULL: what was
     * shown stays to be read. */
    bool (*needs_hands)(struct view *view);
    /* Frees the view and leaves the terminal as it was. */
    void (*close)(struct view *view);
};

/* All three: `run` must outlive the view. NULL when out of memory. */
struct view *event_text_open(const struct view_run *run);
struct view *event_json_open(const struct view_run *run);
/* Also NULL when the terminal cannot be used so. */
struct view *screen_open(const struct view_run *run);

/* "PASS", "FAIL", … and for VERDICT_NONE "UNKNOWN": the word on screen and in plain lines. */
const char *view_verdict_word(enum verdict verdict);
/* What the operator is told about a record: the failure's sentence; for a pass nothing (""). */
const char *view_sentence(const struct record_attempt *record);
/* Where a board goes that did not pass for this failure, in two words, by who is to blame: "reject
 * bin". "" for FAILURE_NONE. `eeprom_owed`: as in struct record_attempt. */
const char *view_bin(enum failure_code code, bool eeprom_owed);
/* What an attempt's step does, for people: "writing the flash". */
const char *view_step_words(const char *step);
bool view_site_wanted(const struct view_run *run, size_t index);
size_t view_site_count(const struct view_run *run);
/* "2024-05-01T12:00:00.000000Z", as the log's views have it. */
#define VIEW_TIME_BYTES 40
void view_time(int64_t time_us, char text[VIEW_TIME_BYTES]);
/* "12 s", "3 min 20 s" */
void view_duration(int64_t duration_us, char text[32]);

#endif

/* What the screen knows: every site, the counts and the last message, put together from the
 * events. */
#ifndef STATION_SCREEN_MODEL_H
#define STATION_SCREEN_MODEL_H

#include "station/screen_look.h"
#include "station/view.h"

struct screen_site {
    const struct jig_site *jig_site;
    bool wanted; /* takes part in this run */
    enum site_state state;
    const char *step; /* NULL: none yet */
    int tries;
    int permille;
    int64_t left_us; /* -1: not known */
    /* Of the last board: */
    enum screen_outcome outcome; /* NONE: there was none */
    bool shown;                  /* it is still in its site, or there was none in it */
    int outcome_tries;
    struct failure failure;
    bool eeprom_owed;       /* it was cleared, and is not back */
    bool unchanged;         /* it passed as it was */
    struct failure trouble; /* why the site waits or is out of service */
};

struct screen_model {
    const struct view_run *run;
    struct station_counts counts;
    char message[256];
    int message_site; /* whose it is; 0: the whole station's */
    bool ended;
    struct screen_site *sites; /* all of the jig, in its order */
    size_t site_count;
};

/* -1 when out of memory. */
int screen_model_create(struct screen_model *model, const struct view_run *run);
void screen_model_free(struct screen_model *model);
void screen_model_show(struct screen_model *model, const struct station_event *event);

/* What is to be seen at a site now; NONE: how the work goes on. */
enum screen_outcome screen_site_outcome(const struct screen_site *site);
/* What its last board came to, when that is not what is to be seen now. */
enum screen_outcome screen_site_last(const struct screen_site *site);
/* What happens at a site whose outcome is NONE: "ready for a board", … */
const char *screen_site_words(const struct screen_site *site);

/* What is to be done about an outcome. */
struct screen_advice {
    const char *bin; /* where the board goes, in two words; "" for a pass */
    char text[2 * FAILURE_DETAIL_BYTES];
};
void screen_site_advise(const struct screen_site *site, struct screen_advice *advice);

/* Is there an outcome to be seen that asks for hands? */
bool screen_model_needs_hands(const struct screen_model *model);

#endif

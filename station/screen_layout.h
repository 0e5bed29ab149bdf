/* Where everything stands on a screen of so many rows and columns. Pure: no terminal, no events. A
 * jig that has a layout is shown as it stands, as long as every site can have its number and its
 * verdict's word; otherwise sites stand in their order, as large as they can be. */
#ifndef STATION_SCREEN_LAYOUT_H
#define STATION_SCREEN_LAYOUT_H

#include "jigs/jig.h"
#include "station/screen_grid.h"

/* From the one that says least. */
enum screen_shape {
    SCREEN_LIST,  /* the window is too small: what can be told of some sites */
    SCREEN_MARKS, /* number and a letter */
    SCREEN_CELLS, /* number and a word */
    SCREEN_LINES, /* number, word and what to do in two words */
    SCREEN_BLOCKS /* several rows: big letters, a bar, sentences */
};

struct screen_layout {
    enum screen_shape shape;
    /* Rows of the frame; -1: not there. */
    int title_row, status_row, counts_row, causes_row, keys_row;
    struct screen_rect sites;
    struct screen_rect notices; /* sentences that have no room at their sites */
    bool as_on_jig;
    int columns; /* of sites */
    int site_columns, site_rows;
    int number_columns; /* of the longest site number */
};

void screen_layout_make(const struct jig *jig, int rows, int columns, struct screen_layout *layout);
/* Where a site of the jig stands; not for SCREEN_LIST, which has no places. */
void screen_layout_site(const struct screen_layout *layout, const struct jig *jig, size_t index,
                        struct screen_rect *rect);

#endif

/* The whole screen, drawn onto a grid. Pure: what it shows follows from the model, the grid's size
 * and the time. */
#ifndef STATION_SCREEN_DRAW_H
#define STATION_SCREEN_DRAW_H

#include <stdint.h>

#include "station/screen_model.h"

/* Sentences that have no room together take turns of this length. */
#define SCREEN_TURN_US (4 * 1000000LL)

/* True: some take turns, so it is to be drawn again when the next turn begins. */
bool screen_draw(const struct screen_model *model, int64_t now_us, struct screen_grid *grid);

#endif

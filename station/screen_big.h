/* Words in letters of five rows and more, to be read from across the room. */
#ifndef STATION_SCREEN_BIG_H
#define STATION_SCREEN_BIG_H

#include "station/screen_grid.h"

#define SCREEN_BIG_ROWS 5

/* Columns that the word takes with dots of one column; 0: it has a letter that is not there. */
int screen_big_columns(const char *word);
/* Draws it with dots of so many columns and rows. */
void screen_big_draw(struct screen_grid *grid, int row, int column, const char *word,
                     int dot_columns, int dot_rows, enum screen_style style);

#endif

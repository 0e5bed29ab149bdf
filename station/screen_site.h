/* Draws one site into its place. */
#ifndef STATION_SCREEN_SITE_H
#define STATION_SCREEN_SITE_H

#include "station/screen_layout.h"
#include "station/screen_model.h"

/* False: what is to be done about its outcome did not find room there, not wholly. */
bool screen_site_draw(struct screen_grid *grid, const struct screen_layout *layout,
                      const struct screen_site *site, const struct screen_rect *rect);
/* "12 FAIL", "12 31%", …: a site in so many columns. */
void screen_site_draw_short(struct screen_grid *grid, const struct screen_site *site,
                            const struct screen_rect *rect, int number_columns);

#endif

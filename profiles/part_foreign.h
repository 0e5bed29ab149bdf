/* Names of parts that are none of ours: of AVRs without ISP, whose nearest name would be another
 * part's, and the short ones of other tools. */
#ifndef PROFILES_PART_FOREIGN_H
#define PROFILES_PART_FOREIGN_H

/* Over what an AVR of that name is programmed that has no ISP, "UPDI"; NULL: not known. */
const char *part_foreign_interface(const char *name);
/* The one of `names` (NULL ends them) that others call `name`: m328p, t85, usb1286. NULL: none. */
const char *part_foreign_name(const char *name, const char *const names[]);

#endif

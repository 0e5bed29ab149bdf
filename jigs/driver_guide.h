/* What somebody must know who has such a programmer in hand: how it is wired, what it was tried on,
 * its quirks, and what to do when it does not answer. `gangflash drivers` prints it. One file per
 * driver in jigs/guides/; what struct programmer_driver says (ids, baud, SCK, flash limit) is not
 * repeated there. */
#ifndef JIGS_DRIVER_GUIDE_H
#define JIGS_DRIVER_GUIDE_H

#include <stdbool.h>

/* A model of the simulated bench, as jig files name it. */
struct driver_guide_model {
    const char *name; /* NULL ends a list */
    const char *what; /* what it is a model of */
    bool refused;     /* it only looks like one: the driver refuses it by name */
};

/* Somebody else's program that works with those models, and so judges them. */
struct driver_guide_peer {
    const char *program; /* NULL ends a list */
    const char *how;
    const char *test; /* "tests/peers/….sh", "tests/qemu/tests/….sh" */
};

/* The board's six-pin ISP connector (Atmel's AVR042: 1 MISO, 2 VCC, 3 SCK, 4 MOSI, 5 RESET, 6 GND).
 */
#define DRIVER_GUIDE_PINS 6
extern const char *const driver_guide_pin_names[DRIVER_GUIDE_PINS];

/* Texts are sentences without line ends; lists of them end with NULL. */
struct driver_guide {
    const char *driver;         /* its name */
    const char *const *devices; /* what there is to plug in, ids of usual serial adapters */
    const char *blocks;         /* how much of the flash goes at a time */
    const char *eeprom;
    const struct driver_guide_model *models; /* all that the bench has for this driver */
    const struct driver_guide_peer *peers;
    const char *hardware; /* real units that boards were programmed with; NULL: none yet */
    const char *pins[DRIVER_GUIDE_PINS]; /* where each goes, at the programmer */
    const char *const *wiring;
    const char *const *quirks;
    const char *const *permission; /* udev and groups */
    const char *const *examples;   /* sites of a jig file, as they stand after "- " */
    const char *const *silent;     /* what to do when it does not answer, most likely first */
};

/* NULL if there is none for a driver of that name. */
const struct driver_guide *driver_guide_find(const char *driver);

#endif

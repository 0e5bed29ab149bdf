/* A model of the optiboot bootloader that sits on an Arduino Uno and runs first after each reset:
 * it speaks the same frames as the sketch, but about the Uno itself. Source of the behaviour:
 * optiboot 4.4 as shipped with the Arduino core. */
#ifndef JIGS_SIMBENCH_OPTIBOOT_H
#define JIGS_SIMBENCH_OPTIBOOT_H

#include <stdbool.h>

#include "jigs/simbench/arduino_isp.h"

/* Returns when the bootloader hands over to the sketch, or at an event of the wire. `readable`: the
 * host speaks at the bootloader's baud rate. */
void optiboot_run(struct wire *wire, const struct isp_port *port, bool readable);

#endif

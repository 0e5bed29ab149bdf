/* A model of the USBtinyISP firmware, on a bit-banged USB stack of its own. Sources of the
 * behaviour, of which nothing is copied: main.c of the USBtinyISP firmware (ladyada.net, in its
 * first form without the request for single bytes) and usb.c of USBtiny 1.7 by D. Streefland. */
#ifndef JIGS_SIMBENCH_USBTINY_MODEL_H
#define JIGS_SIMBENCH_USBTINY_MODEL_H

#include <stddef.h>

#include "jigs/simbench/usb_firmware.h"

/* usbtinyisp, pocket-avr (SparkFun), arduino-isp (by Arduino: not the sketch). */
extern const struct usb_firmware usbtiny_models[];
extern const size_t usbtiny_model_count;

#endif

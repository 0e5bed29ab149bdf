/* Models of the AVRISP mkII: STK500 version 2 commands as they are over bulk endpoints, one command
 * and one reply at a time. Source of the behaviour: AVR069 ("AVRISP mkII Communication Protocol")
 * and, for the clones, LUFA's AVRISP-MKII project; nothing of it is copied. */
#ifndef JIGS_SIMBENCH_AVRISPMKII_MODEL_H
#define JIGS_SIMBENCH_AVRISPMKII_MODEL_H

#include "jigs/simbench/usb_firmware.h"

/* "avrispmkii": Atmel's own, which measures the target's supply and has a serial number of its own;
 * "avrispmkii-second-connect": one of those that stall from the second sign-on on, until the bus is
 * reset; "avrispmkii-lufa" and "avrispmkii-lufa-libusb" (IN at 83): clones, all with one serial
 * number. */
extern const struct usb_firmware avrispmkii_models[];
extern const size_t avrispmkii_model_count;

#endif

/* A model of the bootloader of Adafruit's Trinket and Gemma: it speaks the protocol of the
 * USBtinyISP under the same ids, but about the ATtiny85 that it runs on. Source of the behaviour:
 * boot.c and usbconfig.h of Adafruit's Trinket/Gemma bootloader; nothing of it is copied. It stays
 * for as long as it is plugged in, where the real one starts the application after some seconds. */
#ifndef JIGS_SIMBENCH_TRINKET_MODEL_H
#define JIGS_SIMBENCH_TRINKET_MODEL_H

#include <stddef.h>

#include "jigs/simbench/usb_firmware.h"

/* trinket-bootloader as it is sold, and trinket-disguised with the strings of a USBtinyISP. */
extern const struct usb_firmware trinket_models[];
extern const size_t trinket_model_count;

#endif

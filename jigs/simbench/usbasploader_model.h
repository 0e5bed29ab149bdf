/* A model of USBaspLoader, a bootloader that calls itself USBasp and speaks its protocol about the
 * ATmega328P that it runs on: the build with erase on demand, protection of the bootloader and
 * bytewise EEPROM, without reading of fuses. Source of the behaviour: main.c of USBaspLoader in
 * baerwolf's tree; nothing of it is copied. It stays for as long as it is plugged in. */
#ifndef JIGS_SIMBENCH_USBASPLOADER_MODEL_H
#define JIGS_SIMBENCH_USBASPLOADER_MODEL_H

#include <stddef.h>

#include "jigs/simbench/usb_firmware.h"

/* usbasploader */
extern const struct usb_firmware usbasploader_models[];
extern const size_t usbasploader_model_count;

#endif

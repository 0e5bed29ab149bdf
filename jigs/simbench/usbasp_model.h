/* Models of the USBasp firmware in its generations, and of devices that are found under its ids and
 * are none. Sources of the behaviour, of which nothing is copied: the firmware by Thomas Fischl
 * (releases 2005-11-14 to 2011-05-28 and their change log), its forks by D. Ioannidis (1.11) and
 * nofeletru, and the V-USB driver below them (usbProcessRx, usbBuildTxBlock). */
#ifndef JIGS_SIMBENCH_USBASP_MODEL_H
#define JIGS_SIMBENCH_USBASP_MODEL_H

#include <stddef.h>

#include "jigs/simbench/usb_firmware.h"

/* The generations:
 *   usbasp-2011              the last official release, 1.4
 *   usbasp-2011-slow-jumper  the same with its jumper "slow SCK" fitted
 *   usbasp-2011-protostack   the same, sold by somebody else
 *   usbasp-2009              before the release of 2009-02-28: SCK cannot be chosen
 *   usbasp-2005              the same under the very first ids
 *   nibobee                  release 1.4 in a robot, with an id of its own
 *   usbasp-dioannidis        fork: serial number, 1.5 MHz with step-down, long transfers
 *   usbasp-3mhz              fork by nofeletru: 3 MHz, capability bit 24, long transfers
 * and what is none:
 *   usbhid-lookalike         another programmer, sold as a USBasp
 *   vusb-ledcontrol          any device with the id that V-USB lends to everybody */
extern const struct usb_firmware usbasp_models[];
extern const size_t usbasp_model_count;

#endif

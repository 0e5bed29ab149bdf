/* A model of the ArduinoISP sketch, version 1.18, with all its habits: no timeout anywhere, the
 * universal instruction carried out before its end byte is looked at, one buffer of 256 bytes that
 * nothing guards. Source of the behaviour: the sketch as shipped with the Arduino IDE (examples,
 * 11.ArduinoISP); nothing of it is copied. */
#ifndef JIGS_SIMBENCH_ARDUINO_ISP_H
#define JIGS_SIMBENCH_ARDUINO_ISP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jigs/simbench/isp_port.h"
#include "jigs/simbench/wire.h"

/* 16 MHz / 128: the sketch asks for 1/6 MHz, and that is the next step below. */
#define ARDUINO_ISP_SCK_HZ 125000
/* What boards with this sketch are set to unless the jig says otherwise. */
#define ARDUINO_ISP_BAUD 19200

/* A board that such a sketch runs on. */
struct arduino_isp_model {
    const char *name; /* in jig files */
    bool uart;        /* a UART behind an adapter whose DTR resets the board; else native USB */
    unsigned bootloader_baud; /* of the bootloader that runs after a reset; 0: none */
};

/* NULL if there is none of that name. */
const struct arduino_isp_model *arduino_isp_model(const char *name);
/* "arduino-uno-isp, …", for messages. */
const char *arduino_isp_model_names(void);

struct arduino_isp_options {
    const struct arduino_isp_model *model;
    struct wire *wire;
    const struct isp_port *port;
    unsigned baud;
    bool real_pace; /* else neither the bootloader nor the start of the sketch takes time */
};

/* Runs the firmware until the wire says stop. -1 when out of memory. */
int arduino_isp_run(const struct arduino_isp_options *options);

#endif

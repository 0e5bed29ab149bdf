#include <stddef.h>

#include "jigs/driver_guide.h"

extern const struct driver_guide stk500_guide;

const struct driver_guide stk500_guide = {
    .driver = "stk500",
    .devices =
        (const char *const[]){"Atmel's STK500 and AVRISP with their first firmware (protocol "
                              "version 1), on a serial port or any adapter for one, 115200 baud.",
                              "The ids of an adapter tell nothing about what is behind it, so a "
                              "serial port is never taken for one before it has answered.",
                              NULL},
    .blocks = "writes a page (up to 256 bytes) at a time; reads 256 bytes",
    .eeprom = "in blocks; reads 256 bytes",
    .models =
        (const struct driver_guide_model[]){{"stk500", "the STK500 with firmware 1", false},
                                            {"avrisp", "the old AVRISP with firmware 1", false},
                                            {NULL, NULL, false}},
    .peers = (const struct driver_guide_peer[]){{"avrdude -c stk500v1", "over a UART",
                                                 "tests/peers/avrdude_stk500.sh"},
                                                {NULL, NULL, NULL}},
    .pins = {"1 of its six-pin plug", "2", "3", "4", "5", "6"},
    .wiring = (const char *const[]){"STK500: the six-pin cable from ISP6PIN. It supplies the board "
                                    "from VTARGET, unless that jumper is out.",
                                    "The AVRISP lives from the board's supply.", NULL},
    .quirks =
        (const char *const[]){
            "SCK is set before every session: units remember what was set last, by whoever it was.",
            "There is no checksum: everything is read back.", NULL},
    .permission =
        (const char *const[]){
            "Serial ports belong to the group dialout; 60-gangflash.rules gives the usual adapters "
            "to whoever sits at the machine, too, and keeps ModemManager off.",
            NULL},
    .examples =
        (const char *const[]){
            "{site: 1, programmer: stk500, at: "
            "\"serial:/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.6:1.0\"}",
            "{site: 2, programmer: stk500, at: \"tcp:127.0.0.1:3003\", baud: 115200}", NULL},
    .silent =
        (const char *const[]){
            "Has it newer firmware? The STK500 with firmware 2 is programmer stk500v2.",
            "Is the serial cable straight, at the connector RS232 CTRL, and the STK500 switched "
            "on?",
            "Is it this port? gangflash jig list shows all, with --probe who answers where.", NULL},
};

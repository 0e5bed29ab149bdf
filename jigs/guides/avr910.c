#include <stddef.h>

#include "jigs/driver_guide.h"

extern const struct driver_guide avr910_guide;

const struct driver_guide avr910_guide = {
    .driver = "avr910",
    .devices =
        (const char *const[]){"Programmers with Atmel's AVR910 firmware and its clones, at any "
                              "serial adapter, 19200 or 115200 baud.",
                              "The ids of an adapter tell nothing about what is behind it, so a "
                              "serial port is never taken for one before it has answered.",
                              NULL},
    .blocks =
        "writes a page byte by byte, or in blocks where the firmware has them; reads the same way",
    .eeprom = "byte by byte",
    .models =
        (const struct driver_guide_model[]){
            {"avr910", "Atmel's firmware: byte by byte, 19200 baud", false},
            {"avr910-block", "a clone with block commands, 115200 baud", false},
            {NULL, NULL, false}},
    .peers = (const struct driver_guide_peer[]){{"avrdude -c avr910", "over a UART",
                                                 "tests/peers/avrdude_avr910.sh"},
                                                {NULL, NULL, NULL}},
    .pins = {"9 of the ten-pin plug, 1 of a six-pin one", "2", "7, 3", "1, 4", "5", "10, 6"},
    .wiring = (const char *const[]){"Most of them live from the board's supply.", NULL},
    .quirks =
        (const char *const[]){
            "SCK is what a delay loop in its firmware makes it, and cannot be changed.",
            "It reaches 128 KiB of flash: more is refused for its site before anything starts.",
            "No checksum. After the station was killed within a fuse write, switch it off and on.",
            "A page with one of the letters e, f, l, n or q in its data is written in two rounds, "
            "a "
            "block with one waits 30 ms: a lost byte must not make a command of it.",
            "The device code it is told is that of any part with such pages: it need not know "
            "yours.",
            "A firmware whose address does not count on (a) cannot be used.",
            "Fuses and lock bits go by the universal command; firmware without it cannot be used.",
            NULL},
    .permission =
        (const char *const[]){
            "Serial ports belong to the group dialout; 60-gangflash.rules gives the usual adapters "
            "to whoever sits at the machine, too, and keeps ModemManager off.",
            NULL},
    .examples =
        (const char *const[]){
            "{site: 1, programmer: avr910, at: "
            "\"serial:/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.4:1.0\"}",
            "{site: 2, programmer: avr910, at: "
            "\"serial:/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.5:1.0\", baud: 115200}",
            NULL},
    .silent =
        (const char *const[]){
            "Is the baud the firmware's? 19200 is Atmel's, clones have 115200.",
            "Has the board its supply? Most of these programmers live from it.",
            "Is it this port? gangflash jig list shows all, with --probe who answers where.",
            "Switch it off and on: one that lost a byte waits for it for ever.", NULL},
};

#include <stddef.h>

#include "jigs/driver_guide.h"

extern const struct driver_guide stk500v2_guide;

const struct driver_guide stk500v2_guide = {
    .driver = "stk500v2",
    .devices =
        (const char *const[]){"Atmel's STK500 and the old AVRISP with firmware 2, on a serial port "
                              "or any adapter for one, 115200 baud.",
                              "An Arduino with the ScratchMonkey sketch, and USB programmers of "
                              "that kind that are serial ports.",
                              "The ids of an adapter tell nothing about what is behind it, so a "
                              "serial port is never taken for one before it has answered.",
                              NULL},
    .blocks = "writes a page (32 to 256 bytes) at a time; reads 256 bytes",
    .eeprom = "in the part's pages where it has them, else byte by byte; reads 256 bytes",
    .models =
        (const struct driver_guide_model[]){
            {"stk500-v2", "STK500 with firmware 2: it keeps SCK and the polarity of RESET for ever",
             false},
            {"mega2560-isp", "a programmer on a Mega2560: opening the port resets it", false},
            {"scratchmonkey", "the ScratchMonkey sketch on an Arduino: opening the port resets it",
             false},
            {NULL, NULL, false}},
    .peers = (const struct driver_guide_peer[]){{"avrdude -c stk500v2, -c wiring", "serial lines",
                                                 "tests/peers/avrdude_stk500v2.sh"},
                                                {NULL, NULL, NULL}},
    .pins = {"1 of the six-pin plug; 12 on an Uno with ScratchMonkey", "2; 5V", "3; 13 on an Uno",
             "4; 11 on an Uno", "5; 10 on an Uno", "6; GND"},
    .wiring =
        (const char *const[]){
            "STK500: the six-pin cable from ISP6PIN; its own socket takes one part at a time.",
            "The STK500 supplies the board from VTARGET, unless that jumper is out.", NULL},
    .quirks =
        (const char *const[]){
            "SCK is set before every session: units remember what was set last, by whoever it was.",
            "The polarity of RESET is set, too; a unit that was left with the other one would hold "
            "a board in reset or let it run.",
            "ScratchMonkey: 2 MHz, 500 or 125 kHz only, too fast for a board below 750 kHz; it "
            "goes down to a slow SCK by itself and does not say so.",
            "A Mega2560's own bootloader speaks this language, too, and would take pages for its "
            "own "
            "program: it is known by the parameters that it forgets, and told to leave.",
            "Native fuse, lock and erase commands are not used: what may be written, the fuse gate "
            "alone says.",
            NULL},
    .permission =
        (const char *const[]){
            "Serial ports belong to the group dialout; 60-gangflash.rules gives the usual adapters "
            "to whoever sits at the machine, too, and keeps ModemManager off.",
            NULL},
    .examples =
        (const char *const[]){
            "{site: 1, programmer: stk500v2, at: "
            "\"serial:/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.1:1.0\", baud: 115200}",
            "{site: 2, programmer: stk500v2, at: \"tcp:127.0.0.1:3002\"}", NULL},
    .silent =
        (const char *const[]){
            "Is it version 1? The STK500 with firmware 1 is programmer stk500, an Arduino with "
            "ArduinoISP is stk500v1.",
            "Is the serial cable straight, at the connector RS232 CTRL, and the STK500 switched "
            "on?",
            "Is it this port? gangflash jig list shows all, with --probe who answers where.",
            "An Arduino with ScratchMonkey is reset by opening its port, and is waited for.", NULL},
};

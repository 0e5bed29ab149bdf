#include <stddef.h>

#include "jigs/driver_guide.h"

extern const struct driver_guide stk500v1_guide;

const struct driver_guide stk500v1_guide = {
    .driver = "stk500v1",
    .devices =
        (const char *const[]){
            "An Arduino Uno or Nano with the ArduinoISP sketch: 2341:0043, or its adapter's ids "
            "(1A86:7523, 0403:6001), 19200 baud.",
            "A Pro Micro (2341:8036, 2341:8037, 1B4F:9206) or a Teensy 2.0 (16C0:0483) with ISP "
            "firmware: USB without a UART, where the baud says nothing.",
            "Such ids tell nothing about the sketch, so a serial port is never taken for one "
            "before it has answered.",
            NULL},
    .blocks = "writes a page (32 to 256 bytes) at a time and sends 63 bytes of the next one ahead; "
              "reads 256 bytes",
    .eeprom = "by single instructions, in the part's pages; reads 256 bytes",
    .models =
        (const struct driver_guide_model[]){
            {"arduino-uno-isp", "ArduinoISP 1.18 on an Uno: UART, reset by DTR, bootloader", false},
            {"pro-micro-isp", "the same on a Pro Micro: CDC", false},
            {"teensy-2.0-isp", "the same on a Teensy 2.0: CDC", false},
            {NULL, NULL, false}},
    .peers =
        (const struct driver_guide_peer[]){
            {"avrdude -c stk500v1, -c arduino", "over a UART", "tests/peers/avrdude_uart.sh"},
            {"avrdude -c stk500v1, -c arduino", "over CDC", "tests/peers/avrdude_cdc.sh"},
            {"avrdude -c stk500v1", "at the pace of a UART", "tests/peers/avrdude_real_pace.sh"},
            {"avrdude -c stk500v1", "on parts of every kind", "tests/peers/avrdude_parts.sh"},
            {NULL, NULL, NULL}},
    .pins = {"12 on an Uno, 14 on a Pro Micro, B3 on a Teensy 2.0", "5V, or the board's own supply",
             "13 on an Uno, 15 on a Pro Micro, B1 on a Teensy 2.0",
             "11 on an Uno, 16 on a Pro Micro, B2 on a Teensy 2.0",
             "10 on an Uno and on a Pro Micro, B0 on a Teensy 2.0", "GND"},
    .wiring =
        (const char *const[]){
            "The lines have the Arduino's voltage: a board that takes less needs a level shifter.",
            NULL},
    .quirks =
        (const char *const[]){
            "SCK is 125 kHz and cannot be changed, so boards below 0.5 MHz cannot be done, nor "
            "those whose parts want SCK slower: the plan refuses them.",
            "Each page ends with 30 ms of waiting in the sketch: that is most of the time.",
            "Opening the port of an Uno resets it; its bootloader answers for a second or two and "
            "is waited for.",
            "The sketch has no checksum. After the station was killed within a fuse write, press "
            "the Arduino's reset button before the next start.",
            NULL},
    .permission =
        (const char *const[]){"Serial ports belong to the group dialout; 60-gangflash.rules gives "
                              "these to whoever sits at the machine, too, and keeps ModemManager "
                              "off.",
                              NULL},
    .examples =
        (const char *const[]){
            "{site: 1, programmer: stk500v1, at: \"serial:/dev/serial/by-path/"
            "pci-0000:00:14.0-usb-0:1.1:1.0\", supply: 5 V}",
            "{site: 2, programmer: stk500v1, at: \"tcp:127.0.0.1:3001\", baud: 19200}", NULL},
    .silent =
        (const char *const[]){
            "Is the ArduinoISP sketch on it? Its heartbeat LED (pin 9) fades in and out; a red "
            "LED at pin 8 says that the sketch has seen an error.",
            "Is the baud the one in the sketch? The sketch has 19200; some copies have 9600 or "
            "115200.",
            "Is it this port? gangflash jig list shows all, with --probe who answers where.",
            "Press its reset button: a sketch that lost a byte waits for it for ever.", NULL},
};

#include <stddef.h>

#include "jigs/driver_guide.h"

extern const struct driver_guide buspirate_guide;

const struct driver_guide buspirate_guide = {
    .driver = "buspirate",
    .devices =
        (const char *const[]){"Bus Pirate v3 (an FTDI adapter, 0403:6001) and v4 (04D8:FB00), "
                              "115200 baud; v5 and later speak another language.",
                              "The ids of a v3 are those of any FTDI adapter, so a serial port is "
                              "never taken for one before it has answered.",
                              NULL},
    .blocks = "writes a page in one command (firmware before 5.10: in single instructions); reads "
              "up to 4096 bytes",
    .eeprom = "by single instructions, in the part's pages",
    .models =
        (const struct driver_guide_model[]){
            {"buspirate-v3", "v3 with firmware 6: bulk commands through a buffer", false},
            {"buspirate-v3-16ms",
             "the same behind an adapter whose latency timer was left at 16 ms", false},
            {"buspirate-v3-old", "v3 with firmware before 5.10: no bulk command", false},
            {"buspirate-v3-community",
             "v3 with the community's firmware 7, which puts bytes on the bus as they come", false},
            {"buspirate-v4", "v4: USB of its own", false},
            {NULL, NULL, false}},
    .peers = (const struct driver_guide_peer[]){{"avrdude -c buspirate", "over a UART and over CDC",
                                                 "tests/peers/avrdude_buspirate.sh"},
                                                {NULL, NULL, NULL}},
    .pins = {"MISO", "+5V or +3.3V, or the board's own supply", "CLK", "MOSI", "CS", "GND"},
    .wiring =
        (const char *const[]){
            "Lines are driven to 3.3 V. The unit's supply is switched on while a board is "
            "programmed and off again after it: take VCC from it for small boards only.",
            NULL},
    .quirks = (const char *const[]){"A unit is found in whatever mode it was left in, and is taken "
                                    "to binary SPI mode from there.",
                                    "No flow control: nothing is sent while it is busy, so SCK "
                                    "hardly matters next to the wire.",
                                    "An FTDI adapter's latency timer of 16 ms costs most of the "
                                    "time of single instructions: set it to 1 ms.",
                                    "Firmware before 5.10 is slow: it is worth updating.", NULL},
    .permission =
        (const char *const[]){
            "Serial ports belong to the group dialout; 60-gangflash.rules gives the usual adapters "
            "to whoever sits at the machine, too, and keeps ModemManager off.",
            "The latency timer of an adapter stands in /sys/class/tty/ttyUSB0/device/latency_timer "
            "(with the port's own name).",
            NULL},
    .examples =
        (const char *const[]){
            "{site: 1, programmer: buspirate, at: "
            "\"serial:/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.2:1.0\"}",
            "{site: 2, programmer: buspirate, at: "
            "\"serial:/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.3:1.0\", baud: 115200}",
            NULL},
    .silent =
        (const char *const[]){
            "Does it answer in a terminal program, at 115200 baud, with its menu? Close that "
            "program then.",
            "Is it this port? gangflash jig list shows all, with --probe who answers where.",
            "Plug it in anew: a unit that resets itself in mid-work has too little power for the "
            "board.",
            "No board found, but the programmer answers: is CS at RESET, and has the board its "
            "supply?",
            NULL},
};

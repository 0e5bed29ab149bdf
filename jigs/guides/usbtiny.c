#include <stddef.h>

#include "jigs/driver_guide.h"

extern const struct driver_guide usbtiny_guide;

const struct driver_guide usbtiny_guide = {
    .driver = "usbtiny",
    .devices = (const char *const[]){"USBtinyISP and its clones, SparkFun's Pocket AVR "
                                     "(1781:0C9F); Arduino ISP (2341:0049, 2A03:0049); eHaJo "
                                     "(16D0:0BA5); iseavrprog (1209:6570).",
                                     NULL},
    .blocks = "writes up to 32 pages in one go where the part tells when it is ready, else a page; "
              "reads 248 bytes",
    .eeprom = "by single instructions, in the part's pages; reads 248 bytes",
    .models =
        (const struct driver_guide_model[]){
            {"usbtinyisp", "USBtinyISP", false},
            {"pocket-avr", "SparkFun's Pocket AVR Programmer", false},
            {"arduino-isp", "Arduino ISP, by its own ids", false},
            {"trinket-bootloader", "the bootloader of Trinket boards, with the same ids", true},
            {"trinket-disguised", "the same without the name that gives it away", true},
            {NULL, NULL, false}},
    .peers = (const struct driver_guide_peer[]){{"avrdude -c usbtiny", "over a kernel's USB",
                                                 "tests/qemu/tests/avrdude_usbtiny.sh"},
                                                {NULL, NULL, NULL}},
    .pins = {"1 of its six-pin plug, 9 of the ten-pin one", "2, 2", "3, 7", "4, 1", "5, 5",
             "6, 10"},
    .wiring =
        (const char *const[]){
            "A jumper gives the board 5 V. Without it the programmer's lines live from the board's "
            "supply: an unpowered board does not answer.",
            "Kits with 1.5 kOhm in the lines cannot drive an LED at SCK; a slower SCK does not "
            "help there.",
            NULL},
    .quirks =
        (const char *const[]){
            "It reads no further than 64 KiB of flash, so parts above that cannot be verified: "
            "what does not fit is refused for its site before anything starts.",
            "Units have no serial numbers, so a site is a port: bus and ports, as the kernel "
            "writes them.",
            "It is a low-speed device. Not more than four on one USB 2 hub with a single "
            "transaction translator.",
            "It never says that something failed: everything is read back.", NULL},
    .permission =
        (const char *const[]){"60-gangflash.rules gives it to the group plugdev and to whoever "
                              "sits at the machine.",
                              NULL},
    .examples =
        (const char *const[]){"{site: 1, programmer: usbtiny, at: \"usb:1-1.4.2\", supply: 5 V}",
                              "{site: 2, programmer: usbtiny, at: \"usb:2-3\"}", NULL},
    .silent =
        (const char *const[]){
            "Is it there? gangflash jig list shows it, or says why this user may not open it.",
            "Has another program got it? avrdude and an IDE hold it while they run.",
            "A Trinket or Gemma board in its bootloader has these ids, too, and is refused by "
            "name.",
            "No board found, but the programmer answers: is the jumper for VCC set, or the board "
            "supplied?",
            NULL},
};

#include <stddef.h>

#include "jigs/driver_guide.h"

extern const struct driver_guide usbasp_guide;

const struct driver_guide usbasp_guide = {
    .driver = "usbasp",
    .devices =
        (const char *const[]){
            "USBasp and its clones, by the product text \"USBasp\"; the first ones (03EB:C7B4) and "
            "the NIBObee robot (16C0:092F) by their ids.",
            NULL},
    .blocks = "writes a page at a time; reads 248 bytes",
    .eeprom = "by single instructions, in the part's pages; reads 248 bytes",
    .models =
        (const struct driver_guide_model[]){
            {"usbasp-2011", "the last release: SCK can be chosen", false},
            {"usbasp-2011-slow-jumper", "the same with the jumper for slow SCK (8 kHz)", false},
            {"usbasp-2011-protostack", "a clone by Protostack", false},
            {"usbasp-2009", "the release before 2009-02-28: SCK cannot be chosen", false},
            {"usbasp-2005", "the first ids", false},
            {"nibobee", "a robot with one on board", false},
            {"usbasp-dioannidis", "a fork with serial numbers", false},
            {"usbasp-3mhz", "a fork with SCK up to 3 MHz", false},
            {"usbhid-lookalike", "03EB:C8B4, which speaks another language", true},
            {"vusb-ledcontrol", "another device with the same shared ids", true},
            {"usbasploader", "a bootloader that says it is a USBasp", true},
            {NULL, NULL, false}},
    .peers = (const struct driver_guide_peer[]){{"avrdude -c usbasp", "over a kernel's USB",
                                                 "tests/qemu/tests/avrdude_usbasp.sh"},
                                                {NULL, NULL, NULL}},
    .pins = {"9 of the ten-pin plug", "2", "7", "1", "5", "10, and 4, 6, 8"},
    .wiring =
        (const char *const[]){
            "A jumper gives the board 5 V or 3.3 V, or leaves the supply to the board; on many "
            "clones the lines stay at 5 V whatever it says.",
            "The jumper for slow SCK (JP3) makes SCK 8 kHz, which the programmer does not tell: "
            "leave it open.",
            NULL},
    .quirks =
        (const char *const[]){
            "Units have no serial numbers, so a site is a port: bus and ports, as the kernel "
            "writes them.",
            "Firmware from before 2009-02-28 cannot choose SCK: 375 kHz, too fast for a board at "
            "1 MHz, which is then refused; its firmware should be updated.",
            "It is a low-speed device. Not more than four on one USB 2 hub with a single "
            "transaction translator.",
            "It does not say when a board was lost or a page did not take: everything is read "
            "back.",
            NULL},
    .permission =
        (const char *const[]){"60-gangflash.rules gives it to the group plugdev and to whoever "
                              "sits at the machine.",
                              NULL},
    .examples =
        (const char *const[]){"{site: 1, programmer: usbasp, at: \"usb:1-1.4.1\", supply: 5 V}",
                              "{site: 2, programmer: usbasp, at: \"usb:serial=0042\"}", NULL},
    .silent =
        (const char *const[]){
            "Is it there? gangflash jig list shows it, or says why this user may not open it.",
            "Has another program got it? avrdude and an IDE hold it while they run.",
            "Plug it in anew: some firmwares hang after a board was taken out in mid-work.",
            "No board found, but the programmer answers: look at VCC and RESET at the board.",
            NULL},
};

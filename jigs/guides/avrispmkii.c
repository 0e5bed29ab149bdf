#include <stddef.h>

#include "jigs/driver_guide.h"

extern const struct driver_guide avrispmkii_guide;

const struct driver_guide avrispmkii_guide = {
    .driver = "avrispmkii",
    .devices = (const char *const[]){"Atmel's AVRISP mkII (03EB:2104), and boards with LUFA's "
                                     "AVRISP-MKII firmware, which have the same ids.",
                                     NULL},
    .blocks = "writes a page at a time; reads 256 bytes",
    .eeprom = "in the part's pages where it has them, else byte by byte; reads 256 bytes",
    .models =
        (const struct driver_guide_model[]){
            {"avrispmkii", "a genuine one, with a serial number of its own", false},
            {"avrispmkii-second-connect",
             "one that hangs at its second sign-on, until it is reset on its port", false},
            {"avrispmkii-lufa", "LUFA's firmware: all units have one serial number", false},
            {"avrispmkii-lufa-libusb", "the same, built for libusb: replies come from endpoint 83",
             false},
            {NULL, NULL, false}},
    .peers = (const struct driver_guide_peer[]){{"avrdude -c avrispmkII", "over a kernel's USB",
                                                 "tests/qemu/tests/avrdude_mkii.sh"},
                                                {NULL, NULL, NULL}},
    .pins = {"1 of its six-pin plug", "2", "3", "4", "5", "6"},
    .wiring = (const char *const[]){"It does not supply the board: VCC is its measure of the "
                                    "board's voltage, and its drivers live from it.",
                                    "LUFA boards drive their lines with their own voltage, mostly "
                                    "5 V; those without a measuring input always say 3.3 V.",
                                    NULL},
    .quirks =
        (const char *const[]){
            "SCK is set before every session: units remember what was set last, by whoever it was.",
            "Units with LUFA's firmware all have the serial number 000200012345, so a site with "
            "one is a port, not a serial number.",
            "A genuine one may hang when it is opened a second time; it is then reset on its port.",
            "There is no checksum beyond that of USB; everything is read back.",
            "Native fuse, lock and erase commands are not used: what may be written, the fuse gate "
            "alone says.",
            NULL},
    .permission =
        (const char *const[]){
            "60-gangflash.rules gives it to the group plugdev and to whoever sits at the machine.",
            NULL},
    .examples =
        (const char *const[]){"{site: 1, programmer: avrispmkii, at: \"usb:1-1.4.3\", supply: 5 V}",
                              "{site: 2, programmer: avrispmkii, at: \"usb:serial=000200123456\"}",
                              NULL},
    .silent =
        (const char *const[]){
            "Is it there? gangflash jig list shows it, or says why this user may not open it.",
            "Has another program got it? avrdude and an IDE hold it while they run.",
            "A genuine one's LED: orange, the board has no supply; red, a short or reversed plug.",
            "Plug it in anew.", NULL},
};
